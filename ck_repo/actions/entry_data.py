"""Entries in the JSON form of CK."""

from __future__ import annotations

from ck_repo import progress
from ck_repo.actions.request import Request
from ck_repo.errors import CKError
from ck_repo.store.entry import Entry, read_json_object
from ck_repo.store.modules import folder_uid


def row_of(entry: Entry) -> dict[str, str]:
    """An entry in the JSON form of CK."""
    return {
        "repo_uoa": entry.repository,
        "repo_uid": entry.repository_uid,
        "module_uoa": entry.module,
        "module_uid": entry.module_uid or folder_uid(entry.module),
        "data_uoa": entry.alias,
        "data_uid": entry.uid,
        "path": str(entry.path),
    }


def rows_of(request: Request, entries: list[Entry]) -> list[dict[str, object]]:
    """Entries as CK lists them in JSON; with `add_meta` and `add_info` their files are included."""
    with_info = request.flag("add_info") or request.flag("print_name")
    return [{**row_of(entry), **_files_of(entry, meta=request.flag("add_meta"), info=with_info)} for entry in entries]


def _files_of(entry: Entry, *, meta: bool, info: bool) -> dict[str, object]:
    """The files of an entry for a list; an unreadable file does not hide the other entries."""
    found: dict[str, object] = {}
    try:
        if info:
            found["info"] = info_file = entry.info()
            found["data_name"] = str(info_file.get("data_name") or "")
        if meta:
            found["meta"] = entry.meta()
    except CKError as error:
        progress.warn(f"{error.what}")
    return found


def place_of(entry: Entry) -> dict[str, str]:
    """CK's answer for a single entry: aliases and the folders around it."""
    return {
        **row_of(entry),
        "repo_alias": entry.repository,
        "module_alias": entry.module,
        "data_alias": "" if entry.alias == entry.uid else entry.alias,
        "path_module": str(entry.path.parent),
        "path_repo": str(entry.path.parent.parent),
    }


def content_of(entry: Entry) -> dict[str, object]:
    """An entry with its content, as `ck load` returns it."""
    info = entry.info()
    content: dict[str, object] = {
        **place_of(entry),
        "dict": entry.meta(),
        "info": info,
        "data_name": str(info.get("data_name") or ""),
    }
    for key in ("info", "desc", "updates"):
        path = entry.path / f".cm/{key}.json"
        if path.exists():
            content |= {f"path_{key}": str(path), key: content.get(key) or read_json_object(path)}
    return content
