"""The environment variables with which scripts find installed and registered components.

Each component has a prefix: that of CK for components that CK has, too (`KINDS`, `MODELS`), else ``CK_ENV_`` and its name.
``PREFIX`` and ``PREFIX_ROOT`` are its folder, ``PREFIX_FILE`` its main file, ``PREFIX_VERSION`` its version.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.store.entry import META
from ck_repo.store.installed import Installed, read_installed

# tags of a component, and its prefix; the first match is used
KINDS = (
    (frozenset({"dataset", "preprocessed"}), "CK_ENV_DATASET_OBJ_DETECTION_PREPROCESSED"),
    (frozenset({"dataset", "coco"}), "CK_ENV_DATASET_COCO"),
    (frozenset({"compiler", "python"}), "CK_ENV_COMPILER_PYTHON"),
    (frozenset({"mlperf", "loadgen"}), "CK_ENV_PYTHON_PACKAGE_MLPERF_LOADGEN"),
)
# format of a model, its prefix, and the variable that CK's scripts read the file's path from
MODELS = {
    "onnx": ("CK_ENV_ONNX_MODEL", "ONNX_FILEPATH"),
    "tensorflow": ("CK_ENV_TENSORFLOW_MODEL", "TF_FROZEN_FILEPATH"),
    "tflite": ("CK_ENV_TENSORFLOW_MODEL", "TFLITE_FILEPATH"),
    "pytorch": ("CK_ENV_MODEL_PYTORCH", "FILEPATH"),
    "safetensors": ("CK_ENV_MODEL_PYTORCH", "SAFETENSORS_FILEPATH"),
    "openvino": ("CK_ENV_OPENVINO_MODEL", "FILEPATH"),
}
_SEARCHED = ("PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "PYTHONPATH")
_EXPORT = re.compile(rf"export ({'|'.join(_SEARCHED)})=(.*)")
_REFERENCE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


@dataclass(frozen=True)
class Variables:
    """Variables of an environment.

    Attributes
    ----------
    values
        By name.
    searched
        Folders that are put first in search paths, by the path's name: ``{"PATH": ("/a/bin",)}``.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    searched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def joined(self, later: Variables) -> Variables:
        """Both combined; if both set a variable, the first one's value is used."""
        names = [*self.searched, *(name for name in later.searched if name not in self.searched)]
        folders = {name: (*self.searched.get(name, ()), *later.searched.get(name, ())) for name in names}
        return Variables({**later.values, **self.values}, {name: tuple(dict.fromkeys(row)) for name, row in folders.items()})

    def as_data(self) -> dict[str, str]:
        """As JSON: search paths as lists of folders."""
        return {**self.values, **{name: os.pathsep.join(row) for name, row in self.searched.items()}}

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment of a child process."""
        paths = {
            name: os.pathsep.join([*row, *([base[name]] if base.get(name) else [])]) for name, row in self.searched.items()
        }
        return {**base, **self.values, **paths}

    def lines(self, shell: str = "sh") -> list[str]:
        """Lines for a shell to evaluate: sh and its family, or fish."""
        if shell == "fish":
            plain = [f"set -gx {name} {shlex.quote(value)}" for name, value in sorted(self.values.items())]
            return plain + [f"set -gx {name} {shlex.join(row)} ${name}" for name, row in sorted(self.searched.items())]
        plain = [f"export {name}={shlex.quote(value)}" for name, value in sorted(self.values.items())]
        return plain + [
            f"export {name}={shlex.quote(os.pathsep.join(row))}${{{name}:+{os.pathsep}${name}}}"
            for name, row in sorted(self.searched.items())
        ]


def variables_of(meta: Mapping[str, Any], folder: Path | None = None) -> Variables:
    """The variables of an env entry.

    Parameters
    ----------
    meta
        The entry's meta.
    folder
        The entry's folder, in which CK's own entries have the script that sets search paths.
    """
    if "source" not in meta and isinstance(meta.get("env"), Mapping):
        return _of_stock(meta, folder)
    return installed_variables(read_installed(meta, folder / META if folder else "the entry"))


def installed_variables(env: Installed) -> Variables:
    """The variables of a component of ours."""
    prefix = prefix_of(env)
    values = {prefix: env.path, f"{prefix}_ROOT": env.path, f"{prefix}_FILE": env.file, f"{prefix}_VERSION": env.version}
    values |= dict(_of_model(env, prefix)) | dict(_of_dataset(env))
    searched = {"PYTHONPATH": (env.python_path,)} if env.python_path else {}
    if prefix == "CK_ENV_COMPILER_PYTHON":
        searched["PATH"] = (env.path,)
    return Variables({name: value for name, value in values.items() if value}, searched)


def place_of(meta: Mapping[str, Any]) -> str:
    """The file or folder of an env entry, from our keys or CK's; empty if there is none."""
    customize = meta.get("customize")
    theirs = customize.get("full_path") if isinstance(customize, Mapping) else ""
    return str(meta.get("file") or meta.get("path") or theirs or meta.get("install_location") or "")


