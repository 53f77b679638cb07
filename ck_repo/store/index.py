"""A search index for each folder of entries, compared with the disk on every use.

An SQLite file under CK_REPOS/.index has the tags and some keys of every entry, and the change time of its meta.json. A search
first compares the change times (one `stat` for each entry, without opening files) and reads only the entries that differ.
Entries that were edited, pulled, added or removed outside ck are therefore found at once. The change time (ctime) is used
because programs cannot set it, so an older file that is copied over a newer one is detected, too.
"""

from __future__ import annotations

import os
import sqlite3
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ck_repo.errors import CKError
from ck_repo.store.entry import BASE, INFO, META, alias_file, read_json_object, read_uid, tags_of, variation_tags
from ck_repo.store.folders import repos_root
from ck_repo.store.plain_file import shown
from ck_repo.store.query import TagQuery

_ABSENT = -1  # the folder has no meta.json
_UNSURE = 0  # changed so recently that a second change could have the same time: read it again
_MASK = (1 << 62) - 1
_TICK_NS = 50_000_000  # ns; longer than the coarsest time step of common file systems
_SCHEMA = """
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);
CREATE TABLE entry (folder TEXT PRIMARY KEY, uid TEXT, tags TEXT, problem TEXT, without_uid TEXT) WITHOUT ROWID;
CREATE TABLE tag (tag TEXT, folder TEXT, PRIMARY KEY (tag, folder)) WITHOUT ROWID;
CREATE INDEX by_uid ON entry (uid);
CREATE INDEX by_folder ON tag (folder);
"""
_VERSION = 5
_UNREADABLE: list[str] = []  # marks an entry whose meta.json cannot be read
_KEY = "\n"  # prefix of keys of meta.json among the tags; tags never begin with it
_KEYS = ("conversion", BASE)
FOUND_BY = "found_by"  # key of meta.json: words that find the entry and are not tags, which users see
_POSSIBLE = "~"  # prefix of a tag that only a variation has: it can be searched for, and never excludes an entry


