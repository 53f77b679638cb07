"""Convert stock CK's env entries (installed or detected by it) to our env metas."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ck_repo.errors import CKError
from ck_repo.store.digest import of_value
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.installed import Installed, read_installed

STOCK = "stock CK"  # the source of such an entry
_KEYS = frozenset({"customize", "env_script", "setup"})


def is_stock_env(meta: Mapping[str, Any]) -> bool:
    """Whether an env entry's meta was written by stock CK.

    >>> is_stock_env({"customize": {}, "setup": {}}), is_stock_env({"source": "registered", "key": "1"})
    (True, False)
    """
    return "source" not in meta and not _KEYS.isdisjoint(meta)


def read_env(entry: Entry) -> Installed:
    """Read an env entry of ours or of stock CK.

    Raises
    ------
    ConfigError
        If a key has a value of the wrong type.
    """
    meta = entry.meta()
    if not is_stock_env(meta):
        return read_installed(meta, entry.path / META, entry.uid, entry.alias)
    fields = Fields(meta, entry.path / META)
    customize = fields.fields("customize")
    full, folder = customize.text("full_path"), fields.text("install_location") or customize.text("path_install")
    file = full if full and not os.path.isdir(full) else ""
    place = str(Path(full).parent) if file else full
    path = folder if folder and Path(folder).is_absolute() and (not file or Path(file).is_relative_to(folder)) else place
    digest = of_value(["stock CK", entry.uid, full, path])
    return Installed(
        name=_name(entry) or customize.text("package_name") or entry.alias,
        tags=fields.tags(),
        version=customize.text("version"),
        source=STOCK,
        key=digest,
        digest=digest,
        soft=fields.text("soft_uoa"),
        path=path,
        file=file,
        environment={name: str(value) for name, value in fields.table("env").items()},
        uid=entry.uid,
        alias=entry.alias,
    )


def stock_problem(env: Installed) -> str:
    """Why an entry of stock CK meets no need here; empty if it may.

    What stock CK installed for a Python only works with that Python, so its Python packages are not those of a venv.
    """
    place = env.file or env.path
    if "python-package" in env.tags:
        return "it is a Python package outside the venv"
    return "" if place and os.path.exists(place) else f"{place or 'its folder'} is missing"


def _name(entry: Entry) -> str:
    try:
        return str(entry.info().get("data_name", ""))
    except CKError:
        return ""
