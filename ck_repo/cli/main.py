"""From the words of the command line to an exit status."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from ck_repo import progress
from ck_repo.actions import catalogue
from ck_repo.actions.declare import Action, Answer
from ck_repo.actions.request import Request, Target
from ck_repo.cli import words as grammar
from ck_repo.cli.checking import checked_options, refuse_more_entries
from ck_repo.cli.progress import console_sink
from ck_repo.errors import CKError, InterruptedByUser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--out=json" in typed
    debug = "--debug" in typed
    _end_on_terminate()
    try:
        answer = run(typed)
        _print_answer(answer, as_json)
        return 0
    except BrokenPipeError:  # the reader of a pipe, `head` say, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _print_error(
            InterruptedByUser("interrupted; what was finished is kept, the same command goes on from there"), as_json
        )
    except CKError as error:
        if debug:
            _print_traceback()
        return _print_error(error, as_json)
    except Exception as error:
        if debug:
            _print_traceback()
        kind = CKError(f"{type(error).__name__}: {error}", hint="this is a fault of ck itself: --debug shows where")
        return _print_error(kind, as_json)


def _end_on_terminate() -> None:
    """Let SIGTERM, which batch systems send, clean up as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def run(typed: Sequence[str]) -> Answer:
    """Find the action and run it."""
    words = grammar.parse(typed)
    if words.action == "help" or not words.action:
        from ck_repo.cli import help as pages

        module = catalogue.known_module(words.targets[0].module) if words.targets else ""
        return Answer(lines=pages.of_module(module) if module else pages.overview())
    if words.options.get("help") and not words.targets and words.action in catalogue.module_names():
        from ck_repo.cli import help as pages

        return Answer(lines=pages.of_module(words.action))
    target = words.targets[0] if words.targets else Target()
    module = catalogue.known_module(target.module, creating=words.action == "add")
    action = catalogue.find_action(module, words.action)
    command = " ".join(part for part in (words.action, module) if part)
    if words.options.get("help"):
        from ck_repo.cli import help as pages

        return Answer(lines=pages.of_action(module, action))
    request = _request(words, module, target, action, command)
    if request.text("out") != "none":
        progress.send_to(console_sink())
    return action.run(request)


def _request(words: grammar.Words, module: str, target: Target, action: Action, command: str) -> Request:
    refuse_more_entries(action, words.targets[1:], command)
    options = checked_options(words.options, action, command)
    if module == "repo" and target.entry and target.repository:
        target = Target(module, f"{target.repository}:{target.entry}")
    return Request(words.action, Target(module, target.entry, target.repository), tuple(words.targets[1:]), options, words.rest)


def _print_answer(answer: Answer, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"return": 0, **answer.data}, ensure_ascii=False, default=str))
    elif answer.lines:
        print("\n".join(answer.lines))
    sys.stdout.flush()


def _print_error(error: CKError, as_json: bool) -> int:
    if as_json:
        content: dict[str, Any] = {"return": error.code, "error": str(error)}
        if error.hint:
            content["hint"] = error.hint
        if error.log:
            content["log"] = error.log
        print(json.dumps(content, ensure_ascii=False))
        sys.stdout.flush()
    print(f"ck: error: {error}", file=sys.stderr)
    return error.code


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()
