"""Stock CK's cache of registered repositories, the only ones that it finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ck_repo.errors import CKError
from ck_repo.store.atomic import write_text
from ck_repo.store.entry import Entry, read_json_object
from ck_repo.store.work import committing

_UIDS = ".ck.cache_repo_uoa.json"  # UIDs by alias
_ROWS = ".ck.cache_repo_info.json"  # descriptions by UID, in stock CK's search order


def announce(registration: Entry, name: str, described: Mapping[str, Any]) -> None:
    """Add a registered repository, as stock CK's `ck recache repo` does.

    Parameters
    ----------
    registration
        The entry of module `repo` in `local`.
    name
        A readable name.
    described
        The dictionary of the repository's description, with its `path`.
    """
    alias, uid = registration.alias, registration.uid
    row = {
        "data_alias": alias, "data_name": name, "data_uid": uid, "data_uoa": alias, "dict": dict(described),
        "path_to_repo_desc": str(registration.path),
    }  # fmt: skip

    def change(uids: dict[str, object], rows: dict[str, object]) -> None:
        rows.pop(str(uids.get(alias, "")), None)
        uids[alias], rows[uid] = uid, row

    _change(registration.path.parents[1], change)


def withdraw(local: Path, alias: str, uid: str) -> None:
    """Remove a repository from the cache; `local` is the folder of the repository `local`."""

    def change(uids: dict[str, object], rows: dict[str, object]) -> None:
        uids.pop(alias, None)
        rows.pop(uid, None)

    if (local / _UIDS).exists() or (local / _ROWS).exists():
        _change(local, change)


def _change(local: Path, change: Callable[[dict[str, object], dict[str, object]], None]) -> None:
    with committing():
        uids, rows = _read(local / _UIDS), _read(local / _ROWS)
        change(uids, rows)
        for path, content in ((local / _ROWS, rows), (local / _UIDS, uids)):
            write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")  # keep the order


def _read(path: Path) -> dict[str, object]:
    """A file of the cache; if it cannot be read, stock CK rebuilds it from the registrations."""
    try:
        return read_json_object(path)
    except CKError:
        return {}
