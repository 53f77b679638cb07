"""The repositories on this machine: `local`, those in CK_REPOS, those registered from elsewhere, and our own components."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.errors import ConfigError, ConflictError, NotFoundError, UsageError, did_you_mean
from ck_repo.store.atomic import remove_folder, write_json
from ck_repo.store.entry import read_json_object
from ck_repo.store.folders import default_repository_root, repos_root
from ck_repo.store.uid import is_uid, new_uid

DESCRIPTION = ".ckr.json"
LOCAL = "local"
_LOCAL_UID = "9a3280b14a4285c9"  # the same in every CK
_REGISTERED = "repo"  # module of `local` whose entries point at repositories outside CK_REPOS


@dataclass(frozen=True)
class Repository:
    """A folder of modules of entries.

    Attributes
    ----------
    alias, uid
        Its names.
    path
        Its folder.
    url
        Where it was pulled from; empty if it was not.
    checkout
        The commit, tag or branch that it is pinned to; empty if it follows its branch.
    dependencies
        Repositories that it needs: (alias, url) each.
    """

    alias: str
    uid: str
    path: Path
    url: str = ""
    checkout: str = ""
    dependencies: tuple[tuple[str, str], ...] = field(default=())

    def module_folder(self, module: str) -> Path:
        """The folder of a module's entries; it need not exist."""
        return self.path / module

    def modules(self) -> list[str]:
        """The modules that have a folder here."""
        try:
            with os.scandir(self.path) as rows:
                return sorted(
                    row.name for row in rows if not row.name.startswith(".") and row.is_dir() and self._holds_entries(row.path)
                )
        except FileNotFoundError:
            return []

    @staticmethod
    def _holds_entries(folder: str) -> bool:
        return os.path.isdir(os.path.join(folder, ".cm"))


def read_repository(folder: Path) -> Repository:
    """Read the repository in `folder` from its .ckr.json."""
    content = read_json_object(folder / DESCRIPTION)
    inside = folder.parent == repos_root()  # there the folder's name is the alias, as it is for an entry
    alias = folder.name if inside else str(content.get("data_alias") or folder.name)
    uid = str(content.get("data_uid", ""))
    if not is_uid(uid):
        raise ConfigError(f"{folder / DESCRIPTION}: data_uid is {uid!r}, not 16 hexadecimal digits")
    details = content.get("dict") or {}
    if not isinstance(details, dict):
        raise ConfigError(f"{folder / DESCRIPTION}: dict is not an object")
    needs = [(str(row.get("repo_uoa", "")), str(row.get("repo_url", ""))) for row in details.get("repo_deps") or []]
    return Repository(
        alias, uid, folder, str(details.get("url", "")), str(details.get("checkout", "")), tuple(n for n in needs if any(n))
    )


def write_description(folder: Path, alias: str, *, uid: str = "", url: str = "", checkout: str = "") -> None:
    """Write .ckr.json for a new repository."""
    details: dict[str, Any] = {"repo_deps": []}
    if url:
        details |= {"url": url, "shared": "git", "checkout": checkout}
    description = {"data_alias": alias, "data_uid": uid or new_uid(), "data_name": alias, "data_uoa": alias, "dict": details}
    write_json(folder / DESCRIPTION, description)


class Repositories:
    """All repositories, in the order in which they are searched: local, the user's, then the default one."""

    def __init__(self) -> None:
        self._rows: list[Repository] | None = None

    def all(self) -> list[Repository]:
        """Every repository."""
        if self._rows is None:
            self._rows = self._read()
        return self._rows

    def _read(self) -> list[Repository]:
        root = repos_root()
        rows = [Repository(LOCAL, _LOCAL_UID, root / LOCAL)]
        for folder in [*self._inside(root), *self._registered()]:
            try:
                found = read_repository(folder)
            except ConfigError as error:
                _warn(f"repository left out: {error.what}")
                continue
            if found.uid not in {row.uid for row in rows}:
                rows.append(found)
        default = read_repository(default_repository_root())
        # a pulled copy of our own components takes their place
        return rows if any(row.uid == default.uid for row in rows) else [*rows, default]

    @staticmethod
    def _inside(root: Path) -> list[Path]:
        if not root.is_dir():
            return []
        return sorted(
            row for row in root.iterdir() if row.name != LOCAL and row.name[0] != "." and (row / DESCRIPTION).is_file()
        )

    def _registered(self) -> list[Path]:
        folder = repos_root() / LOCAL / _REGISTERED
        rows = sorted(folder.glob("*/.cm/meta.json")) if folder.is_dir() else []
        paths = [Path(str(read_json_object(row).get("path", ""))) for row in rows]
        for path in paths:
            if not (path / DESCRIPTION).is_file():
                _warn(f"repository left out: {path} is registered, but not there (`ck rm repo:{path.name}` forgets it)")
        return [path for path in paths if (path / DESCRIPTION).is_file()]

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
        from ck_repo.store.writing import create_entry

        row = read_repository(folder)
        create_entry(self, self.writable(), _REGISTERED, row.alias, {"path": str(folder)}, uid=row.uid)

    def remove(self, row: Repository) -> str:
        """Forget a repository. Its folder goes when it is in CK_REPOS; one from elsewhere stays where it is."""
        if row.alias == LOCAL or row.path == default_repository_root():
            raise UsageError(f"the repository {row.alias!r} cannot be removed")
        entry = repos_root() / LOCAL / _REGISTERED / row.alias
        if entry.is_dir():
            from ck_repo.store.entry import unlink_alias

            remove_folder(entry)
            unlink_alias(entry, row.uid)
            done = f"forgotten; its files stay in {row.path}"
        else:
            remove_folder(row.path)
            done = f"removed with {row.path}"
        self._rows = None
        return done

    def forget_cache(self) -> None:
        """Read the folders again at the next question."""
        self._rows = None


def check_name(name: str) -> None:
    """Refuse a name that could not be a folder's on every system."""
    bad = set(name) & set('/\\:*?"<>|\0\n')
    if not name or bad or name.startswith((".", "-")):
        raise UsageError(
            f"{name!r} cannot be a name: "
            + (f"it holds {''.join(sorted(bad))!r}" if bad else "it is empty or begins with . or -"),
            hint="use letters, digits, dots, dashes and underscores",
        )


def _warn(text: str) -> None:
    import sys

    print(f"warning: {text}", file=sys.stderr)
