"""Soft entries of stock CK: what they detect, according to their metas; their programs are never run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

_SEPARATOR = "$#sep#$"  # placeholder for the system's path separator


def python_module(meta: Mapping[str, Any]) -> str:
    """The Python module that a soft entry detects; empty if it detects something else.

    >>> python_module({"customize": {"soft_file": {"linux": "tensorflow/__init__.py"}}})
    'tensorflow'
    """
    for file in _files(meta.get("customize")):
        path = PurePosixPath(file.replace(_SEPARATOR, "/").replace("\\", "/"))
        if path.name == "__init__.py" and path.parent.name:
            return path.parent.name
    return ""


def _files(customize: Any) -> Iterator[str]:
    """The files in a soft entry's meta, for every system or by system."""
    if isinstance(customize, Mapping):
        by_system = customize.get("soft_file")
        named = [customize.get("soft_file_universal"), *(by_system.values() if isinstance(by_system, Mapping) else [by_system])]
        yield from (file for file in named if isinstance(file, str))
