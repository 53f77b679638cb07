"""Stock's env entries (what a stock CK installed or detected) as env metas of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ck_repo.errors import CKError
from ck_repo.store.digest import of_value
from ck_repo.store.entry import META, Entry, tags_of
from ck_repo.store.fields import Fields

STOCK = "stock CK"  # the source of such an entry
_KEYS = frozenset({"customize", "env_script", "setup"})


def is_stock_env(meta: Mapping[str, Any]) -> bool:
    """Whether an env entry's meta is of stock CK.

    >>> is_stock_env({"customize": {}, "setup": {}}), is_stock_env({"source": "detected", "key": "1"})
    (True, False)
    """
    return "source" not in meta and not _KEYS.isdisjoint(meta)


def read_env(entry: Entry) -> dict[str, Any]:
    """The meta of an env entry in our terms, whoever wrote it.

    Raises
    ------
    ConfigError
        If a key has a value of the wrong type.
    """
    meta = entry.meta()
    if not is_stock_env(meta):
        check_env(meta, entry.path / META)
        return meta | {"tags": tags_of(meta, entry.path / META)} if "tags" in meta else meta
    fields = Fields(meta, entry.path / META)
    customize = fields.fields("customize")
    full, folder = customize.text("full_path"), fields.text("install_location") or customize.text("path_install")
    file = full if full and not os.path.isdir(full) else ""
    place = str(Path(full).parent) if file else full
    path = folder if folder and Path(folder).is_absolute() and (not file or Path(file).is_relative_to(folder)) else place
    return {
        "name": _name(entry) or customize.text("package_name") or entry.alias,
        "tags": list(fields.tags()),
        "version": customize.text("version"),
        "source": STOCK,
        "key": of_value(["stock CK", entry.uid, full, path]),
        "digest": of_value(["stock CK", entry.uid, full, path]),
        "soft": fields.text("soft_uoa"),
        "path": path,
        "file": file,
        "environment": {name: str(value) for name, value in fields.table("env").items()},
    }


def check_env(meta: Mapping[str, Any], source: object) -> None:
    """Refuse the meta of an env entry in which a value is of the wrong type.

    Raises
    ------
    ConfigError
        With the file and the key.
    """
    fields = Fields(meta, source)
    fields.tags()
    for key in ("name", "label", "source", "key", "path", "file", "version", "digest", "only_for", "soft", "registered"):
        fields.text(key)
    fields.texts("variations")
    for key in ("size", "changed_ns", "number"):
        fields.whole(key)
    component = fields.fields("component")
    for key in ("repository", "module", "alias", "uid", "digest"):
        component.text(key)
    for key in ("model", "inputs", "tools"):
        fields.table(key)
    dataset = fields.fields("dataset")
    for key in ("images", "annotations", "stamp", "digest"):
        dataset.text(key)
    for row in fields.rows("downloads"):
        row.texts("urls")


def stock_problem(meta: Mapping[str, Any]) -> str:
    """Why an entry of stock's meets no need here; empty if it may.

    What stock installed for a Python is for that Python alone, so its Python packages are not those of a venv.
    """
    place = str(meta.get("file") or meta.get("path") or "")
    if "python-package" in meta.get("tags", ()):
        return "it is a Python package outside the venv"
    return "" if place and os.path.exists(place) else f"{place or 'its folder'} is gone"


def _name(entry: Entry) -> str:
    try:
        return str(entry.info().get("data_name", ""))
    except CKError:
        return ""
