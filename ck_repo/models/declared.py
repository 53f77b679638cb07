"""Declarations of backends and networks, found through entry points and read as data: no module is imported or run.

A distribution names a module in ``entry_points.txt``; the module assigns a literal dictionary to a constant::

    [ck_repo.backends]
    toy = toy_backend

    # toy_backend.py
    BACKEND = {"runs": "onnx"}

The benchmark's own backends and networks are found in the same way: its program folder has a ``.dist-info`` folder.
"""

from __future__ import annotations

import ast
import configparser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ck_repo.errors import ConfigError
from ck_repo.store.fields import Fields
from ck_repo.store.folders import default_repository_root
from ck_repo.store.plain_file import UnreadableError, read_plain

_LARGEST = 1 << 20  # maximum bytes of a module or of entry_points.txt


def own_folder() -> Path:
    """The folder of the benchmark's own declarations."""
    return default_repository_root() / "program" / "object-detection"


def entry_points(folder: Path, group: str) -> dict[str, str]:
    """Names and modules of the entry points of a group, from the distributions in a folder."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.dist-info/entry_points.txt")):
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their capitals
        with suppress(configparser.Error, UnreadableError, UnicodeDecodeError):
            parser.read_string(_content(path).decode())
            for name, target in parser.items(group) if parser.has_section(group) else ():
                found.setdefault(name, target.partition(":")[0].strip())
    return found


def declarations(group: str, constant: str, folders: Sequence[Path | None]) -> dict[str, Fields]:
    """The declarations in modules, by the names of their entry points.

    Parameters
    ----------
    group
        The group of entry points.
    constant
        The constant of a module that has its declaration. A module without one, or whose source is not in the folder, only
        declares its name.
    folders
        Folders of distributions; None is skipped. Of two with the same name, the first is used.

    Raises
    ------
    ConfigError
        If a module is not Python, or its constant is not a literal dictionary.
    """
    found: dict[str, Fields] = {}
    for folder in filter(None, folders):
        for name, module in entry_points(folder, group).items():
            if name not in found:
                found[name] = _declaration(folder, module, constant)
    return found


def _declaration(folder: Path, module: str, constant: str) -> Fields:
    base = module.replace(".", "/")
    for relative in (f"{base}.py", f"{base}/__init__.py"):
        with suppress(UnreadableError):
            return Fields(_literal(folder / relative, _content(folder / relative), constant), folder / relative)
    return Fields({}, folder / base)


def _content(path: Path) -> bytes:
    """Read a regular file; links are followed, because installers link packages from their caches."""
    real = path.resolve()
    return read_plain(real.parent, real.name, maximum=_LARGEST)


def _literal(path: Path, source: bytes, constant: str) -> object:
    """The value of the constant in a module; an empty dictionary if it is not assigned."""
    try:
        for node in ast.parse(source).body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            named = any(isinstance(target, ast.Name) and target.id == constant for target in targets)
            if named and isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                return ast.literal_eval(node.value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f"{path}: {constant} cannot be read: {error}",
            hint=f"{constant} has to be a dictionary of literals, as docs/components.md shows",
        ) from None
    return {}
