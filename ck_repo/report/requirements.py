"""The Python packages that reports need: the extra `report` of this package, or an environment made on first use."""

from __future__ import annotations

import hashlib
import os
import site
import subprocess
import sys
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from ck_repo import progress
from ck_repo.child_environment import child_environment
from ck_repo.errors import InstallError
from ck_repo.install.python_packages import install_python_packages, missing
from ck_repo.machine.python_packages import site_packages
from ck_repo.network import refuse_offline
from ck_repo.store.atomic import make_folder, storage_errors
from ck_repo.store.folders import tools_root
from ck_repo.store.lock import locked

# the extra `report` in pyproject.toml; a test compares the two
REQUIREMENTS = ("jinja2>=3.1", "numpy>=1.24", "pillow>=10", "pycocotools>=2.0.7", "vl-convert-python>=1.7,<2")
_MODULES = ("jinja2", "numpy", "PIL", "pycocotools", "vl_convert")
_TIMEOUT = 300  # s
_HINT = "`pip install 'ck-repo[report]'` installs them beside ck"


def ensure_packages() -> None:
    """Make the packages importable: as installed beside this one, else from an environment below CK_TOOLS, made once.

    Raises
    ------
    OfflineError
        If they are missing, and the network may not be used.
    InstallError
        If they cannot be installed.
    """
    if _importable():
        return
    folder = environment_folder()
    python = folder / "bin" / "python"
    if missing(python, REQUIREMENTS):
        _make(folder, python)
    packages = site_packages(python)
    if packages is not None:
        site.addsitedir(str(packages))
    if not _importable():
        raise InstallError(f"the packages that reports need cannot be imported from {folder}", hint=_HINT)


def environment_folder() -> Path:
    """The environment of the engine's Python that holds the packages."""
    said = "\n".join([sys.version.split()[0], sys.base_prefix, *REQUIREMENTS])
    return tools_root() / f"report-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def _importable() -> bool:
    return all(find_spec(name) is not None for name in _MODULES)


def _make(folder: Path, python: Path) -> None:
    make_folder(tools_root(), "CK_TOOLS")
    with locked(tools_root() / ".locks" / f"{folder.name}.lock", "installing what reports need"):
        if not missing(python, REQUIREMENTS):
            return  # another process was faster
        refuse_offline("the packages that reports need", _HINT)
        progress.say(f"installing what reports need, once: {', '.join(_MODULES)} in {folder}")
        with storage_errors("installing what reports need"):
            if not python.exists():
                _virtualenv(folder)
            install_python_packages(python, REQUIREMENTS, folder / "ck-install.log", build=False)
        invalidate_caches()


def _virtualenv(folder: Path) -> None:
    command = [
        sys.executable, "-m", "virtualenv", "--quiet", "--python", sys.executable, "--no-periodic-update", "--no-download",
        str(folder),
    ]  # fmt: skip
    environment = child_environment({"VIRTUALENV_CONFIG_FILE": os.devnull})
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise InstallError(
            f"virtualenv failed (exit status {done.returncode})", tail=(done.stderr or done.stdout)[-2000:], hint=_HINT
        )
