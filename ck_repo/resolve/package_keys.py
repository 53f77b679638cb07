"""The known keys of a package's meta.json, at every level; unknown ones are refused with a suggestion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields as fields_of
from difflib import get_close_matches

from ck_repo.errors import ConfigError
from ck_repo.models.profiles import Profile
from ck_repo.store.entry import BASE
from ck_repo.store.fields import Fields
from ck_repo.store.installed import InstalledDataset

FREE = "x-"  # prefix of keys for authors
# keys of stock CK's packages, which ck ignores in its own form of packages
_STOCK = frozenset({
    "aux_uoa", "check_exit_status", "comment", "customize", "end_full_path", "end_full_path_universal", "env", "features",
    "need_cpu_info", "no_install_path", "only_for_host_os_tags", "only_for_target_os", "only_for_target_os_tags",
    "package_extra_name", "package_name", "params", "problem", "process_script", "remove_deps", "skip_setup", "soft_uoa",
    "suggested_path", "template", "template_type", "use_preprocess_scripts_from_another_entry",
    "use_scripts_from_another_entry",
})  # fmt: skip
_STOCK_DEPENDENCY = frozenset({
    "add_dict", "add_to_path", "comment", "disable_if_env", "enable_if_env", "force_env_init", "force_target_as_host", "local",
    "name", "no_tags", "only_for_host_os_tags", "only_for_target_os_tags", "or_tags", "repeat_at_the_end", "skip_default",
    "skip_from_bat", "skip_installed", "sort", "update_tags_by_target_os_uoa", "update_tags_by_target_platform2",
    "update_tags_if_env", "version_from", "version_to",
})  # fmt: skip
_STOCK_VARIATION = frozenset({
    "comment", "extra_customize", "extra_deps", "extra_env", "extra_tags", "on_by_default", "version",
})  # fmt: skip
PACKAGE = frozenset({
    "name", "tags", "version", "deps", "variations", "install", "file", "model", "dataset", "values", "licence", "priority",
    "python_package", "python_path", "per_python", "conversion", "uses", BASE,
})  # fmt: skip
VARIATION = frozenset({"group", "default", "tags", "changes", "deps", "description"})
DEPENDENCY = frozenset({"tags", "version", "when", "tool", "default_tags", "format", "also"})
MODEL = frozenset({
    "format", "profile", "network", "benchmark", "backend", "dataset", "input", "max_batch", "outputs", "precision", "opset",
    "licence", "source", "expected_mAP", "row", *(row.name for row in fields_of(Profile)),
})  # fmt: skip
DATASET = frozenset({"format", "licence", "source", *(row.name for row in fields_of(InstalledDataset))})
PYTHON_PACKAGE = frozenset({"name", "version", "excludes"})
CONVERSION = frozenset({"from", "to", "networks"})
STEPS: Mapping[str, frozenset[str]] = {
    "download": frozenset({"url", "mirrors", "size", "sha256", "sha1", "md5", "unpack", "strip", "decompress", "to"}),
    "git": frozenset({"url", "checkout", "to"}),
    "copy": frozenset({"file", "folder", "from", "root", "to"}),
    "move": frozenset({"file", "to"}),
    "patch": frozenset({"file", "to"}),
    "script": frozenset({"file", "module", "path", "arguments", "divisible"}),
    "weights": frozenset({"file", "to"}),
}


def check_keys(meta: Fields) -> None:
    """Refuse a package of ours with an unknown key.

    Keys that begin with ``x-`` are for authors, except in steps; keys of stock CK's packages are ignored.

    Raises
    ------
    ConfigError
        With the file, the key and the most similar known one.
    """
    _only(meta, PACKAGE, _STOCK)
    _parts(meta)
    for variation in meta.each("variations").values():
        _only(variation, VARIATION, _STOCK_VARIATION)
        _dependencies(variation)
        changes = variation.fields("changes")
        _only(changes, PACKAGE - {"variations", BASE, "tags"}, _STOCK)
        _parts(changes)


def _parts(meta: Fields) -> None:
    """The sections of a meta, or of a variation's changes to it."""
    for name, known in (
        ("model", MODEL), ("dataset", DATASET), ("python_package", PYTHON_PACKAGE), ("conversion", CONVERSION),
    ):  # fmt: skip
        _only(meta.fields(name), known)
    _dependencies(meta)
    for step in meta.rows("install"):
        _only(step, STEPS, free=False)
        for kind in step.as_dict().keys() & STEPS.keys():
            _only(step.fields(kind), STEPS[kind], free=False)


def _dependencies(meta: Fields) -> None:
    for row in meta.each("deps").values():
        _only(row, DEPENDENCY, _STOCK_DEPENDENCY)


def _only(row: Fields, known: Iterable[str], of_stock: Iterable[str] = (), *, free: bool = True) -> None:
    names = {*known}
    for key in row.as_dict():
        if key in names or key in of_stock or (free and str(key).startswith(FREE)):
            continue
        near = get_close_matches(str(key), names, n=1, cutoff=0.6)
        raise ConfigError(
            f"{row.place(str(key))} is not a known key" + (f"; did you mean {near[0]}?" if near else ""),
            hint=f"known there: {', '.join(sorted(names))}" + (f"; keys that begin with {FREE} are ignored" if free else ""),
        )
