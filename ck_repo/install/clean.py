"""Free disk space: remove leftovers, and on request installed packages."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from ck_repo.errors import StorageError
from ck_repo.install.fetch import cache_root
from ck_repo.store.folders import tools_root
from ck_repo.store.installed import PACKAGE, Installed
from ck_repo.store.lock import locked
from ck_repo.store.work import remove_folder, sweep


def clean_leftovers() -> int:
    """Remove unfinished installations, downloaded files and preprocessed images, except those that another process uses.

    Returns
    -------
    int
        Freed bytes.
    """
    before = _size(tools_root())
    for folder in ("sha256", "sha1", "md5"):
        shutil.rmtree(cache_root() / folder, ignore_errors=True)
    for part in (cache_root() / "partial").glob("*.part"):
        with suppress(StorageError), locked(cache_root() / "locks" / f"{part.stem}.lock", "cleaning", wait=False):
            part.unlink(missing_ok=True)
    for clone in (cache_root() / "partial").glob("*.git"):
        with suppress(StorageError), locked(cache_root() / "locks" / f"{clone.stem}.lock", "cleaning", wait=False):
            shutil.rmtree(clone, ignore_errors=True)
    for path in (cache_root() / "preprocessed").glob("*.npy"):
        path.unlink(missing_ok=True)  # a run that reads one keeps it until it ends
    sweep()
    return before - _size(tools_root())


def remove_installed(env: Installed) -> None:
    """Remove the folder of a package; nothing outside CK_TOOLS is removed."""
    path = Path(env.path)
    if env.source == PACKAGE and path.parent == tools_root() and path.is_dir():
        remove_folder(path)


def _size(folder: Path) -> int:
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(base, name)).st_size
    return total
