"""The steps of a change to entries. Each can be repeated after a crash, and undone after an error."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ck_repo.errors import CKError
from ck_repo.store.atomic import remove_file, write_json
from ck_repo.store.entry import INFO, META, alias_file, link_alias, read_json_object, uid_file
from ck_repo.store.exchange import exchange, finish_exchange


@dataclass(frozen=True)
class Rename:
    """Rename the folder `source` to `target`; an existing `target` is renamed to `source`.

    Attributes
    ----------
    inode
        Inode of the folder, by which a completed step is recognised.
    uid
        UID of the entry, if `source` is an entry's folder.
    """

    source: str
    target: str
    inode: int
    uid: str = ""

    @classmethod
    def of(cls, source: Path, target: Path, uid: str = "") -> Rename:
        """The step for a folder that exists."""
        return cls(str(source), str(target), source.stat().st_ino, uid)

    def do(self) -> None:
        _place(Path(self.source), Path(self.target), self.inode)

    def undo(self) -> None:
        source, target = Path(self.source), Path(self.target)
        if _inode(target) != self.inode:
            return
        if source.exists():
            exchange(target, source)
        else:
            os.rename(target, source)
        if self.uid and not _linked(source, self.uid):
            link_alias(source, self.uid)


def _place(source: Path, target: Path, inode: int) -> None:
    if _inode(target) == inode:
        finish_exchange(source, target)
    elif _inode(source) == inode:
        if target.exists():
            exchange(source, target)
        else:
            finish_exchange(source, target)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


@dataclass(frozen=True)
class Link:
    """Write the alias files of the entry `name` in the module's folder `home`.

    Attributes
    ----------
    before
        The previous UID of the name; empty if it is new.
    """

    home: str
    name: str
    uid: str
    before: str = ""

    def do(self) -> None:
        folder = Path(self.home, self.name)
        if folder.exists() and not _linked(folder, self.uid):
            link_alias(folder, self.uid)

    def undo(self) -> None:
        folder = Path(self.home, self.name)
        if self.before == self.uid:
            return
        _unlink_if(uid_file(folder.parent, self.uid), self.name)
        if self.before:
            link_alias(folder, self.before)
        else:
            remove_file(alias_file(folder.parent, self.name))


@dataclass(frozen=True)
class Unlink:
    """Remove the alias files for a name and a UID that no longer belong together."""

    home: str
    name: str
    uid: str

    def do(self) -> None:
        folder = Path(self.home, self.name)
        if not (folder / META).exists():
            remove_file(alias_file(folder.parent, self.name))
        elif _content(alias_file(folder.parent, self.name)) == self.uid:
            return  # they belong together again
        _unlink_if(uid_file(folder.parent, self.uid), self.name)

    def undo(self) -> None:
        folder = Path(self.home, self.name)
        if (folder / META).exists() and not alias_file(folder.parent, self.name).exists():
            link_alias(folder, self.uid)


@dataclass(frozen=True)
class Describe:
    """Write the keys `names` into the info.json of the entry in `folder`; `before` has the previous values."""

    folder: str
    names: Mapping[str, Any]
    before: Mapping[str, Any]

    def do(self) -> None:
        self._write(self.names)

    def undo(self) -> None:
        self._write(self.before)

    def _write(self, names: Mapping[str, Any]) -> None:
        path = Path(self.folder, INFO)
        old = read_json_object(path) if path.exists() else {}
        if path.parent.exists() and old | dict(names) != old:
            write_json(path, old | dict(names))


Step = Rename | Link | Unlink | Describe
_KINDS = {kind.__name__: kind for kind in (Rename, Link, Unlink, Describe)}


def as_data(steps: Sequence[Step]) -> list[dict[str, object]]:
    """As JSON, for a record."""
    return [{"kind": type(step).__name__, **asdict(step)} for step in steps]


def from_data(rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    """Read the steps of a record."""
    return [_KINDS[row["kind"]](**{key: value for key, value in row.items() if key != "kind"}) for row in rows]


class UndoError(Exception):
    """Undoing steps failed, after another step failed for `reason`."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(str(reason))
        self.reason = reason


def carry_out(steps: Sequence[Step]) -> None:
    """Do every step; if one fails, undo the previous ones."""
    for done, step in enumerate(steps):
        try:
            step.do()
        except BaseException as reason:
            try:
                for earlier in reversed(steps[: done + 1]):
                    earlier.undo()
            except BaseException:
                raise UndoError(reason) from None
            raise


def put_back(aside: Path, folder: Path) -> None:
    """Finish a replacement in place: keep the new entry if it is complete, else restore the old one from `aside`."""
    if (folder / META).exists():
        shutil.rmtree(aside, ignore_errors=True)
        return
    _unlink_if(uid_file(folder.parent, _content(alias_file(folder.parent, folder.name))), folder.name)
    remove_file(alias_file(folder.parent, folder.name))
    shutil.rmtree(folder, ignore_errors=True)
    if not (aside / META).exists():
        shutil.rmtree(aside, ignore_errors=True)
        return
    os.rename(aside, folder)
    with suppress(CKError, OSError):  # without alias files the entry is still found through its info.json
        uid = str(read_json_object(folder / INFO).get("backup_data_uid", ""))
        link_alias(folder, uid)


def _linked(folder: Path, uid: str) -> bool:
    if folder.name == uid:
        return True
    files = uid_file(folder.parent, uid), alias_file(folder.parent, folder.name)
    return [_content(path) for path in files] == [folder.name, uid]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _unlink_if(path: Path, content: str) -> None:
    if _content(path) in ("", content):
        remove_file(path)
