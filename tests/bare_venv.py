"""The files of a venv: an interpreter, and no packages."""

from __future__ import annotations

import shutil
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


def put_package(folder: Path, name: str, version: str) -> None:
    """Have a package without files in the environment `folder`, instead of any other version of it."""
    site = folder / "lib" / MINOR / "site-packages"
    for old in site.glob(f"{name}-*.dist-info"):
        shutil.rmtree(old)
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("")
