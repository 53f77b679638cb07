"""A repository: a folder of modules of entries, described by its .ckr.json."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ck_repo.errors import ConfigError, UsageError
from ck_repo.store.atomic import write_json
from ck_repo.store.entry import META, alias_file, read_alias_file, read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.folders import repos_root
from ck_repo.store.modules import canonical_module, folder_uid, other_names
from ck_repo.store.plain_file import UnreadableError
from ck_repo.store.uid import is_uid, new_uid

DESCRIPTION = ".ckr.json"
_LONGEST_NAME = 200  # bytes; file systems allow 255, and temporary names are longer


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
        The URL that it was pulled from; empty if it was not.
    dependencies
        Its dependencies: (alias, url) each.
    also
        Other names that it has if no other repository does: that of its description, and ``venv`` for
        ``octoml@venv``.
    """

    alias: str
    uid: str
    path: Path
    url: str = ""
    dependencies: tuple[tuple[str, str], ...] = field(default=())
    also: tuple[str, ...] = field(default=())

    def module_folder(self, module: str) -> Path:
        """The folder of a module's entries, under any of its names; it need not exist."""
        folders = self.module_folders(module)
        return folders[0] if folders else self.path / module

    def module_folders(self, module: str) -> list[Path]:
        """The folders of a module's entries; several where the repository has it under several of its names."""
        return [folder for folder in (self.path / name for name in (module, *other_names(module))) if folder.is_dir()]

    def module_uid(self, module: str) -> str:
        """The UID of a module: from this repository's alias file, else derived from its name."""
        try:
            uid = read_alias_file(alias_file(self.path, self.module_folder(module).name))
        except UnreadableError:
            uid = ""
        return uid if is_uid(uid) else folder_uid(module)

    def modules(self) -> list[str]:
        """The modules with a folder in this repository."""
        try:
            with os.scandir(self.path) as rows:
                folders = [row for row in rows if row.name.isprintable() and row.name[0] != "." and os.path.isdir(row.path)]
        except OSError:
            return []
        return sorted({canonical_module(row.name) for row in folders if _holds_entries(row.path)})


def _holds_entries(folder: str) -> bool:
    """Whether a folder belongs to a module: it has alias files, or an entry without an alias."""
    if os.path.isdir(os.path.join(folder, ".cm")):
        return True
    try:
        with os.scandir(folder) as rows:
            return any(is_uid(row.name) and os.path.isfile(os.path.join(row.path, META)) for row in rows)
    except OSError:
        return False


def read_repository(folder: Path, alias: str = "") -> Repository:
    """Read the repository in `folder` from its .ckr.json.

    Parameters
    ----------
    alias
        The registered name. Without one, a repository in CK_REPOS is named after its folder, if that is a valid name; elsewhere
        after its description.
    """
    content = Fields(read_json_object(folder / DESCRIPTION), folder / DESCRIPTION)
    described = [name for name in (content.text("data_alias"), content.text("data_uoa")) if name]
    named_by_folder = [folder.name] if folder.parent == repos_root() else []
    names = [name for name in [alias, *named_by_folder, *described, folder.name] if name]
    uid = content.text("data_uid")
    if not is_uid(uid):
        raise ConfigError(f"{folder / DESCRIPTION}: data_uid is {uid!r}, not 16 hexadecimal digits")
    details = content.fields("dict")
    needs = [(row.text("repo_uoa"), row.text("repo_url")) for row in details.rows("repo_deps")]
    also = [*names[1:], *(name.rpartition("@")[2] for name in names)]
    others = tuple(name for name in dict.fromkeys(also) if name and name not in (names[0], uid))
    return Repository(names[0], uid, folder, details.text("url"), tuple(need for need in needs if any(need)), others)


def write_description(folder: Path, alias: str, *, uid: str = "") -> None:
    """Write .ckr.json for a new repository."""
    details: dict[str, object] = {"repo_deps": []}
    description = {"data_alias": alias, "data_uid": uid or new_uid(), "data_name": alias, "data_uoa": alias, "dict": details}
    write_json(folder / DESCRIPTION, description)


def check_name(name: str) -> None:
    """Refuse a name that is not a valid folder name on every system."""
    bad = {sign for sign in name if sign in '/\\:*?"<>|' or not sign.isprintable()}
    if not name or bad or name.startswith((".", "-")):
        raise UsageError(
            f"{name!r} is not a valid name: "
            + (f"it contains {''.join(sorted(bad))!r}" if bad else "it is empty or begins with . or -"),
            hint="use letters, digits, dots, dashes and underscores",
        )
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise UsageError(
            f"{name[:20]}… is not a valid name: it has {len(os.fsencode(name))} bytes", hint=f"use at most {_LONGEST_NAME}"
        )
