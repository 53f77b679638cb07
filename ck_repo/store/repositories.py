"""The repositories on this machine: `local`, those in CK_REPOS, registered folders, and our own components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import CKError, ConflictError, NotFoundError, UsageError, did_you_mean
from ck_repo.store.atomic import publish_folder, storage_errors
from ck_repo.store.entry import read_alias_file, read_json_object, read_uid, uid_file, unlink_alias
from ck_repo.store.fields import Fields
from ck_repo.store.folders import default_repository_root, repos_root
from ck_repo.store.plain_file import UnreadableError
from ck_repo.store.repository import DESCRIPTION, Repository, check_name, read_repository, write_description
from ck_repo.store.stock_registry import announce, withdraw
from ck_repo.store.uid import new_uid
from ck_repo.store.work import remove_folder, sweep, working
from ck_repo.store.writing import create_entry

LOCAL = "local"
_LOCAL_UID = "9a3280b14a4285c9"  # UIDs of every CK
_REGISTERED = "repo"  # module of `local` whose entries register repositories


class Repositories:
    """All repositories in the order in which they are searched: local, the default one, then the others.

    An entry of a pulled or registered repository therefore never hides one of ours with the same name; use
    ``REPOSITORY:module:entry`` for it.
    """

    def __init__(self) -> None:
        self._rows: list[Repository] | None = None

    def all(self) -> list[Repository]:
        """Every repository."""
        if self._rows is None:
            self._rows = self._read()
        return self._rows

    def _read(self) -> list[Repository]:
        sweep()
        root = repos_root()
        first = [Repository(LOCAL, _LOCAL_UID, root / LOCAL), read_repository(default_repository_root())]
        registered = self._registered()
        given = {folder.resolve(): alias for alias, folder in registered.items()}
        folders = {folder.resolve(): folder for folder in [*self._inside(root), *registered.values()]}
        found = []
        for place, folder in folders.items():
            if place in (row.path.resolve() for row in first):
                continue
            try:
                row = read_repository(folder, given.get(place, ""))
                if not _is_copy(row, first[1]):
                    _refuse_reserved(row, first)
                    found.append(row)
            except CKError as error:
                progress.warn(f"repository skipped: {error.what}")
        # a registered name takes precedence over a folder's name
        names = {row.alias for row in first}
        chosen = {}
        for row in sorted(found, key=lambda row: row.path.resolve() not in given):
            free = next((name for name in (row.alias, *row.also, row.uid) if name not in names), "")
            if not free:
                progress.warn(f"repository skipped: other repositories have all names of {row.path}")
                continue
            names.add(free)
            chosen[row.path] = replace(row, alias=free, also=tuple(name for name in row.also if name != free))
        return first + [chosen[row.path] for row in found if row.path in chosen]

    @staticmethod
    def _inside(root: Path) -> list[Path]:
        if not root.is_dir():
            return []
        return sorted(
            row for row in root.iterdir() if row.name != LOCAL and row.name[0] != "." and (row / DESCRIPTION).is_file()
        )

    def _registered(self) -> dict[str, Path]:
        """Folders of registered repositories, by alias; missing ones are reported and skipped.

        Those in CK_REPOS are also registered for stock CK, which needs it. Stock CK registers repositories on servers, too,
        which have no folder.
        """
        root = repos_root()
        folder = root / LOCAL / _REGISTERED
        found = {}
        for row in sorted(folder.glob("*/.cm/meta.json")) if folder.is_dir() else []:
            alias = row.parents[1].name
            try:
                content = Fields(read_json_object(row), row)
                path = Path(content.text("path"))
                remote = content.flag("remote")
            except CKError as error:
                progress.warn(f"repository skipped: {error.what} (`ck rm repo:{alias}` removes it)")
                continue
            if remote:
                continue
            moved = root / path.name  # CK_REPOS itself was moved or copied
            if path.is_absolute() and (path / DESCRIPTION).is_file() and not _was_copied(alias, path, moved):
                found[alias] = path
            elif path.name and (moved / DESCRIPTION).is_file():
                found[alias] = moved
            else:
                where = path if path.is_absolute() else f"its folder ({str(path)!r})"
                progress.warn(
                    f"repository skipped: {alias} is registered, but {where} does not exist (`ck rm repo:{alias}` removes it)"
                )
        return found

    def named(self, name: str) -> Repository | None:
        """The repository with an alias, a UID, or another name; None if there is none.

        Raises
        ------
        ConflictError
            If several repositories have that UID or other name; the message lists them.
        """
        rows = self.all()
        exact = next((row for row in rows if row.alias == name), None)
        if exact:
            return exact
        found = [row for row in rows if name == row.uid] or [row for row in rows if name in row.also]
        if len(found) > 1:
            raise ConflictError(
                f"{name} matches {len(found)} repositories", hint=f"use one of {', '.join(row.alias for row in found)}"
            )
        return found[0] if found else None

    def get(self, name: str) -> Repository:
        """The repository with an alias, a UID, or another name; if there is none, the error lists similar names."""
        row = self.named(name)
        if row is None:
            raise NotFoundError(f"there is no repository {name!r}", hint=did_you_mean(name, [row.alias for row in self.all()]))
        return row

    def refuse_reserved(self, new: Repository) -> Repository | None:
        """Refuse a new repository with the UID of `local` or of our own components; for a copy of ours, return ours.

        Raises
        ------
        ConflictError
            If the UID is reserved.
        """
        first = self.all()[:2]
        if _is_copy(new, first[1]):
            return first[1]
        _refuse_reserved(new, first)
        return None

    def writable(self, name: str = LOCAL) -> Repository:
        """The repository to write to; `local` is created if necessary."""
        row = self.get(name or LOCAL)
        if row.alias == LOCAL and not (row.path / DESCRIPTION).exists():
            write_description(row.path, LOCAL, uid=_LOCAL_UID)
        return row

    def add(self, alias: str, path: Path | None = None) -> Repository:
        """Create a repository, in CK_REPOS or in the folder `path`; or register the existing one at `path`.

        Parameters
        ----------
        alias
            Its name; if empty, that of its description, or of the folder.
        """
        folder = path.expanduser().absolute() if path else repos_root() / alias
        exists = path is not None and (folder / DESCRIPTION).exists()
        if exists:
            found = read_repository(folder)
            if self.refuse_reserved(found):
                raise ConflictError(
                    f"{folder} has the UID {found.uid} of the repository that comes with ck, which is always available",
                    hint="to use a modified copy, change its UID and name in .ckr.json",
                )
            alias = alias or found.alias
            same = next((row for row in self.all() if row.path.resolve() == folder.resolve()), None)
            if same:
                raise ConflictError(f"{folder} is already the repository {same.alias}", hint=f"use it as {same.alias}")
        alias = alias or folder.name
        check_name(alias)
        if any(row.alias == alias for row in self.all()) or (path and (repos_root() / LOCAL / _REGISTERED / alias).exists()):
            raise ConflictError(
                f"a repository {alias!r} already exists",
                hint=f"choose another name: `ck add repo:NAME{' --path=…' if path else ''}`",
            )
        new = not folder.exists()
        if not exists:
            if not path and not new:
                raise ConflictError(f"{folder} already exists and is not a repository", hint="choose another name")
            self._make(folder, alias)
        try:
            self.register(alias, folder)
        except CKError:
            if new:
                remove_folder(folder)
            raise
        return self.get(alias)

    @staticmethod
    def _make(folder: Path, alias: str) -> None:
        """Write the description of a new repository; a new folder is created together with it."""
        if folder.exists():
            write_description(folder, alias)
            return
        with storage_errors(f"writing {folder}"), working() as work:
            staging = work.beside(folder)
            write_description(staging, alias)
            publish_folder(staging, folder)

    def register(self, alias: str, folder: Path, url: str = "") -> None:
        """Register the repository in a folder, also in stock CK's cache, so that stock CK finds it.

        Parameters
        ----------
        url
            The URL that it was cloned from; empty if it was not.
        """
        local = self.writable()
        content = read_json_object(folder / DESCRIPTION)
        meta = {"path": str(folder)} | ({"shared": "git", "url": url} if url else {})
        uid, name = str(content.get("data_uid")), str(content.get("data_name") or alias)
        if _alias_of(local.path / _REGISTERED, uid) not in ("", alias):  # another repository has the same UID
            uid = new_uid()
        entry = create_entry(local, _REGISTERED, alias, meta, uid=uid, name=name, replace=True)
        described = content.get("dict")
        announce(entry, name, (described if isinstance(described, dict) else {}) | meta)
        self._rows = None

    def is_registered(self, row: Repository) -> bool:
        """Whether a repository is registered, wherever it is."""
        return row.path.resolve() in {folder.resolve() for folder in self._registered().values()}

    def remove(self, name: str) -> str:
        """Remove a repository. Its folder is deleted if it is in CK_REPOS; other folders are kept."""
        home = repos_root() / LOCAL / _REGISTERED
        row = self.named(name)
        if row and (row.alias == LOCAL or row.path == default_repository_root()):
            raise UsageError(f"the repository {row.alias!r} cannot be removed")
        registered = [alias for alias, there in self._registered().items() if row and there.resolve() == row.path.resolve()]
        if not row and Path(name).name == name and (home / name).is_dir():
            registered = [name]  # its folder is missing, or its registration cannot be read
        if not row and not registered:
            self.get(name)
        for alias in registered:
            entry = home / alias
            uid = read_uid(entry)
            remove_folder(entry)
            unlink_alias(entry, uid)
            withdraw(home.parent, alias, uid)
        if row and row.path.parent == repos_root():
            remove_folder(row.path)
            done = f"removed with {row.path}"
        else:
            done = f"registration removed; its files stay in {row.path if row else 'its folder'}"
        self._rows = None
        return done

    def forget_cache(self) -> None:
        """Read the folders again on the next access."""
        self._rows = None


def default_repository_alias() -> str:
    """The alias of the repository of our own components."""
    return read_repository(default_repository_root()).alias


def _is_copy(row: Repository, ours: Repository) -> bool:
    """Whether a repository declares itself a copy of our own components. Ours is used then."""
    return row.uid == ours.uid and ours.alias in (row.alias, *row.also)


def _refuse_reserved(row: Repository, first: Sequence[Repository]) -> None:
    """Refuse the UID of `local` or of our own components in any other repository."""
    other = next((known for known in first if known.uid == row.uid), None)
    if other:
        raise ConflictError(
            f"{row.path} has the UID {row.uid} of the repository {other.alias}",
            hint="change the UID in its .ckr.json, or ask its author to",
        )


def _was_copied(alias: str, path: Path, here: Path) -> bool:
    """Whether a registration was copied together with CK_REPOS: `here` is then the copy of the repository at `path`."""
    if path.parent.resolve() == here.parent.resolve() or not (path.parent / LOCAL / _REGISTERED / alias).is_dir():
        return False
    try:
        return read_repository(path).uid == read_repository(here).uid
    except CKError:
        return False


def _alias_of(registrations: Path, uid: str) -> str:
    """The alias of a registered UID; empty if it is not registered."""
    try:
        return read_alias_file(uid_file(registrations, uid))
    except UnreadableError:
        return ""
