"""Copy ck_repo/contract into the harness, which cannot import the engine: ``python docs/make_contract.py [--check]``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "ck_repo" / "contract"
COPY = ROOT / "program" / "object-detection" / "object_detection" / "contract"


def contents(folder: Path) -> dict[str, bytes]:
    """The modules of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.py"))}


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        shutil.rmtree(COPY, ignore_errors=True)
        shutil.copytree(SOURCE, COPY, ignore=shutil.ignore_patterns("__pycache__"))
    elif contents(SOURCE) != contents(COPY):
        sys.exit("program/object-detection/object_detection/contract is not a copy of ck_repo/contract: run `nox -s pages`")