def prefix_of(env: Installed) -> str:
    """The prefix of a component's variables."""
    known = MODELS.get(str(env.model.get("format", ""))) if env.model else None
    if known:
        return known[0]
    for needed, prefix in KINDS:
        if needed <= set(env.tags):
            return prefix
    return f"CK_ENV_{variable_name(env.title)}"


def variable_name(text: str) -> str:
    """Text as a part of a variable's name.

    >>> variable_name("lib-loadgen (r1.0)")
    'LIB_LOADGEN_R1_0'
    """
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")


def _of_model(env: Installed, prefix: str) -> Iterator[tuple[str, str]]:
    if env.model is not None:
        known = MODELS.get(str(env.model.get("format", "")))
        if known:
            yield f"{prefix}_{known[1]}", env.file
        yield "ML_MODEL_MODEL_NAME", env.title


def _of_dataset(env: Installed) -> Iterator[tuple[str, str]]:
    if env.dataset is None:
        return
    parts = {"CK_ENV_DATASET_IMAGE_DIR": env.dataset.images, "CK_ENV_DATASET_ANNOTATIONS": env.dataset.annotations}
    for name, part in parts.items():
        if part:
            yield name, str(Path(env.path, part))
    yield "CK_ENV_DATASET_TYPE", env.dataset.format or "coco"


def _of_stock(meta: Mapping[str, Any], folder: Path | None) -> Variables:
    """For an entry of CK: its own `env`, after those of its dependencies. Its script is read, not run."""
    raw: dict[str, str] = {}
    deps = meta.get("deps")
    for row in deps.values() if isinstance(deps, Mapping) else ():
        below = row.get("dict") if isinstance(row, Mapping) else None
        if isinstance(below, Mapping) and isinstance(below.get("env"), Mapping):
            raw |= {str(name): str(value) for name, value in below["env"].items()}
    raw |= {str(name): str(value) for name, value in meta["env"].items()}
    raw = {name: value for name, value in raw.items() if re.fullmatch(r"[A-Za-z_]\w*", name)}
    values = {name: _filled(value, {**raw, name: os.environ.get(name, "")}) for name, value in raw.items()}
    searched: dict[str, tuple[str, ...]] = {}
    script = folder / str(meta.get("env_script") or "env.sh") if folder else None
    if script and script.is_file():
        for line in script.read_text(encoding="utf-8", errors="replace").splitlines():
            if match := _EXPORT.fullmatch(line.strip()):
                searched[match[1]] = (*searched.get(match[1], ()), *_folders(match[1], match[2], values))
    for name in [name for name in values if name in _SEARCHED]:
        searched[name] = (*_folders(name, str(raw[name]), values), *searched.get(name, ()))
        values.pop(name)
    return Variables(values, {name: row for name, row in searched.items() if row})


def _folders(name: str, text: str, values: Mapping[str, str]) -> Sequence[str]:
    """The folders in the value of a search path, without the path's old value."""
    parts = text.strip("\"'").split(":")
    return [_filled(part, values).strip("\"'") for part in parts if part and part.strip("{}$\"'") != name]


def _filled(text: str, values: Mapping[str, str], depth: int = 4) -> str:
    """Replace $NAME and ${NAME} with the values or the environment."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return str(values.get(name, os.environ.get(name, "")))

    for _ in range(depth):  # a value may contain more names
        if not _REFERENCE.search(text):
            break
        text = _REFERENCE.sub(value, text)
    return text
