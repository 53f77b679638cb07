"""The files of a venv: an interpreter, and no packages."""

from __future__ import annotations

import sys
from pathlib import Path

MINOR = f"python{sys.version_info.major}.{sys.version_info.minor}"


def bare_venv(folder: Path) -> Path:
    """Make the environment `folder`, with a link to this interpreter; return its interpreter."""
    base = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / MINOR / "site-packages").mkdir(parents=True)
    (folder / "bin" / "activate").write_text(f"VIRTUAL_ENV='{folder}'\nexport VIRTUAL_ENV\n")
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    (folder / "bin" / "python").symlink_to(base)
    return folder / "bin" / "python"
