"""From the words of the command line to an exit status."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from io import TextIOWrapper

from ck_repo import network, progress
from ck_repo.actions import catalogue
from ck_repo.actions.declare import Action, Answer
from ck_repo.actions.request import Request, Target
from ck_repo.actions.retired import retired_action
from ck_repo.cli import words as grammar
from ck_repo.cli.checking import checked_options, refuse_more_entries
from ck_repo.cli.output import Output
from ck_repo.cli.progress import console_sink
from ck_repo.errors import CKError, InterruptedByUser, StorageError
from ck_repo.store.modules import canonical_module

_INTERRUPTED = "interrupted; what was whole is kept, a run that was under way leaves nothing, and a download goes on next time"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without a sign gets its code, not an error
            stream.reconfigure(errors="backslashreplace")
    _end_on_terminate()
    output = Output.guess(typed)
    try:
        words = grammar.parse(typed)
        output = Output.of(words)
        return output.answer(run(words))
    except BrokenPipeError:
        return output.reader_left()
    except KeyboardInterrupt:
        return output.error(InterruptedByUser(_INTERRUPTED))
    except CKError as error:
        return output.error(error)
    except OSError as error:
        return output.error(StorageError(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")))
    except Exception as error:
        return output.error(
            CKError(f"{type(error).__name__}: {error}", hint="this is a fault of ck itself: --debug shows where")
        )


def _end_on_terminate() -> None:
    """Let SIGTERM, which batch systems send, clean up as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def run(words: grammar.Words) -> Answer:
    """Find the action and run it."""
    if words.action == "help" or not (words.action or words.options.get("version")):
        from ck_repo.cli import help as pages

        module = catalogue.known_module(words.targets[0].module) if words.targets else ""
        return Answer(lines=pages.of_module(module) if module else pages.overview())
    if words.options.get("help") and not words.targets and canonical_module(words.action) in catalogue.module_names():
        from ck_repo.cli import help as pages

        return Answer(lines=pages.of_module(canonical_module(words.action)))
    if not words.action:  # --version
        words.action = "version"
        words.options.pop("version")
    if words.options.get("help") and not words.targets and (module := catalogue.only_module_with(words.action)):
        words.targets.append(Target(module))
    target = words.targets[0] if words.targets else Target()
    if retired := retired_action(words.action, target.module):
        module, action = target.module, retired
    else:
        module = catalogue.known_module(target.module, creating=words.action in ("add", "unzip", "unpack"))
        action = catalogue.find_action(module, words.action)
    command = " ".join(part for part in (words.action, module) if part)
    if words.options.get("help"):
        from ck_repo.cli import help as pages

        return Answer(lines=pages.of_action(module, action))
    request = _request(words, module, target, action, command)
    if request.flag("offline"):
        network.go_offline()
    if request.text("out") != "none":
        progress.send_to(console_sink())
    return action.run(request)


def _known(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Further targets, their modules by their own names; a word alone may be an entry's."""
    return tuple(replace(row, module=canonical_module(row.module)) for row in targets)


def _request(words: grammar.Words, module: str, target: Target, action: Action, command: str) -> Request:
    refuse_more_entries(action, words.targets[1:], command)
    options = checked_options(words.options, action, command)
    if module == "repo" and target.entry and target.repository:
        target = Target(module, f"{target.repository}:{target.entry}")
    return Request(
        words.action, Target(module, target.entry, target.repository), _known(words.targets[1:]), options, words.rest
    )
