"""Find and run the action of a command, for the command line and `ck_repo.access`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ck_repo import network
from ck_repo.actions import catalogue
from ck_repo.actions.declare import Action, Answer
from ck_repo.actions.request import Request, Target
from ck_repo.actions.retired import retired_action
from ck_repo.cli.checking import checked_options, refuse_more_entries
from ck_repo.cli.words import Words
from ck_repo.errors import CKError, ConfigError, StorageError, UsageError
from ck_repo.session import Session
from ck_repo.store.atomic import storage_error
from ck_repo.store.folders import repos_root, tools_root
from ck_repo.store.modules import canonical_module
from ck_repo.store.plain_file import shown
from ck_repo.store.repositories import Repositories


def perform(words: Words) -> Answer:
    """Find and run the action."""
    repositories = Repositories()
    if words.action == "help" or not (words.action or words.options.get("version")):
        from ck_repo.cli import help as pages

        module = catalogue.known_module(words.targets[0].module, repositories) if words.targets else ""
        return Answer(lines=pages.of_module(module) if module else pages.overview())
    if words.options.get("help") and not words.targets and canonical_module(words.action) in catalogue.module_names():
        from ck_repo.cli import help as pages

        return Answer(lines=pages.of_module(canonical_module(words.action)))
    if not words.action:  # --version
        words.action = "version"
        words.options.pop("version")
    if not words.targets and (module := catalogue.implied_module(words.action, helping=bool(words.options.get("help")))):
        words.targets.append(Target(module))
    target = words.targets[0] if words.targets else Target()
    if retired := retired_action(words.action, target.module):
        module, action = target.module, retired
    else:
        creating = words.action in ("add", "unzip", "unpack")
        module = catalogue.known_module(target.module, repositories, words.action, creating=creating)
        action = catalogue.find_action(module, words.action)
    command = " ".join(part for part in (words.action, module) if part)
    if words.options.get("help"):
        from ck_repo.cli import help as pages

        return Answer(lines=pages.of_action(module, action))
    request = _request(words, module, target, action, command, repositories)
    with network.scope(offline=request.flag("offline")):
        return action.run(request)


def request_for(action: str, target: Target, options: Mapping[str, object]) -> Request:
    """A request from Python code, whose options are checked like those of the command line."""
    found = catalogue.find_action(target.module, action)
    return _request(
        Words(action, [target], dict(options)), target.module, target, found, f"{action} {target.module}", Repositories()
    )


def error_of(error: Exception) -> CKError:
    """Convert any exception to an error that can be shown to a user."""
    if isinstance(error, CKError):
        return error
    if isinstance(error, OSError):
        what = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        return storage_error(error) or StorageError(what, hint=_hint_of_place(error))
    if isinstance(error, RecursionError):
        return ConfigError(
            "something is nested too deeply: a path of hundreds of folders, or nested values in a file",
            hint="--debug shows where",
        )
    if isinstance(error, MemoryError):
        return StorageError("there is not enough memory for this", hint="end other programs, or use a machine with more memory")
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # raised by Path.expanduser
        return UsageError("a path begins with ~, but there is no such home directory", hint="write the full path")
    if isinstance(error, UnicodeEncodeError):
        return UsageError(f"{shown(error.object)} is not UTF-8 text", hint="names, tags and options must be UTF-8")
    return CKError(f"{type(error).__name__}: {error}", hint="this is a bug in ck: --debug shows where")


def _hint_of_place(error: OSError) -> str:
    """A hint for a folder of CK_REPOS or CK_TOOLS that cannot be created; empty for other errors."""
    for variable, place in (("CK_REPOS", repos_root), ("CK_TOOLS", tools_root)):
        with suppress(CKError):
            root = place()
            if not root.is_dir() and str(error.filename) in map(str, (root, *root.parents)):
                return f"set {variable} to a folder that can be created; it is {root}"
    return ""


def _known(targets: Sequence[Target]) -> tuple[Target, ...]:
    """The other targets, with main names of modules; a word without a colon may be an entry."""
    return tuple(replace(row, module=canonical_module(row.module)) for row in targets)


def _request(words: Words, module: str, target: Target, action: Action, command: str, repositories: Repositories) -> Request:
    refuse_more_entries(action, words.targets[1:], command)
    options = checked_options(words.options, action, command)
    if module == "repo" and target.entry and target.repository:
        target = Target(module, f"{target.repository}:{target.entry}")
    return Request(
        words.action,
        Target(module, target.entry, target.repository),
        _known(words.targets[1:]),
        options,
        words.rest,
        Session(repositories, trust=bool(options.get("trust", False))),
    )
