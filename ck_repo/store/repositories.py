"""The repositories on this machine: `local`, those in CK_REPOS, those registered from elsewhere, and our own components."""

from __future__ import annotations

from pathlib import Path

from ck_repo.errors import CKError, ConflictError, NotFoundError, UsageError, did_you_mean
from ck_repo.store.atomic import remove_folder
from ck_repo.store.entry import read_json_object, read_uid, unlink_alias
from ck_repo.store.folders import default_repository_root, repos_root
from ck_repo.store.repository import DESCRIPTION, Repository, check_name, read_repository, write_description
from ck_repo.store.writing import create_entry

LOCAL = "local"
_LOCAL_UID = "9a3280b14a4285c9"  # the same in every CK
_REGISTERED = "repo"  # module of `local` whose entries point at repositories outside CK_REPOS


class Repositories:
    """All repositories, in the order in which they are searched: local, the default one, then every other.

    An entry of a repository that was pulled or registered therefore never takes the place of one of ours with the same name;
    it is reached as ``REPOSITORY:module:entry``.
    """

    def __init__(self) -> None:
        self._rows: list[Repository] | None = None

    def all(self) -> list[Repository]:
        """Every repository."""
        if self._rows is None:
            self._rows = self._read()
        return self._rows

    def _read(self) -> list[Repository]:
        root = repos_root()
        rows = {_LOCAL_UID: Repository(LOCAL, _LOCAL_UID, root / LOCAL)}
        default = read_repository(default_repository_root())
        rows[default.uid] = default
        for folder in [*self._inside(root), *self._registered().values()]:
            try:
                found = read_repository(folder)
            except CKError as error:
                _warn(f"repository left out: {error.what}")
                continue
            if found.uid == default.uid:  # a pulled copy of our own components takes their place
                rows[found.uid] = found
                continue
            if found.uid in rows:
                _warn(f"repository left out: {found.path} has the same UID {found.uid} as {rows[found.uid].path}")
                continue
            rows[found.uid] = found
        return list(rows.values())

    @staticmethod
    def _inside(root: Path) -> list[Path]:
        if not root.is_dir():
            return []
        return sorted(
            row for row in root.iterdir() if row.name != LOCAL and row.name[0] != "." and (row / DESCRIPTION).is_file()
        )

    def _registered(self) -> dict[str, Path]:
        """Folders of repositories elsewhere, by alias; those that are not there are told and left out."""
        folder = repos_root() / LOCAL / _REGISTERED
        found = {}
        for row in sorted(folder.glob("*/.cm/meta.json")) if folder.is_dir() else []:
            alias = row.parents[1].name
            try:
                path = Path(str(read_json_object(row).get("path", "")))
            except CKError as error:
                _warn(f"repository left out: {error.what} (`ck rm repo:{alias}` forgets it)")
                continue
            if (path / DESCRIPTION).is_file():
                found[alias] = path
            else:
                _warn(f"repository left out: {path} is registered, but not there (`ck rm repo:{alias}` forgets it)")
        return found

    def get(self, name: str) -> Repository:
        """The repository of that alias or UID."""
        for row in self.all():
            if name in (row.alias, row.uid):
                return row
        raise NotFoundError(f"there is no repository {name!r}", hint=did_you_mean(name, [row.alias for row in self.all()]))

    def writable(self, name: str = LOCAL) -> Repository:
        """The repository to write to; `local` is made when it is not there yet."""
        row = self.get(name or LOCAL)
        if row.alias == LOCAL and not (row.path / DESCRIPTION).exists():
            write_description(row.path, LOCAL, uid=_LOCAL_UID)
        return row

    def add(self, alias: str, path: Path | None = None) -> Repository:
        """Make a new repository, in CK_REPOS or in the folder `path`; or register the one that is already at `path`."""
        check_name(alias)
        folder = path.expanduser().absolute() if path else repos_root() / alias
        if path and (folder / DESCRIPTION).exists():
            found = read_repository(folder)
            self._refuse_taken(found.alias)
        else:
            self._refuse_taken(alias)
            if not path and folder.exists():
                raise ConflictError(f"{folder} exists and is no repository", hint="choose another name")
            write_description(folder, alias)
        if path:
            self._register(folder)
        self._rows = None
        return read_repository(folder)

    def _refuse_taken(self, alias: str) -> None:
        if any(row.alias == alias for row in self.all()):
            raise ConflictError(f"a repository {alias!r} exists already", hint="choose another name")

    def _register(self, folder: Path) -> None:
        row = read_repository(folder)
        create_entry(self.writable(), _REGISTERED, row.alias, {"path": str(folder)}, uid=row.uid)

    def remove(self, name: str) -> str:
        """Forget a repository. Its folder goes when it is in CK_REPOS; one from elsewhere stays where it is."""
        home = repos_root() / LOCAL / _REGISTERED
        row = next((row for row in self.all() if name in (row.alias, row.uid)), None)
        path = row.path if row else None
        registered = [alias for alias, there in self._registered().items() if path == there or alias == name]
        if not registered and Path(name).name == name and (home / name).is_dir():
            registered = [name]  # its folder is gone, or its registration is spoilt
        if registered:
            entry = home / registered[0]
            uid = read_uid(entry)
            remove_folder(entry)
            unlink_alias(entry, uid)
            done = f"forgotten; its files stay in {path or 'its folder'}"
        else:
            row = self.get(name)
            if row.alias == LOCAL or row.path == default_repository_root() or row.path.parent != repos_root():
                raise UsageError(f"the repository {row.alias!r} cannot be removed")
            remove_folder(row.path)
            done = f"removed with {row.path}"
        self._rows = None
        return done

    def forget_cache(self) -> None:
        """Read the folders again at the next question."""
        self._rows = None


def default_repository_alias() -> str:
    """The alias of the repository of our own components."""
    return read_repository(default_repository_root()).alias


def _warn(text: str) -> None:
    import sys

    print(f"warning: {text}", file=sys.stderr)
