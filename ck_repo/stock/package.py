"""Parse a stock package's meta: tags, variations, and their settings for the install script."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.store.fields import Fields

_STOCK_KEYS = frozenset({
    "customize", "process_script", "soft_uoa", "suggested_path", "use_scripts_from_another_entry", "end_full_path",
    "end_full_path_universal", "only_for_host_os_tags", "only_for_target_os_tags", "need_cpu_info", "check_exit_status",
})  # fmt: skip
_OUR_KEYS = frozenset({"install", "python_package", "conversion"})
_VARIATION_KEYS = frozenset({
    "extra_env", "extra_customize", "extra_tags", "extra_deps", "on_by_default", "comment", "version",
})  # fmt: skip
_VERSION_ENV, _VERSION_CUSTOMIZE = frozenset({"PACKAGE_VERSION"}), frozenset({"version"})


def is_stock_package(meta: Mapping[str, Any]) -> bool:
    """Whether a package's meta is stock CK's: it has stock CK's keys and none of ours for installing.

    >>> is_stock_package({"tags": ["lib"], "customize": {}}), is_stock_package({"customize": {}, "install": []})
    (True, False)
    """
    return not _STOCK_KEYS.isdisjoint(meta) and _OUR_KEYS.isdisjoint(meta)


@dataclass(frozen=True)
class StockVariation:
    """A variation: its changes to the base.

    Attributes
    ----------
    env
        Variables for the install script.
    customize
        Keys of the base's `customize`.
    """

    name: str
    default: bool = False
    tags: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    customize: Mapping[str, Any] = field(default_factory=dict)
    deps: Mapping[str, Fields] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """Everything that it sets, by name: variations that set the same thing to different values exclude each other."""
        return {**self.env, **{f"customize.{name}": str(value) for name, value in self.customize.items()}}

    @property
    def only_version(self) -> str:
        """Its version, if it sets nothing else."""
        version = str(self.env.get("PACKAGE_VERSION") or self.customize.get("version") or "")
        more = self.tags or self.deps or set(self.env) - _VERSION_ENV or set(self.customize) - _VERSION_CUSTOMIZE
        return version if version == self.name and not more else ""


@dataclass(frozen=True)
class StockPackage:
    """A stock package.

    Attributes
    ----------
    folder
        The folder of its entry.
    env, customize
        Variables for the install script, and how the result is registered.
    script
        The entry whose script installs it; empty if the script is its own.
    process
        Name of the script without its suffix; empty if there is none.
    preprocess
        Whether Python code of a repository prepares the installation.
    files
        The promised files, one of which has to exist.
    remarks
        Ignored keys.
    """

    folder: Path
    fields: Fields
    env: Mapping[str, str]
    customize: Mapping[str, Any]
    variations: Mapping[str, StockVariation]
    deps: Mapping[str, Fields]
    script: str
    process: str
    preprocess: bool
    files: Any
    remarks: tuple[str, ...] = ()


def read_stock_package(fields: Fields, folder: Path) -> StockPackage:
    """Parse a stock package's meta.json.

    Raises
    ------
    ConfigError
        If a relevant key has a value of the wrong type; the message has file and key.
    """
    customize = fields.fields("customize")
    rows, remarks = {}, []
    for name, row in fields.each("variations").items():
        rows[name] = _variation(name, row)
        remarks += [f"variation {name}: the key {key} is ignored" for key in row.as_dict() if key not in _VARIATION_KEYS]
    script, preprocess = fields.table("use_scripts_from_another_entry"), "use_preprocess_scripts_from_another_entry"
    return StockPackage(
        folder=folder,
        fields=fields,
        env=_environment(customize, "install_env"),
        customize={key: value for key, value in customize.as_dict().items() if key != "install_env"},
        variations=_combined(fields, rows),
        deps=fields.each("deps"),
        script=str(script.get("data_uoa") or ""),
        process=fields.text("process_script"),
        preprocess=bool(fields.table(preprocess)) or (folder / "custom.py").is_file(),
        files=fields.as_dict().get("end_full_path_universal") or fields.as_dict().get("end_full_path") or "",
        remarks=tuple(remarks),
    )


def _variation(name: str, row: Fields) -> StockVariation:
    customize = row.table("extra_customize")
    if row.text("version"):
        customize = {"version": row.text("version"), **customize}
    default = str(row.as_dict().get("on_by_default", "")).lower() in ("yes", "true")
    env, deps = _environment(row, "extra_env"), row.each("extra_deps")
    return StockVariation(name, default, row.tags("extra_tags"), env, customize, deps)


def _combined(fields: Fields, rows: dict[str, StockVariation]) -> dict[str, StockVariation]:
    """The variations; if only certain combinations are supported and none is the default, the first combination is."""
    combinations = fields.as_dict().get("supported_variation_combinations") or []
    if not isinstance(combinations, list):
        raise fields.error("supported_variation_combinations", combinations, "a list")
    first = combinations[0] if combinations else []
    names = first.split(",") if isinstance(first, str) else first if isinstance(first, list) else []
    if any(row.default for row in rows.values()):
        return rows
    return {name: StockVariation(name, name in names, row.tags, row.env, row.customize, row.deps) for name, row in rows.items()}


def _environment(fields: Fields, key: str) -> dict[str, str]:
    """Variables of an install script; numbers and booleans are converted to text, and null values are ignored."""
    values = {}
    for name, value in fields.table(key).items():
        if value is not None and not isinstance(value, str | int | float):
            raise fields.error(f"{key}.{name}", value, "a text")
        if value is not None:
            values[name] = ("YES" if value else "NO") if isinstance(value, bool) else str(value)
    return values


def chosen_settings(package: StockPackage, chosen: Sequence[str]) -> tuple[dict[str, str], dict[str, object]]:
    """Variables and `customize` of a package with its selected variations, with references between them resolved."""
    env, customize = dict(package.env), dict(package.customize)
    for name in chosen:
        env |= package.variations[name].env
        customize |= package.variations[name].customize
    for values in (customize, env):
        for name in [name for name in values if name.startswith("*")]:
            values[name[1:]] = _substituted(str(values.pop(name)), env)
    if env.get("PACKAGE_DETECT_VARS") == "YES":  # variables for this system replace the general ones
        suffix = "_MACOS" if sys.platform == "darwin" else "_LINUX"
        env |= {name.removesuffix(suffix): value for name, value in env.items() if name.endswith(suffix) and value}
    if not customize.get("version") and env.get("PACKAGE_VERSION"):
        customize["version"] = env["PACKAGE_VERSION"]
    if customize.get("version"):
        env["PACKAGE_VERSION"] = str(customize["version"])
    return {name: value.replace("$#sep#$", "/") for name, value in env.items()}, customize


def _substituted(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$<<NAME>>$`` with the variable's value."""
    for name, value in env.items():
        text = text.replace(f"$<<{name}>>$", value)
    return text
