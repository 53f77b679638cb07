"""Translate a stock package with its selected variations to a meta of ours, if possible."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo.errors import CKError
from ck_repo.stock.needs import for_this_system, host_tags, needs
from ck_repo.stock.package import StockPackage, chosen_settings
from ck_repo.stock.scripts import CAFFE_MODEL, DETECTION_MODEL, DOWNLOAD, MOBILENET, PIP, SHARED, pip_script
from ck_repo.stock.steps import (
    Obstacle,
    Step,
    caffe_model_steps,
    detection_model_steps,
    download_steps,
    mobilenet_steps,
    runs,
)

_PYTHON_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PYTHON_VERSION = re.compile(r"\d+(\.\d+)*([a-z]+\d*)?(\.post\d+|\.dev\d+)?(\+[a-z0-9.]+)?")
_SUFFIXES = {"dll": ".so", "lib": ".a", "exe": "", "obj": ".o"}
_SYSTEMS = ("linux", "macos", "win")


@dataclass(frozen=True)
class Translation:
    """A translated stock package.

    Attributes
    ----------
    meta
        Its meta.json in our form.
    obstacle
        Why it is not supported; empty if it is.
    kind
        ``pip``, ``download``, ``git`` or ``copy``; empty if it is not supported.
    remarks
        Ignored parts of the recipe, although the result can be used.
    """

    meta: Mapping[str, Any]
    obstacle: str = ""
    kind: str = ""
    remarks: tuple[str, ...] = ()


def translate(package: StockPackage, chosen: Sequence[str] = ()) -> Translation:
    """Translate a stock package with its variations to a meta of ours."""
    env, customize = chosen_settings(package, chosen)
    meta: dict[str, object] = {"tags": list(package.fields.tags()), "version": str(customize.get("version") or "")}
    try:
        return _translated(package, chosen, env, meta)
    except Obstacle as obstacle:
        return Translation(meta, str(obstacle), remarks=package.remarks)
    except CKError as error:
        return Translation(meta, error.what, remarks=package.remarks)
    except ValueError as error:  # for quotes in a variable that a shell would have split
        return Translation(meta, f"its recipe cannot be read: {error}", remarks=package.remarks)


def usable_default(package: StockPackage) -> str:
    """The default variation: the first supported one, if the package is not supported without.

    Empty if the recipe has its own default, or needs none.
    """
    rows = package.variations
    if not rows or any(row.default for row in rows.values()) or not translate(package).obstacle:
        return ""
    return next((name for name in rows if not translate(package, (name,)).obstacle), "")


def _translated(package: StockPackage, chosen: Sequence[str], env: Mapping[str, str], meta: dict[str, object]) -> Translation:
    kind = _kind(package)
    if kind == PIP:
        (more, remarks), steps = _pip(package, env), []
    else:
        steps, remarks = _steps(package, kind, env), []
        more = {"install": steps, "file": _promised(package.files)}
    rows = dict(package.deps)
    for name in chosen:
        rows |= package.variations[name].deps
    used = {str(step["copy"]["from"]) for step in steps if "from" in step.get("copy", {})}
    deps, unmet = needs(rows, env, only_python=kind == PIP, used=used)
    if lacking := sorted(used - set(deps)):
        return Translation(meta, f"its recipe copies files of its dependency {lacking[0]}, which does not exist")
    names = {next(iter(step)) for step in steps}
    uses = [step["copy"]["root"] for step in steps if "root" in step.get("copy", {})]
    kind = PIP if kind == PIP else "git" if "git" in names else "download" if "download" in names else "copy"
    return Translation({**meta, **more, "deps": deps, "uses": uses}, "", kind, (*package.remarks, *remarks, *unmet))


def _kind(package: StockPackage) -> str:
    """The shared script that installs the package."""
    if not for_this_system(package.fields):
        raise Obstacle(f"it is for other systems than {' or '.join(sorted(host_tags()))}")
    if package.preprocess:
        raise runs("Python code of its repository (custom.py)")
    if package.script:
        if package.script not in SHARED:
            raise runs(f"a script of its repository ({package.script})")
        return SHARED[package.script]
    if not package.process:
        raise Obstacle("its recipe has no script that installs anything")
    if pip_script(package.folder / f"{package.process}.sh") is not None:
        return PIP
    raise runs(f"a script of its own ({package.process}.sh)")


def _steps(package: StockPackage, kind: str, env: Mapping[str, str]) -> list[Step]:
    if kind == DOWNLOAD:
        return download_steps(env, package.folder)
    if kind == DETECTION_MODEL:
        labelmap = next((key for key, row in package.deps.items() if "labelmap" in row.tags()), "")
        return detection_model_steps(env, package.folder, _promised(package.files), labelmap)
    if kind == MOBILENET:
        return mobilenet_steps(env, _shared_entry(package))
    assert kind == CAFFE_MODEL
    return caffe_model_steps(env)


def _shared_entry(package: StockPackage) -> str:
    """The entry whose script installs a package, relative to the root of the package's repository."""
    scripts = package.folder.parent.parent / "script"
    try:
        alias = (scripts / ".cm" / f"alias-u-{package.script}").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        alias = package.script
    if alias != Path(alias).name or not (scripts / alias).is_dir():
        raise Obstacle(f"its recipe copies files of the entry script:{package.script}, which its repository does not have")
    return f"script/{alias}"


def _pip(package: StockPackage, env: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
    name, version = env.get("PYTHON_PACKAGE_NAME", "").strip(), env.get("PACKAGE_VERSION", "").strip()
    if not _PYTHON_NAME.fullmatch(name):
        raise Obstacle(f"{name!r} is not the name of a Python package" if name else "its recipe has no Python package")
    remarks = []
    if version and not _PYTHON_VERSION.fullmatch(version):
        remarks.append(f"its version {version!r} is not a version of the package index, and is ignored")
        version = ""
    ignored = [word for word in env.get("PIP_INSTALL_OPTIONS", "").split() if word != "--ignore-installed"]
    if ignored:
        remarks.append(f"its options for pip are ignored ({' '.join(ignored)}): set PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL")
    beside = pip_script(package.folder / f"{package.process}.sh") if not package.script else ()
    if beside:
        remarks.append(f"its script also installs {', '.join(beside)}, which is skipped")
    row = {"name": name} | ({"version": f"=={version}"} if version else {})
    return {"python_package": row}, remarks


def _promised(files: Any) -> str:
    """The file that the package promises on this system; empty if it promises none, or one of several."""
    if isinstance(files, Mapping):
        systems = [name for name in _SYSTEMS if name in host_tags() or name == "linux"]
        files = next((files[name] for name in systems if files.get(name)), "")
    if isinstance(files, list):
        files = files[0] if len(files) == 1 else ""
    if not isinstance(files, str):
        return ""
    text = files.replace("$#sep#$", "/").replace("\\", "/")
    for name, suffix in _SUFFIXES.items():
        text = text.replace(f"$#file_ext_{name}#$", suffix)
    return "" if "$" in text else text.strip("/")
