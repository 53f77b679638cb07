"""Venvs of stock CK, whose entry itself is the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MAXIMUM = 1 << 16  # maximum bytes of a pyvenv.cfg
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+(?:\.\d+){1,2})", re.MULTILINE)


def is_stock_venv(meta: Mapping[str, Any]) -> bool:
    """Whether the meta of a venv was written by stock CK's module `venv`."""
    return "template" not in meta and ("ck_activate" in meta or "ck_activate_all" in meta)


def python_version(folder: Path) -> str:
    """The version of an environment's Python: from pyvenv.cfg, else 3.x from its library folder; empty if unknown."""
    try:
        with open(folder / "pyvenv.cfg", "rb") as file:
            found = _VERSION.search(file.read(_MAXIMUM).decode("utf-8", "replace"))
        if found:
            return found[1]
    except OSError:
        pass
    libraries = sorted(path.parent.name for path in folder.glob("lib/python3.*/site-packages"))
    return libraries[0].removeprefix("python") if len(libraries) == 1 else ""
