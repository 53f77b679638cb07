"""A campaign's journal: each event is a line that is appended and flushed, so that a killed process loses none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ck_repo.store.atomic import storage_errors

NAME = "journal.jsonl"
BEGUN = "begun"  # a call of the command: earlier results are found in the experiments
FOUND = "found"  # a recorded run that is used for the cell
RUN = "run"
FAILED = "failed"
DROPPED = "dropped"  # the cell gets no further runs
IMPOSSIBLE = "impossible"  # the cell cannot be planned
STOPPED = "stopped"


@dataclass(frozen=True)
class Event:
    """An event.

    Attributes
    ----------
    cell
        The cell's key; empty for events of the campaign.
    experiment
        UID of a recorded run.
    seconds
        Duration of a run.
    """

    kind: str
    cell: str = ""
    experiment: str = ""
    repetition: int = 0
    machine: str = ""
    why: str = ""
    seconds: float = 0.0


class Journal:
    """The journal in an entry's folder, which one process at a time writes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._held: list[str] | None = None

    def add(self, events: Iterable[Event]) -> None:
        """Append events; they are on the disk when this returns, or at the end of `together`."""
        lines = "".join(json.dumps({key: value for key, value in asdict(each).items() if value}) + "\n" for each in events)
        if self._held is not None:
            self._held.append(lines)
        elif lines:
            self._append(lines)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write the events of the body at its end, with one flush of the disk."""
        self._held = []
        try:
            yield
        finally:
            lines, self._held = "".join(self._held), None
            if lines:
                self._append(lines)

    def _append(self, lines: str) -> None:
        with storage_errors(f"writing {self._path}"), open(self._path, "ab+") as file:
            if file.tell():  # a line that a killed writer left unfinished is ended, and readers ignore it
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else "\n" + lines
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> list[Event]:
        """The events since the command was last started; unreadable lines are skipped."""
        found: list[Event] = []
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return found
        for line in content.splitlines():
            with suppress(ValueError, TypeError):
                event = Event(**json.loads(line))
                if event.kind == BEGUN:
                    found.clear()
                else:
                    found.append(event)
        return found
