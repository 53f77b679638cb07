"""Power of a result, where it was measured: the files of the power director, and the metric from its samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.logs import Detail, read_text
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission import DETAIL, SMALL
from ck_repo.store.plain_file import UnreadableError, flaw, is_folder

_TIME = "%m-%d-%Y %H:%M:%S.%f"


def has_power(row: Checked) -> bool:
    """Whether power was measured."""
    return is_folder(row.place.root, row.place.results / "performance" / "power")


def check_power(row: Checked, scenario: Scenario, log: Detail | None) -> None:
    """Check the files of a power measurement, and enter its figure in `row`."""
    if not has_power(row):
        return
    folder = row.place.results / "performance"
    for name in row.round.submission.power_files:
        path = folder / "power" / name
        if not row.needs("power", path):
            continue
        try:
            json.loads(read_text(path, row.place.root, SMALL))
        except UnreadableError as error:
            row.add("power", path, "JSON", error.why)
        except (ValueError, RecursionError) as error:
            row.add("power", path, "JSON", error, getattr(error, "lineno", 0))
    for path in (folder / "ranging", folder / "run_1" / "spl.txt"):
        if not path.exists():
            row.add("power", path, "what the power director left", "no such file or folder")
    if log and not flaw(row.place.root, folder / "run_1" / "spl.txt"):
        _metric(row, scenario, log, folder / "run_1" / "spl.txt")


def _metric(row: Checked, scenario: Scenario, log: Detail, path: Path) -> None:
    """Mean power between the begin and the end of the run: W, or for queries one by one J a query."""
    try:
        begin, end = (datetime.strptime(str(log.values[key]), _TIME) for key in ("power_begin", "power_end"))
    except (KeyError, ValueError):
        row.add("power", row.place.performance / DETAIL, "power_begin and power_end", "not there, or no times")
        return
    try:
        watts = [power for moment, power in read_samples(path, row.place.root) if begin <= moment <= end]
    except UnreadableError as error:
        row.add("power", path, "samples of the power", error.why)
        return
    if not watts:
        row.add("power", path, f"samples between {begin} and {end}", "none: are the clocks of both machines the same?")
        return
    mean = sum(watts) / len(watts)
    if scenario.power_rate:
        if rate := log.number(scenario.power_rate):
            row.power, row.power_unit = round(mean / rate, 9), scenario.power_unit
    elif not scenario.power_queries:
        row.power, row.power_unit = round(mean, 6), scenario.power_unit
    elif queries := log.number(scenario.power_queries):
        row.power, row.power_unit = round(mean * (end - begin).total_seconds() / queries, 9), scenario.power_unit


def read_samples(path: Path, inside: Path | None = None) -> Iterator[tuple[datetime, float]]:
    """Time and watts of each line ``Time,…,Watts,…`` of spl.txt; lines that are none are passed over."""
    for line in read_text(path, inside).splitlines():
        words = line.split(",")
        values = dict(zip(words[::2], words[1::2], strict=False))
        try:
            yield datetime.strptime(values["Time"], _TIME), float(values["Watts"])
        except (KeyError, ValueError):
            continue
