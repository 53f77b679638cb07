"""`ck compare` of campaigns: machines, cells, a campaign with another one and with an experiment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ck_repo.campaign.compare import compare_sides, compare_within
from ck_repo.campaign.comparison import CELLS, FASTER, MACHINES, SLOWER, UNCLEAR, Pair, Side
from ck_repo.campaign.comparison_table import pairs_table, summary, without_pairs
from ck_repo.campaign.matrix import Cell, cell_of
from ck_repo.campaign.results import Row
from ck_repo.errors import NotFoundError

pytestmark = pytest.mark.usefixtures("program", "log")
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust", "--hopeless=0")


def result(cell: Cell, machine: str, *measured: float, unit: str = "samples/s", missing: int = 0) -> Row:
    value = sorted(measured)[len(measured) // 2] if measured else None
    row = Row(cell, machine, measured=measured, value=value, unit=unit, scenario="offline", valid=True, missing=missing)
    return replace(row, lower_is_better=unit == "ms")


SMALL, LARGE = (cell_of({}, {"batch_size": size}) for size in (1, 4))


def test_campaigns_before_and_after_change_are_compared(
    ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option that differs comes first, and the cells are those with the same values of the other options."""
    words = ("--over.batch_size=1,4", "--repetitions=2")
    assert ck(*SWEEP, *words, "--name=before").code == 0
    monkeypatch.setenv("TOY_SPEED", "1.5")
    assert ck(*SWEEP, *words, "--time=7", "--name=after").code == 0
    done = ck("compare", "campaign:before", "after", "--out=json").json
    (found,) = done["comparisons"]
    assert (found["kind"], found["first"], found["other"]) == ("campaigns", "campaign:before", "campaign:after")
    assert found["settings"]["seconds"] == ["-", "7.0"]
    assert {row["values"]["batch_size"]: row["outcome"] for row in found["cells"]} == {1: "faster", 4: "faster"}
    assert [row["speed"] for row in found["cells"]] == pytest.approx([1.5, 1.5])
    assert found["speed"] == pytest.approx(1.5)
    out = ck("compare", "campaign:before", "campaign:after").out
    assert out.index("seconds") < out.index("batch_size 1") < out.index("2 cells: 1.500 times the speed")
    assert "CPU" not in out
    assert "CPU" in ck("compare", "campaign:before", "campaign:after", "--all").out


def test_cells_are_compared_with_first_or_given_one(ck: Callable[..., Any], log: Path) -> None:
    assert ck(*SWEEP, "--over.threads=1,2,4", "--name=mine").code == 0
    out = ck("compare", "campaign:mine").out
    assert "relative to threads 1 (11 samples/s):" in out
    assert "an interval needs two or more runs of a cell on both sides: `ck sweep --repetitions=3`" in out
    (found,) = ck("compare", "campaign:mine", "--cell=threads=2", "--out=json").json["comparisons"]
    assert {row["values"]["threads"]: row["speed"] for row in found["cells"]} == pytest.approx({1: 0.5, 4: 2.0})
    assert ck("compare", "campaign:mine", "--cell=threads=3").code == 16


def test_experiment_is_compared_with_every_cell(ck: Callable[..., Any], log: Path) -> None:
    assert ck(*SWEEP, "--over.threads=1,2", "--name=mine").code == 0
    run = ck("run", "program:toy-bench", "--threads=8", "--trust", "--out=json").json
    name = f"experiment:{run['experiment']['uid']}"
    for words, speeds in (((name, "campaign:mine"), {1: 0.125, 2: 0.25}), (("campaign:mine", name), {1: 8.0, 2: 4.0})):
        (found,) = ck("compare", *words, "--out=json").json["comparisons"]
        assert {row["values"]["threads"]: row["speed"] for row in found["cells"]} == pytest.approx(speeds)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("campaign:mine", "program:toy-bench"), "is neither a campaign nor an experiment"),
        (("campaign:mine", "--machine=nowhere"), "has no result of the machine nowhere"),
        (("campaign:mine", "campaign:mine", "--cell=threads=1"), "--cell= is for one campaign"),
        (("campaign:mine", "--cell=threads"), "'threads' is not OPTION=VALUE"),
        (("campaign:mine",), "has one result, which there is nothing to compare with"),
        (("campaign",), "needs the name of one entry"),
        (("campaign:mine", "campaign:min"), "there is no campaign:min"),
    ],
)
def test_impossible_comparison_is_refused(ck: Callable[..., Any], log: Path, words: tuple[str, ...], message: str) -> None:
    assert ck(*SWEEP, "--over.threads=1", "--name=mine").code == 0
    done = ck("compare", *words)
    assert done.code
    assert message in done.err


