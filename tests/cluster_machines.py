"""Cluster machines simulated by folders, each with its own CK_REPOS, CK_TOOLS and name, and their YAML files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import yaml
from bare_venv import bare_venv

_ROOT = Path(__file__).resolve().parents[1]
PATHS = os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])  # PYTHONPATH of workers


def copied_machine(folder: Path, name: str) -> dict[str, str]:
    """The environment of a machine with a copy of the repositories and its own venv."""
    if not folder.exists():
        shutil.copytree(os.environ["CK_REPOS"], folder / "CK", symlinks=True)
        venv = folder / "CK/local/venv/mlperf-inference/venv"
        shutil.rmtree(venv)
        bare_venv(venv)
        (folder / "T").mkdir()
    return {
        "CK_MACHINE": name,
        "CK_REPOS": str(folder / "CK"),
        "CK_TOOLS": str(folder / "T"),
        "CK_MEASUREMENT_LOCK": str(folder / "lock"),
    }


def yaml_file(path: Path, content: Any) -> Path:
    """Write a YAML file, and return its path."""
    path.write_text(yaml.safe_dump(content))
    return path
