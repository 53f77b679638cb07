"""Power of a result, if it was measured: the files of the power director, and the result from the meter's samples."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path

from ck_repo.contract.logs import DETAIL, Detail, lines_of
from ck_repo.errors import CKError
from ck_repo.rounds.check.file_list import check_power_files
from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.logs import MARKED, read_utf8
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission import SMALL
from ck_repo.rounds.submission_rules import REPORTED
from ck_repo.store.plain_file import MISSING, UnreadableError, flaw, shown

_TIME = "%m-%d-%Y %H:%M:%S.%f"
_STAMP = re.compile(r"(\d\d)-(\d\d)-(\d{4}) (\d\d):(\d\d):(\d\d)\.(\d{1,6})", re.ASCII)
_LOGS = ("mlperf_log_trace.json", "results.json")  # files that the official checkers ignore in any folder


def has_power(row: Checked) -> bool:
    """Whether power was measured."""
    return flaw(row.place.root, row.place.results / "performance" / "power") != MISSING


def check_power(row: Checked, scenario: Scenario, log: Detail | None) -> None:
    """Check the files of a power measurement, if there is one.

    Parameters
    ----------
    row
        The result, which gets findings, and its power with a unit: W, or J for each query. Without a complete measurement it
        has
        none.
    log
        The log of the performance run, whose begin and end select the samples of the power meter; None if it was not readable.
    """
    if not has_power(row):
        return
    folder, rules = row.place.results / "performance", row.round.submission.power
    complete = [
        check_power_files(row, folder / "power", rules.files, _LOGS),
        check_power_files(row, folder / "run_1", rules.run_files, rules.optional_files),
        check_power_files(row, folder / "ranging", rules.run_files, rules.optional_files),
    ]
    clocks = [_clock(row, folder / "power" / name) for name in ("client.json", "server.json")]
    if log and not flaw(row.place.root, folder / "run_1" / "spl.txt"):
        client, server = (timedelta(0) if rules.utc or clock is None else clock for clock in clocks)
        _figure(row, scenario, log, client, server)
    if not all(complete):
        row.power, row.power_unit = None, ""


def _clock(row: Checked, path: Path) -> timedelta | None:
    """The offset to add to the time stamps of a machine; None if its file has none."""
    utc = row.round.submission.power.utc
    try:
        text, why = read_utf8(path, row.place.root, SMALL)
        content = json.loads(text)
        zone = content["timezone"] if isinstance(content, dict) and not why else None
        if not isinstance(zone, int | float):
            raise TypeError("no number")
        return timedelta(seconds=zone)
    except UnreadableError:  # reported already
        return None
    except (ValueError, RecursionError, KeyError, TypeError, OverflowError) as error:
        if not utc:
            seen = error if isinstance(error, ValueError) else "none"
            row.add("power", path, "JSON with the timezone of the machine's clock, in seconds", seen)
        elif isinstance(error, ValueError):
            row.add("power-json", path, "JSON", error, getattr(error, "lineno", 0))
        return None


@dataclass(frozen=True)
class _Window:
    """The time of a run on the client's clock."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.begin).total_seconds()


def _figure(row: Checked, scenario: Scenario, log: Detail, client: timedelta, server: timedelta) -> None:
    """Store the mean power during the run in W, or for single queries the energy of a query in J."""
    path = row.place.performance / "spl.txt"
    try:
        window = _Window(*(datetime.strptime(str(log.values[key]), _TIME) + client for key in ("power_begin", "power_end")))
    except (KeyError, ValueError, OverflowError):
        row.add("power", row.place.performance / DETAIL, "power_begin and power_end", "missing, or invalid times")
        return
    try:
        watts = [power for moment, power in read_samples(path, row.place.root) if window.begin < moment + server < window.end]
    except UnreadableError as error:
        row.add("power", path, "samples of the power", error.why)
        return
    except SampleError as error:
        row.add("power", path, "lines Time,…,Watts,…", "an invalid line", error.line)
        return
    except OverflowError:
        row.add("power", path, "times on the server's clock", "a time out of range")
        return
    if not watts:
        seen = "none: check that the clocks of both machines are synchronised"
        row.add("power", path, f"samples between {window.begin} and {window.end}", seen)
        return
    mean = reduce(add, watts) / len(watts)  # as published: Python's `sum` corrects its rounding errors since 3.12
    if not math.isfinite(mean):
        row.add("power", path, "finite numbers as Watts", str(mean), official=REPORTED)
        return
    if not (scenario.power_rate or scenario.power_queries):
        row.power, row.power_unit = mean, scenario.power_unit
        return
    queries = _queries(scenario, log, window)
    if not queries or not math.isfinite(queries):
        keys = " and ".join(filter(None, [*scenario.power_queries, scenario.power_rate]))
        infinite = REPORTED if queries and math.isinf(queries) else ""
        row.add("power", row.place.performance / DETAIL, f"finite numbers as {keys}", "none", official=infinite)
        return
    inference = scenario.inference(log.values.get("effective_scenario"))
    times = inference.times if inference else 1
    row.power, row.power_unit = mean * window.seconds * times / queries, scenario.power_unit


def _queries(scenario: Scenario, log: Detail, window: _Window) -> float | None:
    """The number of queries that the energy is divided by."""
    if scenario.power_rate:
        rate = log.number(scenario.power_rate)
        return None if rate is None else rate * window.seconds
    count = 1.0
    for key in scenario.power_queries:
        number = log.number(key)
        if number is None:
            return None
        count *= number
    return count


class SampleError(CKError):
    """A line of spl.txt is not a sample."""

    code = 9

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(f"{shown(path)}:{line} is not a sample of the power", hint="keep the file as PTDaemon wrote it")
        self.line = line


def _time(text: str) -> datetime:
    """Parse a time stamp of the meter; those with the usual width are parsed faster than by `strptime`."""
    if match := _STAMP.fullmatch(text):
        month, day, year, hour, minute, second, part = match.groups()
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), int(part.ljust(6, "0")))
    return datetime.strptime(text, _TIME)


def read_samples(path: Path, inside: Path | None = None) -> Iterator[tuple[datetime, float]]:
    """Time and total power in W of each line ``Time,…,Watts,…`` of spl.txt, which may have more channels.

    Raises
    ------
    SampleError
        If a line is invalid; the official checkers reject the result, too.
    """
    text, flaw = read_utf8(path, inside)
    if flaw and flaw != MARKED:
        raise SampleError(path, 1)
    lines = lines_of(text)
    if lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        words = line.split(",")
        try:
            yield _time(words[1]), float(words[3])
        except (IndexError, ValueError):
            raise SampleError(path, number) from None
