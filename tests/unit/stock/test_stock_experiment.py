"""Experiments of stock CK in lists and tables, whatever their files contain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.stock.experiment import is_stock_experiment, read_stock_experiment, repetitions, summary
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]
FLAT = {
    "##choices#batch#min": 2, "##choices#batch#max": 2, "##characteristics#run#time#min": 0.5,
    "##characteristics#run#time#all": [0.5, 0.75], "##characteristics#run#state#min": "fine", "##features#cpu#min": "x",
    "##characteristics#run#kernels@0#min": 7,
}  # fmt: skip


@pytest.fixture
def experiment() -> Callable[..., Entry]:
    """An experiment entry with these points, each given as the text of a flat file."""

    def make(*points: str, alias: str = "theirs", **meta: Any) -> Entry:
        entry = create_entry(Repositories().writable(), "experiment", alias, {"points": str(len(points)), **meta})
        for number, text in enumerate(points):
            (entry.path / f"ckp-{number:016x}.flat.json").write_text(text)
            (entry.path / f"ckp-{number:016x}.features_flat.json").write_text("{}")
            (entry.path / f"ckp-{number:016x}.0001.json").write_text("{}")
        return entry

    return make


def test_points_have_choices_and_characteristics(experiment: Callable[..., Entry]) -> None:
    found = read_stock_experiment(entry := experiment(json.dumps(FLAT)), entry.meta())
    (point,) = found.points()
    assert point.choices == {"batch": 2}
    assert list(point.characteristics.items()) == [("run.kernels.0", 7), ("run.time", 0.5), ("run.state", "fine")]
    assert summary(found) == ("1 point", "run.kernels.0 7")


def test_meta_is_shown(experiment: Callable[..., Entry], ck: Ck) -> None:
    about = {"program": "p", "platform": {"cpu": "Xeon", "list": [1]}}
    experiment(json.dumps(FLAT), meta=about, tags="a,b", added={"iso_datetime": "2021-05-06T07:08:09.123"})
    shown = [line.split("  ", 1) for line in ck("show", "experiment:theirs").out.splitlines()[:6]]
    assert [(key.strip(), value.strip()) for key, value in shown] == [
        ("experiment", "theirs (recorded by stock CK)"), ("recorded", "2021-05-06T07:08:09"), ("tags", "a,b"),
        ("platform.cpu", "Xeon"), ("program", "p"), ("points", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{", "[]", '{"##characteristics#a#min": {}}', '{"##characteristics#a#min": "x"}', ""])
def test_unreadable_point_does_not_hide_others(text: str, experiment: Callable[..., Entry], ck: Ck) -> None:
    experiment(text, json.dumps(FLAT))
    assert "2 points" in ck("ls", "experiment").out
    assert "run.time  0.5" in ck("show", "experiment:theirs").out


def test_many_points_are_counted(experiment: Callable[..., Entry], ck: Ck) -> None:
    experiment(*[json.dumps(FLAT)] * 30)
    assert "30 points" in ck("ls", "experiment").out
    assert "18 more points: --out=json lists them all" in ck("show", "experiment:theirs").out
    assert len(ck("show", "experiment:theirs", "--out=json").json["points"]) == 30


def test_our_experiment_is_not_a_stock_one(experiment: Callable[..., Entry]) -> None:
    entry = create_entry(Repositories().writable(), "experiment", "ours", {"results": {}})
    assert not is_stock_experiment(entry, entry.meta())


WRONG: dict[str, dict[str, Any]] = {
    "results are a list": {"results": []},
    "mAP is a text": {"results": {"accuracy": {"mAP": "0.8"}}},
    "mAP is too large": {"results": {"accuracy": {"mAP": 10**400}}},
    "a figure is infinite": {
        "results": {"scenario": "offline", "performance": {"valid": True, "samples_per_second": float("inf")}}
    },
    "latencies are a list": {"results": {"performance": {"valid": True, "latency_ms": [1]}}},
    "valid is a number": {"results": {"performance": {"valid": 1}}},
    "platform is a text": {"results": {}, "platform": "x"},
    "packages are a list": {"results": {}, "venv": {"packages": []}},
    "repositories hold a text": {"results": {}, "repositories": {"a": "x"}},
    "tags are a number": {"results": {}, "tags": 5},
    "published is a list": {"published": [1]},
    "published without a model": {"published": {"scenario": "Offline"}},
    "a verdict is a text": {"results": {}, "parent": {"alias": "x"}, "verdict": "yes"},
    "points of stock CK, tags a number": {"points": "1", "tags": 5},
    "points of stock CK, added a list": {"points": "1", "added": [1]},
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_malformed_experiment_does_not_break_the_list(kind: str, ck: Ck) -> None:
    repositories = Repositories()
    create_entry(repositories.writable(), "experiment", "wrong", WRONG[kind])
    good = {"recorded": "2026-01-01", "results": {"model": "m", "scenario": "offline", "accuracy": {"mAP": 0.5}}}
    create_entry(repositories.writable(), "experiment", "good", good)
    done = ck("ls", "experiment")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()[2:]] == ["good", "wrong"]
    assert "wrong  unreadable: " in done.out
    rows = ck("ls", "experiment", "--out=json").json["lst"]
    assert [("error" in row) for row in sorted(rows, key=lambda row: row["data_uoa"])] == [False, True]
    assert ck("show", "experiment").out.startswith("experiment  good")
    assert "wrong: unreadable: " in ck("show", "experiment:*").out
    for words in (["show", "experiment:wrong"], ["compare", "experiment:good", "experiment:wrong"]):
        done = ck(*words)
        assert done.code in (2, 3)
        assert "Traceback" not in done.err


def test_non_json_meta_does_not_break_the_list(ck: Ck, tmp_path: Path) -> None:
    entry = create_entry(Repositories().writable(), "experiment", "wrong", {})
    (entry.path / ".cm" / "meta.json").write_text('{"results": ' + "9" * 5000)
    done = ck("ls", "experiment")
    assert (done.code, "wrong  unreadable: " in done.out) == (0, True)


ONE, TWO = "0a1b2c3d4e5f6071", "f0e1d2c3b4a59687"


@pytest.fixture
def two_points() -> Entry:
    """An experiment entry with two points: one measured twice, the other without a flat file."""
    entry = create_entry(Repositories().writable(), "experiment", "theirs", {})
    for name in (f"ckp-{TWO}.0001.json", f"ckp-{TWO}.0002.json", f"ckp-{TWO}.flat.json", f"ckp-{ONE}.features.json", "ckp-no"):
        (entry.path / name).write_text("{}")
    return entry


def test_points_and_their_repetitions(two_points: Entry) -> None:
    assert repetitions(two_points) == {ONE: (), TWO: ("0001", "0002")}
    assert is_stock_experiment(two_points, {})


def test_every_command_sees_the_same_points(ck: Ck, two_points: Entry) -> None:
    answer = ck("list_points", "experiment:theirs", "--out=json").json
    assert (answer["points"], answer["points_count"], answer["path"]) == ([ONE, TWO], 2, str(two_points.path))
    assert ck("list_points", "experiment:theirs", f"--point={TWO}").out == f"{TWO}-0001\n{TWO}-0002\n"
    assert ck("list_points", "experiment:theirs", "--point=f0e1").code == 16
    shown = ck("show", "experiment:theirs", "--out=json").json["points"]
    assert [(row["uid"], "problem" in row) for row in shown] == [(ONE, True), (TWO, False)]
    assert "2 points" in ck("ls", "experiment").out
