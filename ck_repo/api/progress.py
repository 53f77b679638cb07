"""The progress of a run, for notebooks, scripts and callback functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ck_repo import progress
from ck_repo.progress import Sink, Task


@dataclass(frozen=True)
class Progress:
    """A step in progress, or a message.

    Attributes
    ----------
    title
        Title of the step, or the message.
    done, total
        Amount done and total, in `unit`; None if unknown.
    unit
        ``B`` for bytes, ``s`` for seconds, or a plural noun.
    note
        Additional text, such as an intermediate result.
    finished
        Whether the step has ended, successfully or not.
    """

    title: str
    done: float | None = None
    total: float | None = None
    unit: str = ""
    note: str = ""
    finished: bool = False


Callback = Callable[[Progress], None]


def shown(wanted: bool | Callback | None) -> AbstractContextManager[None]:
    """Show progress during the block.

    Parameters
    ----------
    wanted
        None shows a self-updating line in a notebook, else bars or lines on stderr. False shows nothing. A function is called
        with each `Progress`.
    """
    return progress.shown_in(_sink(wanted))


def _sink(wanted: bool | Callback | None) -> Sink:
    if wanted is False:
        return progress.SILENT
    if callable(wanted):
        return _Calls(wanted)
    if in_notebook():
        from ck_repo.api.notebook import NotebookSink

        return NotebookSink()
    from ck_repo.cli.progress import console_sink

    return console_sink()


def in_notebook() -> bool:
    """Whether this code runs in a notebook (an IPython kernel)."""
    ipython = sys.modules.get("IPython")  # if IPython runs this code, it is imported
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class _Calls:
    def __init__(self, function: Callback) -> None:
        self._function = function

    def begin(self, title: str, total: float | None, unit: str) -> Task:
        return _Call(self._function, Progress(title, 0, total, unit))

    def say(self, text: str) -> None:
        self._function(Progress(text))


class _Call:
    def __init__(self, function: Callback, state: Progress) -> None:
        self._function, self._state = function, state
        function(state)

    def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
        self._state = Progress(self._state.title, done, total or self._state.total, self._state.unit, note)
        self._function(self._state)

    def close(self) -> None:
        state = self._state
        self._function(Progress(state.title, state.done, state.total, state.unit, state.note, finished=True))
