"""The modules and the files with their actions; a file is imported only when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ck_repo.actions.declare import Action, Actions
from ck_repo.errors import NotFoundError, did_you_mean
from ck_repo.store.modules import canonical_module, module_uid

if TYPE_CHECKING:
    from ck_repo.store.repositories import Repositories

# module of CK: (file here, summary)
_MODULES = {
    "repo": ("repo", "repositories of entries: pull, add, list, pack"),
    "package": ("package", "installable components: models, data sets, Python packages, LoadGen"),
    "soft": ("soft", "detectors that register interpreters, model files and data sets"),
    "env": ("env", "installed and registered components"),
    "dataset": ("dataset", "data sets: show statistics, convert annotations"),
    "model": ("model", "detection models: show their interface"),
    "venv": ("venv", "Python environments created from a template"),
    "env_templates": ("env_templates", "templates of environments (also venv.template)"),
    "program": ("program", "benchmarks: run, explain, sweep, tune"),
    "experiment": ("experiment", "recorded runs: list, show, find"),
    "campaign": ("campaign", "matrices of runs and searches for settings: list, show, compare"),
    "cluster": ("cluster", "clusters for campaigns: create certificates"),
    "submission": ("submission", "submission trees: check, import, reproduce, summarize"),
    "performance": ("performance", "performance: search for targets, check for regressions"),
    "system": ("system", "the description of a system for a submission"),
    "result": ("result", "published results: import, list"),
    "platform": ("platform", "the machine: operating system, CPU and GPUs"),
    "platform.os": ("platform_os", "the machine's operating system"),
    "platform.cpu": ("platform_cpu", "the machine's CPU"),
    "platform.gpu": ("platform_gpu", "the machine's GPUs"),
    "platform.gpgpu": ("platform_gpu", "the same as platform.gpu"),
}
# other files with actions of a module
_MORE = {
    "repo": ("repo_about",),
    "program": ("sweep", "tune"),
    "package": ("package_about", "package_author"),
    "env": ("env_shell",),
    "experiment": ("experiment_report",),
    "campaign": ("campaign_compare",),
}
# synonyms of actions, the same in every module
_SPELLINGS = {
    "list": "ls", "where": "find", "locate": "find", "cat": "load", "remove": "rm", "delete": "rm", "del": "rm", "copy": "cp",
    "move": "mv", "rename": "ren", "pack": "zip", "unpack": "unzip", "benchmark": "run",
    "reproduce": "replay", "rerun": "replay", "undelete": "restore",
}  # fmt: skip
_WITHOUT_ENTRIES = frozenset(
    {"repo", "model", "submission", "system", "performance", "platform.os"}
)  # modules that are not folders of entries
_KERNEL = "kernel"
_ENTRY = ("entry_list", "entry_change", "entry_archive", "naming", "restore")


def module_names() -> list[str]:
    """The modules that have actions of their own."""
    return list(_MODULES)


def module_summary(module: str) -> str:
    """A one-line summary of a module."""
    return _MODULES[module][1] if module in _MODULES else "entries of a repository"


def known_module(name: str, repositories: Repositories, action: str = "", *, creating: bool = False) -> str:
    """The module's main name; an unknown module is an error, unless it is to be created.

    Parameters
    ----------
    name
        The name as typed.
    action
        The verb before it, for the hint: a word without a module is often the name of an entry.
    creating
        Whether the module may be new.
    """
    name = canonical_module(name)
    if not name or name in _MODULES or creating or "*" in name or "?" in name:
        return name
    from ck_repo.store.search import module_names as modules_on_disk

    known = {*_MODULES, *modules_on_disk(repositories)}
    by_uid = {module_uid(module): module for module in known}
    if name in known or name in by_uid:
        return by_uid.get(name, name)
    meant = _entries_called(name, action, repositories)
    hint = f"did you mean {' or '.join(meant)}?" if meant else did_you_mean(name, known)
    raise NotFoundError(f"there is no module {name!r}", hint=hint)


def _entries_called(name: str, action: str, repositories: Repositories) -> list[str]:
    """Commands for entries of this name, or of a similar name in the only module with the action."""
    from difflib import get_close_matches

    from ck_repo.store.search import find

    verb = action or "info"
    found = {entry.module: entry.alias for entry in find(repositories, "*", name)}
    own = only_module_with(action) if action else ""
    if not found and own:
        near = get_close_matches(name, [entry.alias for entry in find(repositories, own)], n=1, cutoff=0.6)
        found = dict.fromkeys([own] if near else [], "".join(near))
    fitting = [module for module in found if not action or _has_action(module, action)]
    return [f"`ck {verb} {module}:{found[module]}`" for module in fitting or found][:3]


def _has_action(module: str, action: str) -> bool:
    return {action, _SPELLINGS.get(action, action)} & set(actions_of(module)) != set()


def actions_of(module: str) -> Actions:
    """The actions of a module, including the general ones for entries."""
    general = _load(*((_KERNEL,) if not module else _ENTRY)) if module not in _WITHOUT_ENTRIES else {}
    return {**general, **_own(module)}


def _own(module: str) -> Actions:
    return _load(_MODULES[module][0], *_MORE.get(module, ())) if module in _MODULES else {}


def _load(*files: str) -> Actions:
    tables: list[Actions] = [import_module(f"ck_repo.actions.{file}").ACTIONS for file in files]
    return {name: row for table in tables for name, row in table.items()}


def all_spellings() -> dict[str, str]:
    """The synonyms of actions."""
    return dict(_SPELLINGS)


def spellings(action: str, module: str = "") -> list[str]:
    """The synonyms of an action, except those that are actions of the module."""
    own = actions_of(module)
    return [word for word, name in _SPELLINGS.items() if name == action and word not in own]


def only_module_with(action: str) -> str:
    """The only module that has an action, by any of its names; empty if there are several, or none."""
    for name in (action, _SPELLINGS.get(action, action)):
        found = [module for module in _MODULES if name in _own(module)]
        if found:
            return found[0] if len(found) == 1 and name not in _load(_KERNEL) else ""
    return ""


def implied_module(action: str, *, helping: bool) -> str:
    """The module of a command without one; empty if it is required.

    Parameters
    ----------
    helping
        Whether the command asks for help, which needs no module if only one has the action.
    """
    if action in _load(_KERNEL):  # the other files need not be imported
        return ""
    implied = [module for module in _MODULES if (found := _own(module).get(action)) and found.module_implied]
    if implied:
        return implied[0]
    return only_module_with(action) if helping else ""


def find_action(module: str, name: str) -> Action:
    """The action of that name; for an unknown one, the error lists similar names."""
    actions = actions_of(module)
    if name in actions:
        return actions[name]
    name = _SPELLINGS.get(name, name)
    if name in actions:
        return actions[name]
    if not module:
        elsewhere = sorted(other for other in _MODULES if name in actions_of(other))
        if elsewhere:
            raise NotFoundError(
                f"`ck {name}` needs a module", hint="one of " + ", ".join(f"`ck {name} {other}`" for other in elsewhere)
            )
        everything = set(actions).union(*(actions_of(other) for other in _MODULES))
        raise NotFoundError(f"there is no action {name!r}", hint=did_you_mean(name, everything) + "\nsee `ck help`")
    raise NotFoundError(
        f"the module {module!r} has no action {name!r}", hint=f"{did_you_mean(name, actions)}\nsee `ck help {module}`"
    )
