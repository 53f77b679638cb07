"""Python packages for reports and exports: extras of this package, or environments created on first use."""

from __future__ import annotations

import hashlib
import os
import site
import sys
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from ck_repo import progress
from ck_repo.child import capture
from ck_repo.child_environment import child_environment
from ck_repo.errors import InstallError
from ck_repo.install.python_packages import install_python_packages, missing
from ck_repo.machine.python_packages import site_packages
from ck_repo.network import refuse_offline
from ck_repo.store.atomic import make_folder, storage_errors
from ck_repo.store.folders import tools_root
from ck_repo.store.lock import locked

_TIMEOUT = 300  # s


@dataclass(frozen=True)
class Packages:
    """Python packages for one purpose.

    Attributes
    ----------
    extra
        Their name in pyproject.toml, where a test compares them.
    purpose
        Their purpose, for messages.
    requirements, modules
        What is installed, and what is imported.
    """

    extra: str
    purpose: str
    requirements: tuple[str, ...]
    modules: tuple[str, ...]

    @property
    def hint(self) -> str:
        """How to install them."""
        return f"`pip install 'ck-repo[{self.extra}]'` installs them with ck"


REPORT = Packages(
    "report",
    "reports",
    ("jinja2>=3.1", "numpy>=1.24", "pillow>=10", "pycocotools>=2.0.7", "vl-convert-python>=1.7,<2"),
    ("jinja2", "numpy", "PIL", "pycocotools", "vl_convert"),
)
PARQUET = Packages("parquet", "Parquet files", ("pyarrow>=14",), ("pyarrow",))
MLFLOW = Packages("mlflow", "MLflow's client", ("mlflow-skinny>=2.9",), ("mlflow",))


def ensure_packages(packages: Packages = REPORT) -> None:
    """Make packages importable: those installed with ck, else from an environment in CK_TOOLS, which is created once.

    Raises
    ------
    OfflineError
        If they are missing, and the network may not be used.
    InstallError
        If they cannot be installed.
    """
    if _importable(packages):
        return
    folder = environment_folder(packages)
    python = folder / "bin" / "python"
    if missing(python, packages.requirements):
        _make(packages, folder, python)
    found = site_packages(python)
    if found is not None:
        site.addsitedir(str(found))
    invalidate_caches()
    if not _importable(packages):
        raise InstallError(f"{', '.join(packages.modules)} cannot be imported from {folder}", hint=packages.hint)


def environment_folder(packages: Packages = REPORT) -> Path:
    """The environment of the engine's Python for packages."""
    identity = "\n".join([sys.version.split()[0], sys.base_prefix, *packages.requirements])
    return tools_root() / f"{packages.extra}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _importable(packages: Packages) -> bool:
    return all(find_spec(name) is not None for name in packages.modules)


def _make(packages: Packages, folder: Path, python: Path) -> None:
    doing = f"installing packages for {packages.purpose}"
    make_folder(tools_root(), "CK_TOOLS")
    with locked(tools_root() / ".locks" / f"{folder.name}.lock", doing):
        if not missing(python, packages.requirements):
            return  # another process created it first
        refuse_offline(f"packages for {packages.purpose}", packages.hint)
        progress.say(f"{doing}, once: {', '.join(packages.modules)} in {folder}")
        with storage_errors(doing):
            if not python.exists():
                _virtualenv(packages, folder)
            install_python_packages(python, packages.requirements, folder / "ck-install.log", build=False)


def _virtualenv(packages: Packages, folder: Path) -> None:
    command = [
        sys.executable, "-m", "virtualenv", "--quiet", "--python", sys.executable, "--no-periodic-update", "--no-download",
        str(folder),
    ]  # fmt: skip
    environment = child_environment({"VIRTUALENV_CONFIG_FILE": os.devnull})
    try:
        done = capture(command, environment, timeout=_TIMEOUT)
    except TimeoutError:
        raise InstallError(f"virtualenv did not end within {_TIMEOUT} s", hint=packages.hint) from None
    if done.status:
        raise InstallError(
            f"virtualenv failed (exit status {done.status})",
            tail=(done.errors or done.output).decode(errors="replace")[-2000:],
            hint=packages.hint,
        )
