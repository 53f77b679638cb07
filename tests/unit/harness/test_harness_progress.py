"""Progress lines that the engine can tell from other output."""

from __future__ import annotations

import json

import pytest
from object_detection.progress import Throttle, report, watched


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_line_has_prefix_expected_by_engine(capsys: pytest.CaptureFixture[str]) -> None:
    report("scoring", 3, None, "images")
    line = capsys.readouterr().out
    assert line.startswith('{"progress"')
    assert json.loads(line) == {"progress": "scoring", "done": 3, "total": None, "unit": "images"}


def test_throttle_passes_on_last_value(capsys: pytest.CaptureFixture[str]) -> None:
    report = Throttle("drawing", 10, "images", every=1e12)
    for done in range(1, 11):
        report(done)
    assert [row["done"] for row in rows(capsys)] == [10]


def test_watched_ends_at_total(capsys: pytest.CaptureFixture[str]) -> None:
    with watched("performance", 60, "s", lambda: 1.0):
        pass
    assert rows(capsys)[-1] == {"progress": "performance", "done": 60, "total": 60, "unit": "s"}


def test_note_is_appended(capsys: pytest.CaptureFixture[str]) -> None:
    report("performance", 3, 10, "samples", "117.8 samples/s")
    assert rows(capsys) == [{"progress": "performance", "done": 3, "total": 10, "unit": "samples", "note": "117.8 samples/s"}]