def test_campaign_without_results_is_refused(ck: Callable[..., Any], log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_FAILS", "1")
    failed = ck(*SWEEP, "--over.batch_size=1", "--name=mine")
    assert failed.code == 7
    assert "this batch does not fit into memory" in failed.json["error"]
    done = ck("compare", "campaign:mine")
    assert done.code == 16
    assert "campaign:mine has no result yet" in done.err


def test_machines_are_compared_cell_by_cell() -> None:
    """Clear differences first, then unclear ones, then what cannot be compared."""
    lost = replace(result(LARGE, "b"), why="failed 2 times")
    rows = [
        result(SMALL, "a", 10.0, 10.1), result(SMALL, "b", 10.05, 10.0),
        result(LARGE, "a", 20.0, 20.1), lost,
        result(cell_of({}, {"batch_size": 2}), "a", 10.0, 10.1), result(cell_of({}, {"batch_size": 2}), "b", 5.0, 5.05),
    ]  # fmt: skip
    machines, *cells = compare_within(Side("campaign:x", tuple(rows)))
    assert (machines.kind, machines.first, machines.other) == (MACHINES, "a", "b")
    assert [row[0] for row in pairs_table(machines)[1]] == ["batch_size 2", "batch_size 1", "batch_size 4"]
    assert [row[-2] for row in pairs_table(machines)[1]] == [SLOWER, UNCLEAR, "not compared: failed 2 times"]
    assert summary(machines) == "2 cells: 0.706 times the speed, from 0.500 to 0.998 (1 slower, 1 without a clear difference)"
    assert [(each.kind, each.machine, each.first) for each in cells] == [(CELLS, name, "batch_size 1") for name in "ab"]
    by_b = compare_within(Side("campaign:x", tuple(rows)), "b")[0]
    assert (by_b.first, by_b.other, by_b.pairs[0].outcome) == ("b", "a", FASTER)


def test_lower_latencies_are_faster() -> None:
    pair = Pair(SMALL, result(SMALL, "a", 10.0, 10.0, unit="ms"), result(SMALL, "b", 5.0, 5.0, unit="ms"))
    assert pair.speed == pytest.approx(2.0)
    assert pair.interval == pytest.approx((2.0, 2.0))
    assert pair.outcome == FASTER
    other = Pair(SMALL, result(SMALL, "a", 10.0), result(SMALL, "b", 5.0, unit="ms"))
    assert (other.speed, other.why) == (None, "different scenarios")


def test_campaigns_of_different_machines_are_compared() -> None:
    first = Side("campaign:x", (result(SMALL, "a", 10.0), result(SMALL, "b", 30.0)))
    other = Side("campaign:y", (result(SMALL, "c", 20.0), result(LARGE, "c", 20.0)))
    for machine, name, speed in (("", "a", 2.0), ("b", "b", 20 / 30)):
        (found,) = compare_sides(first, other, machine)
        assert (found.first, found.other) == (f"campaign:x on {name}", "campaign:y on c")
        assert [pair.speed for pair in found.pairs] == pytest.approx([speed])
        assert found.alone == (0, 1)
    shared = Side("campaign:y", (result(SMALL, "b", 20.0), result(SMALL, "c", 20.0)))
    assert [(each.machine, each.first) for each in compare_sides(first, shared)] == [("b", "campaign:x")]
    with pytest.raises(NotFoundError, match="has no result of the machine c"):
        compare_sides(first, other, "c")


def test_cells_without_result_are_named() -> None:
    failed = replace(result(LARGE, ""), why="failed 2 times: no memory")
    (found,) = compare_within(Side("campaign:x", (result(SMALL, "a", 10.0), failed)))
    assert [pair.why for pair in found.pairs] == ["failed 2 times: no memory"]
    first, *_ = compare_within(Side("campaign:x", (result(SMALL, "a", 10.0), result(LARGE, "b", 10.0))))
    assert without_pairs(first) == "no cell was run on both machines: `ck sweep --each=machine` runs every cell on each"


def test_reference_cell_is_first_complete_one() -> None:
    rows = (result(SMALL, "a", 10.0, missing=1), result(LARGE, "a", 20.0, 20.0))
    (found,) = compare_within(Side("campaign:x", rows))
    assert found.first == "batch_size 4"
