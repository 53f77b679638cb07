"""Retries of downloads: which errors are retried, and how long to wait before."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ck_repo import progress
from ck_repo.errors import UsageError

T = TypeVar("T")
TRIES = 5  # for each URL
LONGEST_WAIT = 120  # s; maximum wait that a server may request


class TransientError(Exception):
    """This attempt failed, but another may succeed.

    Parameters
    ----------
    after
        Seconds that the server asks to wait before it.
    counts
        Whether this attempt counts even if it made more progress than earlier ones.
    """

    def __init__(self, why: str, after: float = 0, *, counts: bool = False) -> None:
        super().__init__(why)
        self.after, self.counts = after, counts


class PermanentError(Exception):
    """All attempts for this URL fail."""


def with_retries(once: Callable[[], T], reached: Callable[[], int] = lambda: 0) -> T:
    """Retry with increasing waits; an attempt with more progress than all earlier ones does not count.

    Parameters
    ----------
    once
        The attempt.
    reached
        The progress so far, such as received bytes.

    Raises
    ------
    PermanentError
        If all tries fail, or the server requests a wait that is too long.
    """
    number, furthest = 0, reached()
    while True:
        try:
            return once()
        except TransientError as error:
            if reached() > furthest:
                furthest = reached()
                number = number if error.counts else 0
            number += 1
            if number >= TRIES:
                raise PermanentError(f"{error} ({TRIES} tries)") from error
            if error.after > LONGEST_WAIT:
                raise PermanentError(f"{error}, and requests a wait of {error.after:.0f} s") from error
            if error.after:
                progress.say(f"waiting {error.after:.0f} s, as requested by the server")
            time.sleep(max(error.after, _wait_base() * 2 ** (number - 1) * random.uniform(0.8, 1.2)))


def _wait_base() -> float:
    """Seconds before the second attempt; the wait doubles each time."""
    return seconds_of("CK_RETRY_WAIT", 1.0)


def seconds_of(variable: str, default: float) -> float:
    """The value of an environment variable in seconds.

    Raises
    ------
    UsageError
        If the value is not a number above 0.
    """
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{variable}={text} is not a number of seconds")
    return seconds