class ModuleIndex:
    """The index of one module's folder in one repository; it is updated when it is opened."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._database = self._opened(_file_for(folder))

    def _opened(self, path: Path) -> sqlite3.Connection:
        """Open and update the file. A broken file is created again; where no file can be written, use memory."""
        for attempt in ("as it is", "rebuilt"):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if attempt == "rebuilt":
                    path.unlink(missing_ok=True)
                database = _connect(str(path))
            except (sqlite3.DatabaseError, OSError):
                continue
            try:
                self._refresh(database)
                return database
            except (sqlite3.DatabaseError, OSError, ValueError):
                database.close()
        database = _connect(":memory:")
        self._refresh(database)
        return database

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def with_tags(self, query: TagQuery, *, variations: bool = False) -> list[str]:
        """Names of the folders whose entries match, sorted; with `variations` also those where only a variation matches."""
        if query.required:
            tags = sorted(query.required)
            each = "SELECT folder FROM tag WHERE tag IN (?, ?)"
            wanted = [name for tag in tags for name in (tag, _POSSIBLE + tag if variations else tag)]
            rows = set(self._column(" INTERSECT ".join([each] * len(tags)), *wanted))
        else:
            rows = set(self._column("SELECT folder FROM entry WHERE problem IS NULL"))
        for tag in query.excluded:
            rows.difference_update(self._column("SELECT folder FROM tag WHERE tag = ?", tag))
        return sorted(rows)

    def containing(self, text: str) -> list[str]:
        """Names of the folders whose name or tags contain `text`."""
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        select = "SELECT folder FROM entry WHERE folder LIKE ? ESCAPE '\\' OR tags LIKE ? ESCAPE '\\' ORDER BY folder"
        return self._column(select, f"%{pattern}%", f"%{pattern}%")

    def with_uid(self, uid: str) -> list[str]:
        """Names of the folders whose entry has that UID; several indicate a damaged repository.

        UIDs are in files that the index does not monitor: results are checked, and without a result every entry is read.
        """
        known = self._column("SELECT folder FROM entry WHERE uid = ? ORDER BY folder", uid)
        found = [name for name in known if _read(Path(self._folder, name))[0] == uid]
        everything = self._column("SELECT folder FROM entry ORDER BY folder") if not found else []
        return found or [name for name in everything if _read(Path(self._folder, name))[0] == uid]

    def tags(self) -> list[str]:
        """Every tag in use, including those of variations."""
        return sorted(_plain(self._column("SELECT DISTINCT tag FROM tag")))

    def with_word(self, word: str) -> set[str]:
        """Names of the folders whose entry matches a word: its name, its UID, its tags or the tags of its variations."""
        select = (
            "SELECT folder FROM tag WHERE tag IN (?, ?) UNION SELECT folder FROM entry WHERE folder = ? "
            "UNION SELECT folder FROM entry WHERE uid = ?"
        )
        return set(self._column(select, word, _POSSIBLE + word, word, word))

    def with_key(self, key: str) -> list[str]:
        """Names of the folders whose meta.json has that key, one of `_KEYS`."""
        return self._column("SELECT folder FROM tag WHERE tag = ? ORDER BY folder", _KEY + key)

    def found_by(self, word: str) -> list[str]:
        """Names of the folders whose meta.json lists that word under ``found_by``."""
        return self.with_key(f"{FOUND_BY}={word}")

    def tags_of(self, folder: str) -> set[str]:
        """The tags of one entry, including those of its variations."""
        return _plain(self._column("SELECT tag FROM tag WHERE folder = ?", folder))

    def has_folder(self, name: str) -> bool:
        """Whether there is an entry in that folder, readable or not."""
        return bool(self._column("SELECT folder FROM entry WHERE folder = ?", name))

    def folders(self) -> list[str]:
        """Names of the folders of all entries, including unreadable ones."""
        return self._column("SELECT folder FROM entry ORDER BY folder")

    def problems(self) -> list[str]:
        """Problems of unreadable entries, and of UIDs that two entries share."""
        return [*self._column("SELECT problem FROM entry WHERE problem IS NOT NULL ORDER BY folder"), *self.doubles()]

    def doubles(self) -> list[str]:
        """UIDs that two entries share."""
        found = []
        doubles = self._column("SELECT uid FROM entry WHERE uid != '' GROUP BY uid HAVING count(*) > 1 ORDER BY uid")
        for uid in doubles:
            names = self.with_uid(uid)
            if len(names) > 1:
                found.append(f"{self._folder}: {' and '.join(names)} have the same UID {uid}")
        with suppress(OSError):
            odd = [name for name in os.listdir(self._folder) if not name.isprintable() and not name.startswith(".")]
            found += [f"{self._folder}: {shown(name)} is not a valid name for an entry" for name in sorted(odd)]
        return found

    def _column(self, select: str, *values: str) -> list[str]:
        """The first column of a query; a corrupt index is created again."""
        try:
            return [row[0] for row in self._database.execute(select, values)]
        except sqlite3.DatabaseError:
            self._database.close()
            _file_for(Path(self._folder)).unlink(missing_ok=True)
            self._database = self._opened(_file_for(Path(self._folder)))
            return [row[0] for row in self._database.execute(select, values)]

    def _refresh(self, database: sqlite3.Connection) -> None:
        if self._difference(database) is None:
            return
        database.execute("BEGIN IMMEDIATE")  # one writer at a time, which compares again, as another may have been first
        difference = self._difference(database)
        if difference is not None:
            self._apply(database, difference)
        database.execute("COMMIT")

    def _difference(self, database: sqlite3.Connection) -> _Difference | None:
        """The entries to read again; None when the index is up to date."""
        state = dict(database.execute("SELECT key, value FROM state"))
        listed = _list_time(self._folder)
        names = _split(state["names"]) if state else []
        old = array("q", state.get("times", b""))
        lost = database.execute("SELECT folder, without_uid FROM entry WHERE without_uid IS NOT NULL")
        again = {name for name, files in lost if not files or _uid_files(Path(self._folder, name)) != files}
        if state and listed != _UNSURE and str(listed) == state["listed"]:
            times = change_times(self._folder, names)
            if times == old and _UNSURE not in times and not again:
                return None
            changed = [n for n, a, b in zip(names, old, times, strict=True) if a != b or b == _UNSURE or n in again]
            return _Difference([], changed, names, times, listed)
        known = dict(zip(names, old, strict=True))
        names = _entry_folders(self._folder)
        times = change_times(self._folder, names)
        changed = [n for n, at in zip(names, times, strict=True) if at == _UNSURE or known.get(n) != at or n in again]
        return _Difference(sorted(set(known) - set(names)), changed, names, times, listed)

    def _apply(self, database: sqlite3.Connection, new: _Difference) -> None:
        times = dict(zip(new.names, new.times, strict=True))
        for name in [*new.gone, *new.changed]:
            database.execute("DELETE FROM tag WHERE folder = ?", (name,))
            database.execute("DELETE FROM entry WHERE folder = ?", (name,))
        for name in new.changed:
            if times[name] != _ABSENT:
                began = time.time_ns()
                uid, tags, keys, problem = _read(Path(self._folder, name))
                # not meta.json but another file is the problem: read the entry again when a file that may have its UID changes
                without_uid = _uid_files(Path(self._folder, name), began) if problem and tags is not _UNREADABLE else None
                row = (name, uid, ",".join(tags), problem, without_uid)
                database.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", row)
                database.executemany("INSERT OR IGNORE INTO tag VALUES (?, ?)", [(tag, name) for tag in (*tags, *keys)])
        state = {
            "names": "\0".join(new.names).encode(),
            "times": array("q", [times[name] for name in new.names]).tobytes(),
            "listed": str(new.listed),
        }
        database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", state.items())


class _Difference(NamedTuple):
    """The differences between the index and the disk."""

    gone: list[str]
    changed: list[str]
    names: list[str]
    times: array[int]
    listed: int


def change_times(folder: str, names: Sequence[str]) -> array[int]:
    """The state of every entry's meta.json, which changes with the file.

    Parameters
    ----------
    names
        Folders of the entries in `folder`.

    Returns
    -------
    array of int64
        Change time in ns, combined with the inode; -1 if there is no file, and 0 if the change is too recent to be reliable.
    """
    stat, times = os.stat, array("q")
    sure = time.time_ns() - _TICK_NS
    base = None
    with suppress(OSError):  # resolve names relative to the folder where possible: a tenth faster than from the root
        base = os.open(folder, os.O_RDONLY) if os.stat in os.supports_dir_fd else None
    prefix = "" if base is not None else f"{folder}/"
    try:
        for name in names:
            try:
                found = stat(f"{prefix}{name}/{META}", dir_fd=base)
            except OSError:
                times.append(_ABSENT)
            else:
                # with the inode: a folder that is renamed over another has a meta.json with its own time
                times.append((found.st_ctime_ns ^ found.st_ino << 24) & _MASK if found.st_ctime_ns < sure else _UNSURE)
    finally:
        if base is not None:
            os.close(base)
    return times


def _list_time(folder: str) -> int:
    """When an entry was last added to the folder or removed from it, in ns."""
    try:
        at = os.stat(folder).st_ctime_ns
    except OSError:
        return _ABSENT
    return at if at < time.time_ns() - _TICK_NS else _UNSURE


def _entry_folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as rows:
            found = [row for row in rows if not row.name.startswith(".") and row.name.isprintable()]
            return sorted(row.name for row in found if os.path.isdir(row.path))
    except OSError:
        return []


def _read(folder: Path) -> tuple[str, list[str], list[str], str | None]:
    """UID, tags, keys and problem of an entry; the tags are `_UNREADABLE` if meta.json cannot be read."""
    try:
        meta = read_json_object(folder / META)
        own = tags_of(meta, folder / META)
    except (CKError, OSError) as error:
        return "", _UNREADABLE, [], str(error).splitlines()[0]
    try:
        tags = [*own, *(_POSSIBLE + tag for tag in variation_tags(meta) if tag not in own)]
        return read_uid(folder), tags, [_KEY + key for key in _keys(meta)], None
    except (CKError, OSError) as error:
        return "", [], [], str(error).splitlines()[0]


def _keys(meta: Mapping[str, Any]) -> list[str]:
    """The keys and words of meta.json that are in the index."""
    words = meta.get(FOUND_BY)
    return [
        *(key for key in _KEYS if meta.get(key)),
        *(f"{FOUND_BY}={word}" for word in (words if isinstance(words, list) else ()) if isinstance(word, str)),
    ]


def _uid_files(folder: Path, read: int = 0) -> str:
    """When the files that may have an entry's UID changed; empty if that is too recent to be reliable.

    Parameters
    ----------
    read
        When they were read, in ns; the current time if they were not.
    """
    sure, times = (read or time.time_ns()) - _TICK_NS, []
    for path in (alias_file(folder.parent, folder.name), folder / INFO):
        try:
            found = os.stat(path)
        except OSError:
            times.append("absent")
            continue
        if found.st_ctime_ns >= sure:
            return ""
        times.append(f"{found.st_ctime_ns}.{found.st_ino}")
    return " ".join(times)


def _plain(tags: Iterable[str]) -> set[str]:
    """Tags of the index without prefixes and keys."""
    return {tag.removeprefix(_POSSIBLE) for tag in tags if not tag.startswith(_KEY)}


def _split(names: bytes) -> list[str]:
    return names.decode().split("\0") if names else []


def _file_for(folder: Path) -> Path:
    return repos_root() / ".index" / f"{sha256(os.fsencode(folder)).hexdigest()[:24]}.sqlite"


def _connect(path: str) -> sqlite3.Connection:
    """Open an index file; its tables are created if necessary."""
    # The thread that frees an index can be another one than the one that opened it: Python's garbage collector runs in any.
    database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            database.execute("PRAGMA synchronous = OFF")  # an index that a crash corrupts is created again
            database.execute("BEGIN IMMEDIATE")
            if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {_VERSION}")
            database.execute("COMMIT")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
