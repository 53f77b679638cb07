"""A machine that is busy, hot or throttled waits before it is measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container
from dataclasses import dataclass

from ck_repo import progress
from ck_repo.errors import CKError, ConfigError
from ck_repo.machine.disturbances import disturbances

VARIABLE = "CK_SETTLE"
BUSY, SECONDS = 0.1, 120.0
_PAUSE = 5.0  # s between two checks of a machine that is not ready


@dataclass(frozen=True)
class Settling:
    """When a machine is ready, and how long it may take to become so.

    Attributes
    ----------
    busy
        The share of the CPU time that other programs may use, 0–1.
    seconds
        How long it may wait; 0: its state is not checked.
    """

    busy: float = BUSY
    seconds: float = SECONDS

    def reasons(self) -> list[str]:
        """Why the machine is not ready; empty if it is, or is not checked."""
        return disturbances(self.busy) if self.seconds else []


class NotReadyError(CKError):
    """The machine is busy, hot or throttled."""


def usual_seconds() -> float:
    """How long a machine may wait by default: CK_SETTLE, or 120 s.

    Raises
    ------
    ConfigError
        If CK_SETTLE is not a number of seconds.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        found = float(text) if text else SECONDS
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ConfigError(f"{VARIABLE} is {text!r}, not a number of seconds", hint="0 means that machines do not wait")
    return found


class Settled:
    """Waits until this machine is ready; the time is bounded for all measurements until it was ready again.

    Parameters
    ----------
    look
        Why the machine is not ready.
    sleep, clock
        A function that waits for some seconds, and a clock that advances during the wait.
    """

    def __init__(
        self,
        settling: Settling,
        look: Callable[[], list[str]] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settling, self._look = settling, look or settling.reasons
        self._sleep, self._clock = sleep, clock
        self._left = settling.seconds

    def __call__(self) -> list[str]:
        """Wait; return why the machine still is not ready, if it is not."""
        began = self._clock()
        said = False
        while reasons := self._look():
            waited = self._clock() - began
            if waited >= self._left:
                if self._left or said:
                    progress.warn(f"measured anyway: {'; '.join(reasons)}")
                self._left = 0.0
                return reasons
            if not said:
                progress.say(f"waiting up to {self._left:.0f} s: {'; '.join(reasons)}", always=True)
                said = True
            self._sleep(min(_PAUSE, self._left - waited))
        self._left = self._settling.seconds
        return []


class Waiting:
    """The machines of a cluster that are not ready: they are asked again after a while, and finally skipped.

    Parameters
    ----------
    seconds
        How long a machine may wait.
    rest
        Seconds until a machine is asked again.
    """

    def __init__(self, seconds: float, rest: float) -> None:
        self._seconds, self._rest = seconds, rest
        self._since: dict[str, float] = {}
        self._asked: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._since)

    def note(self, machine: str, why: str) -> bool:
        """Note that a machine is not ready; the first and the last time are a warning.

        Parameters
        ----------
        why
            The reason, such as its load.

        Returns
        -------
        bool
            Whether it has waited for too long, and is skipped.
        """
        self._asked[machine] = now = time.monotonic()
        if machine not in self._since:
            progress.warn(f"{machine} waits up to {self._seconds:.0f} s: {why}")
            self._since[machine] = now
        elif now - self._since[machine] >= self._seconds:
            progress.warn(f"{machine} is skipped from now on, after {self._seconds:.0f} s: {why} (--busy= allows more load)")
            del self._since[machine]
            return True
        return False

    def keep(self, machines: Container[str]) -> None:
        """Forget all other machines, which are gone."""
        self._since = {name: since for name, since in self._since.items() if name in machines}

    def forget(self, machine: str) -> None:
        """Note that a machine was ready."""
        self._since.pop(machine, None)

    def resting(self) -> set[str]:
        """The machines that are not asked now."""
        now = time.monotonic()
        return {name for name, asked in self._asked.items() if now - asked < self._rest}


def at_once(settling: Settling) -> Callable[[], list[str]]:
    """For a worker, whose scheduler waits: an error if the machine is not ready."""

    def look() -> list[str]:
        if reasons := settling.reasons():
            raise NotReadyError("; ".join(reasons))
        return []

    return look
