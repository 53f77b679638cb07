"""Stock CK's functions for printing and prompts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from ck_repo.kernel.answer import Answer


def out(s: object) -> None:
    """Print a text and flush it."""
    print(s, flush=True)


def err(r: Mapping[str, Any]) -> NoReturn:
    """Print the error of an answer and exit with its code."""
    out(f"Error: {r['error']}")
    sys.exit(int(r["return"]))


def jerr(r: Mapping[str, Any]) -> NoReturn:
    """Print the error of an answer and stop a notebook's cell, without a traceback of SystemExit."""
    out(f"Error: {r['error']}")
    raise KeyboardInterrupt


def inp(i: Mapping[str, Any]) -> Answer:
    """Print ``text`` and read a line: ``{'return': 0, 'string': …}``; an error if no input is available."""
    try:
        return {"return": 0, "string": input(str(i.get("text", "")))}
    except (EOFError, OSError, RuntimeError) as error:
        return {"return": 1, "error": f"no answer to {i.get('text', '')!r}: {error or 'the input has ended'}"}
