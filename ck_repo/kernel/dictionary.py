"""Convert stock CK's dictionaries: keys that name entries, options, and ignored keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.actions.request import Target
from ck_repo.cli.words import Words, put, target
from ck_repo.errors import UsageError

_ENTRY = ("action", "cid", "cids", "xcids", "module_uoa", "data_uoa", "repo_uoa", "unparsed", "unparsed_cmd")
_NEW = ("new_repo_uoa", "new_module_uoa", "new_data_uoa")  # where stock CK's cp, mv and ren put an entry
# internals of stock CK: locks, index, order of JSON keys, change notes, network
_WITHOUT_MEANING = frozenset({
    "common_func", "con_encoding", "elapsed_time", "get_lock", "ignore_update", "internal", "local", "lock_expire_time",
    "lock_retries", "lock_retry_delay", "print_time", "repo_module_uoa", "skip_desc", "skip_indexing", "skip_updates",
    "sort_keys", "time_out", "unlock_uid", "web",
})  # fmt: skip


def words_of(i: Mapping[str, Any]) -> Words:
    """Convert a dictionary to the form of a command line.

    Empty values are ignored, as in stock CK. Keys may be flat (``env.NAME``) or nested (``env: {NAME: …}``).

    >>> words_of({"action": "load", "module_uoa": "env", "data_uoa": "x"}).targets
    [Target(module='env', entry='x', repository='')]
    """
    given = {str(key): value for key, value in i.items() if value is not None and value != ""}
    words = Words(str(given.get("action", "")), _targets(given), {}, tuple(map(str, given.get("unparsed") or ())))
    for key, value in given.items():
        if key not in (*_ENTRY, *_NEW) and key not in _WITHOUT_MEANING:
            put(words.options, key, "yes" if value is True else "no" if value is False else value)
    return words


def _targets(given: Mapping[str, Any]) -> list[Target]:
    first = target(str(given["cid"])) if "cid" in given else Target()
    named = Target(
        str(given.get("module_uoa", first.module)),
        str(given.get("data_uoa", first.entry)),
        str(given.get("repo_uoa", first.repository)),
    )
    rest = [target(str(word)) for word in given.get("cids") or ()]
    rest += [_target(row) for row in given.get("xcids") or ()]
    if any(key in given for key in _NEW):
        repository, module, entry = (str(given.get(key, "")) for key in _NEW)
        rest.append(Target(module or named.module, entry, repository))
    if rest and not named.module:
        raise UsageError("cids has additional entries, but there is no first one", hint="add module_uoa and data_uoa, or cid")
    return [named, *rest] if named.text else []


def _target(row: Any) -> Target:
    if not isinstance(row, Mapping):
        raise UsageError(f"xcids holds {row!r}, which is not a dictionary")
    return Target(*(str(row.get(key, "")) for key in ("module_uoa", "data_uoa", "repo_uoa")))
