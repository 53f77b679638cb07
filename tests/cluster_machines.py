"""Machines of a cluster that are folders of this one: each with its own CK_REPOS, CK_TOOLS and name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_VENV = """
import os, platform
from pathlib import Path
from bare_venv import bare_venv
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry
local = Repositories().writable()
meta = {"template": "toy", "python_version": platform.python_version()}
bare_venv(create_entry(local, "venv", "mlperf-inference", meta).path / "venv")
Path(os.environ["CK_TOOLS"]).mkdir(parents=True, exist_ok=True)
"""


def copied_machine(folder: Path, name: str) -> dict[str, str]:
    """The environment of a machine with a copy of the repositories, and with a venv of its own."""
    if not folder.exists():
        shutil.copytree(os.environ["CK_REPOS"], folder / "CK", symlinks=True)
        shutil.rmtree(folder / "CK/local/venv", ignore_errors=True)
    environment = {
        "CK_MACHINE": name,
        "CK_REPOS": str(folder / "CK"),
        "CK_TOOLS": str(folder / "T"),
        "CK_MEASUREMENT_LOCK": str(folder / "lock"),
    }
    if not (folder / "T").exists():
        root = Path(__file__).parents[1]
        paths = os.pathsep.join([str(root), str(root / "tests")])
        subprocess.run([sys.executable, "-c", _VENV], env={**os.environ, "PYTHONPATH": paths, **environment}, check=True)
    return environment
