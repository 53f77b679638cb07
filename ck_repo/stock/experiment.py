"""Read experiments of stock CK: points of flattened measurements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.errors import CKError, UsageError
from ck_repo.store.entry import META, Entry, read_json_object
from ck_repo.store.fields import Fields
from ck_repo.table import pair_lines

_FILE = re.compile(r"ckp-(?P<point>[0-9a-f]{16})\.(?:(?P<repetition>[0-9]{4})\.)?")  # ckp-POINT.0001.json, ckp-POINT.flat.json
_SHOWN = 12  # maximum characteristics of a point that are printed


@dataclass(frozen=True)
class Point:
    """A point: one set of choices with the measurements.

    Attributes
    ----------
    uid
        16 hexadecimal digits.
    choices, characteristics
        By dotted key. For a value that varied over repetitions the minimum.
    problem
        Why the point cannot be read; empty if it can.
    """

    uid: str
    choices: Mapping[str, Any]
    characteristics: Mapping[str, Any]
    problem: str = ""

    def as_data(self) -> dict[str, object]:
        """In JSON."""
        problem = {"problem": self.problem} if self.problem else {}
        return {"uid": self.uid, "choices": dict(self.choices), "characteristics": dict(self.characteristics), **problem}


@dataclass(frozen=True)
class StockExperiment:
    """An experiment entry of stock CK.

    Attributes
    ----------
    about
        The description of program, platform and so on in its meta, by dotted key.
    """

    entry: Entry
    recorded: str
    tags: tuple[str, ...]
    about: Mapping[str, Any]

    @property
    def uids(self) -> list[str]:
        """UIDs of its points, sorted."""
        return list(repetitions(self.entry))

    def points(self) -> Iterator[Point]:
        """Its points, in the order of `uids`."""
        return (_read_point(self.entry, uid) for uid in self.uids)


def repetitions(entry: Entry) -> dict[str, tuple[str, ...]]:
    """The UIDs of an experiment's points, sorted, each with the numbers of its repetitions: ``0001`` and so on.

    Empty if the experiment was not recorded by stock CK.
    """
    found: dict[str, set[str]] = {}
    for path in entry.path.iterdir():
        if match := _FILE.match(path.name):
            found.setdefault(match["point"], set()).update(filter(None, [match["repetition"]]))
    return {point: tuple(sorted(found[point])) for point in sorted(found)}


def is_stock_experiment(entry: Entry, meta: Mapping[str, Any]) -> bool:
    """Whether an experiment was recorded by stock CK."""
    if "results" in meta or "published" in meta:
        return False
    return "points" in meta or bool(repetitions(entry))


def read_stock_experiment(entry: Entry, meta: Mapping[str, Any]) -> StockExperiment:
    """Read an experiment's meta; points are read when they are needed."""
    fields = Fields(meta, entry.path / META)
    about = {key: value for key, value in _flattened(fields.table("meta")) if isinstance(value, str | int | float)}
    added = fields.fields("added").text("iso_datetime")
    return StockExperiment(entry, added[:19], fields.tags(), about)


def refuse_stock_experiment(entry: Entry, meta: Mapping[str, Any], verb: str) -> None:
    """Refuse operations that need files of our own experiments.

    Raises
    ------
    UsageError
        If the experiment was recorded by stock CK.
    """
    if is_stock_experiment(entry, meta):
        raise UsageError(
            f"{entry.cid} cannot be {verb}: it was recorded by stock CK, without the lock and logs that this needs",
            hint=f"`ck show {entry.cid}` prints its points",
        )


def summary(experiment: StockExperiment) -> tuple[str, str]:
    """The number of points, and the first characteristic of all of them if there are few."""
    uids = experiment.uids
    count = f"{len(uids)} point{'' if len(uids) == 1 else 's'}"
    if not 0 < len(uids) <= _SHOWN:
        return count, "-"
    points = list(experiment.points())
    for key in points[0].characteristics:
        values = [row.characteristics.get(key) for row in points]
        numbers = [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
        if len(numbers) == len(points):
            low, high = min(numbers), max(numbers)
            return count, f"{key} {low:.6g}" + (f" to {high:.6g}" if high > low else "")
    return count, "-"


def experiment_lines(experiment: StockExperiment) -> list[str]:
    """The experiment as text: tags, description, and each point."""
    rows = [
        ("experiment", f"{experiment.entry.alias} (recorded by stock CK)"),
        ("recorded", experiment.recorded),
        ("tags", ",".join(experiment.tags)),
        *experiment.about.items(),
        ("points", str(len(experiment.uids))),
    ]
    lines = pair_lines(rows)
    for number, point in enumerate(experiment.points()):
        if number == _SHOWN:
            lines += ["", f"{len(experiment.uids) - _SHOWN} more points: --out=json lists them all"]
            break
        lines += [
            "",
            f"point {point.uid}: {', '.join(f'{key}={value}' for key, value in point.choices.items()) or 'no choices'}",
        ]
        if point.problem:
            lines += [f"  unreadable: {point.problem}"]
        shown = list(point.characteristics.items())
        lines += [f"  {key}  {value}" for key, value in shown[:_SHOWN]]
        lines += [f"  {len(shown) - _SHOWN} more characteristics"] if len(shown) > _SHOWN else []
    return lines


def _read_point(entry: Entry, uid: str) -> Point:
    try:
        flat = read_json_object(entry.path / f"ckp-{uid}.flat.json")
    except CKError as error:
        return Point(uid, {}, {}, error.what)
    return Point(uid, _section(flat, "choices"), _section(flat, "characteristics"))


def _section(flat: Mapping[str, Any], name: str) -> dict[str, object]:
    """The values of ``##name#key#min``: numbers first, then text."""
    start, end = f"##{name}#", "#min"
    found = {
        key[len(start) : -len(end)].replace("#", ".").replace("@", "."): value
        for key, value in flat.items()
        if key.startswith(start) and key.endswith(end) and isinstance(value, str | int | float)
    }
    return dict(sorted(found.items(), key=lambda row: (isinstance(row[1], str), row[0])))


def _flattened(table: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in sorted(table.items(), key=lambda row: str(row[0])):
        if isinstance(value, Mapping) and depth < 8:
            yield from _flattened(value, f"{above}{key}.", depth + 1)
        else:
            yield f"{above}{key}", value
