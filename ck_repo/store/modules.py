"""The modules of CK that this project knows, their UIDs, and their other names."""

from __future__ import annotations

from hashlib import sha256

from ck_repo.store.uid import uid_from_digest

# UIDs from the public repositories' alias files, so that stock CK recognises its own modules in our repositories.
_STOCK_UIDS = {
    "module": "032630d041b4fd8a",
    "soft": "5e1100048ab875d7",
    "package": "1dc07ee0f4742028",
    "env_templates": "00437f87b26fd015",
    "venv": "7ed17cb445bb5f69",
    "env": "9b9b3208ac44b891",
    "program": "b0ac08fe1d3c2615",
    "experiment": "bc0409fb61f0aa82",
    "repo": "befd7892b0d469e9",
    "platform.os": "41e31cc4496b8a8e",
    "platform": "707ccdfe444cafac",
    "platform.cpu": "aa6b542a420b8db9",
    "platform.gpu": "55ec7775f4afaabd",
    "platform.gpgpu": "192ed4e0bbdbe743",
    "result": "4cd2850867df4241",
    "dataset": "8a7141c59cd335f5",
}
STOCK_MODULES = frozenset(_STOCK_UIDS)
# modules whose entries describe what is installed or run, and can be selected by tags alone
RECIPES = frozenset({"package", "soft", "env_templates", "program", "module"})
_ALIASES = {"venv.template": "env_templates", "results": "result", "repository": "repo"}
_BY_UID = {uid: name for name, uid in _STOCK_UIDS.items()}


def canonical_module(name: str) -> str:
    """The module's main name for any of its names or its UID."""
    return _ALIASES.get(name) or _BY_UID.get(name) or name


def other_names(name: str) -> list[str]:
    """The module's names, any of which its folder may have in a repository; the main name first."""
    own = canonical_module(name)
    return [other for other in (own, *(alias for alias, of in _ALIASES.items() if of == own)) if other != name]


def module_uid(name: str) -> str:
    """The module's UID; for an unknown module it is derived from the name."""
    return _STOCK_UIDS.get(name) or uid_from_digest(sha256(b"module " + name.encode()).hexdigest())


def folder_uid(name: str) -> str:
    """The UID of the module for a folder with that name, which may be any of the module's names."""
    return module_uid(canonical_module(name))
