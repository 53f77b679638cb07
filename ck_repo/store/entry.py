"""Entries: folders of a module, each with an alias, a UID, a meta.json and an info.json."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.errors import ConfigError
from ck_repo.store.atomic import remove_file, write_json, write_text
from ck_repo.store.plain_file import MISSING, UnreadableError, read_plain
from ck_repo.store.uid import is_uid

META = ".cm/meta.json"
INFO = ".cm/info.json"
BASE = "_base_entry"  # key of a meta.json: the entry that this one inherits from, [MODULE:]NAME
_ALIAS_BYTES = 4096
_DEEPEST = 100  # maximum nesting of containers
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Entry:
    """An entry on disk.

    Attributes
    ----------
    repository, module, alias
        The names that the command line uses: ``repository:module:alias``. The module is named after its folder
        (``venv.template`` or ``env_templates``). The alias of an entry without one is its UID.
    uid
        16 hexadecimal digits.
    path
        Its folder.
    repository_uid, module_uid
        UIDs of its repository and of its module in that repository; empty if unknown.
    """

    repository: str
    module: str
    alias: str
    uid: str
    path: Path
    repository_uid: str = field(default="", compare=False)
    module_uid: str = field(default="", compare=False)

    @property
    def cid(self) -> str:
        """``module:alias``, as a user would type it."""
        return f"{self.module}:{self.alias}"

    def meta(self) -> dict[str, Any]:
        """The entry's meta.json."""
        return read_json_object(self.path / META)

    def info(self) -> dict[str, Any]:
        """The entry's info.json; empty if there is none."""
        path = self.path / INFO
        return read_json_object(path) if path.exists() else {}

    def tags(self) -> frozenset[str]:
        """The tags of meta.json."""
        return frozenset(tags_of(self.meta(), self.path / META))


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; errors give the file, the line and the column.

    The file has to be a regular file in its folder, of at most 64 MiB, because entries may be untrusted.
    """
    folder = path.parents[1] if path.parent.name == ".cm" else path.parent
    try:
        content = parse_json(read_plain(folder, path).decode())
    except UnreadableError as error:
        hint = "remove the entry's folder, or restore the file" if error.why == MISSING else "replace it by a regular file"
        raise ConfigError(error.what, hint=hint) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            hint="fix the file, or restore it from its repository",
        ) from None
    except (ValueError, RecursionError) as error:  # a number with thousands of digits, or lists nested thousands deep
        raise ConfigError(f"{path} cannot be read as JSON: {error}", hint="fix the file") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds a {type(content).__name__}, not an object")
    return content


def parse_json(text: str) -> Any:
    """Parse a JSON text.

    Raises
    ------
    ValueError
        If it is invalid, or has values that cannot be written again: containers that are too deep, lone surrogates.
    RecursionError
        If it is nested thousands of levels deep.
    """
    content = json.loads(text)
    if text.count("[") + text.count("{") > _DEEPEST:
        level = [content]
        for _ in range(_DEEPEST):
            below = (value.values() if isinstance(value, dict) else value for value in level)
            level = [each for values in below for each in values if isinstance(each, dict | list)]
            if not level:
                break
        else:
            raise ValueError(f"its containers are nested more than {_DEEPEST} levels deep")
    if _SURROGATE.search(text):
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("a \\u escape in it is an unpaired surrogate") from None
    return content


def tag_list(value: Any) -> list[str]:
    """Tags as a list, from a list or from ``a,b,c``.

    >>> tag_list("coco, val,,2017")
    ['coco', 'val', '2017']
    """
    words = value.split(",") if isinstance(value, str) else list(value)
    return [word for word in (str(each).strip() for each in words) if word]


def tags_of(meta: Mapping[str, object], path: Path) -> list[str]:
    """The tags of a meta.json, which is at `path`."""
    tags = meta.get("tags", [])
    if not isinstance(tags, str | list):
        raise ConfigError(f"{path}: tags is {tags!r}, not a list of tags", hint="fix the file")
    return tag_list(tags)


def variation_tags(meta: Mapping[str, object]) -> list[str]:
    """Names and tags of the variations of a package."""
    rows = meta.get("variations")
    if not isinstance(rows, dict):
        return []
    more = (row.get("tags") or row.get("extra_tags") or [] for row in rows.values() if isinstance(row, dict))
    return sorted({*rows, *(tag for tags in more if isinstance(tags, str | list) for tag in tag_list(tags))})


def alias_file(module_folder: Path, alias: str) -> Path:
    """The file that holds the UID of an alias."""
    return module_folder / ".cm" / f"alias-a-{alias}"


def uid_file(module_folder: Path, uid: str) -> Path:
    """The file that holds the alias of a UID."""
    return module_folder / ".cm" / f"alias-u-{uid}"


def read_alias_file(path: Path) -> str:
    """The first word of the alias file of a module or a repository.

    Raises
    ------
    UnreadableError
        If it does not exist, or is not a small regular file.
    """
    content = read_plain(path.parents[1], path, maximum=_ALIAS_BYTES).decode(errors="replace")
    return (content.split() or [""])[0]


def read_uid(folder: Path) -> str:
    """The UID of the entry in `folder`: from its alias file, else from info.json, else the folder's name if that is a UID."""
    name = folder.name
    if is_uid(name):
        return name
    try:
        uid = read_alias_file(alias_file(folder.parent, name))
        if is_uid(uid):
            return uid
    except UnreadableError:
        pass
    info = folder / INFO
    uid = str(read_json_object(info).get("backup_data_uid", "")) if info.exists() else ""
    if not is_uid(uid):
        raise ConfigError(
            f"{folder} has no UID: neither {alias_file(folder.parent, name)} nor {info} has one",
            hint="restore those files, or add the entry again with `ck add`",
        )
    return uid


def write_entry(folder: Path, uid: str, meta: Mapping[str, object], *, module: str, module_uid: str, name: str = "") -> None:
    """Write an entry's meta.json, info.json and alias files into `folder`, whose name is the alias (or the UID)."""
    (folder / ".cm").mkdir(parents=True, exist_ok=True)
    info = {
        "backup_data_uid": uid,
        "backup_module_uid": module_uid,
        "backup_module_uoa": module,
        "control": {"engine": "ck", "iso_datetime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
        "data_name": name or folder.name,
    }
    write_json(folder / INFO, info)
    write_json(folder / META, meta)


def link_alias(folder: Path, uid: str) -> None:
    """Write the alias files, which map the alias (the folder's name) to the UID and back."""
    if folder.name != uid:
        write_text(uid_file(folder.parent, uid), folder.name + "\n")
        write_text(alias_file(folder.parent, folder.name), uid + "\n")


def unlink_alias(folder: Path, uid: str) -> None:
    """Undo `link_alias`."""
    for path in (alias_file(folder.parent, folder.name), uid_file(folder.parent, uid)):
        remove_file(path)
