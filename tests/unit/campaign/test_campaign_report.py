"""The page of a campaign: its table, charts, machines, links to reports of runs, and the search for settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ck_repo.campaign.goal import GOALS
from ck_repo.campaign.matrix import cell_of
from ck_repo.campaign.result_charts import machine_charts
from ck_repo.campaign.results import Row
from ck_repo.campaign.results_table import by_machine
from ck_repo.campaign.study_charts import goals_chart, history_charts, importance_charts

pytestmark = pytest.mark.usefixtures("program", "log")


@pytest.fixture(autouse=True)
def packages() -> None:
    pytest.importorskip("vl_convert")
    pytest.importorskip("jinja2")


def charts_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', text)
    assert found
    charts: dict[str, Any] = json.loads(found[1])
    return charts


def test_page_of_sweep_links_reports_of_front(ck: Callable[..., Any], tmp_path: Path) -> None:
    done = ck("sweep", "program:toy-bench", "--over.batch_size=1,4", "--name=mine", "--trust", "--out=json")
    best = next(row for row in done.json["rows"] if row["on_front"])
    page = tmp_path / "mine.html"
    assert ck("report", "campaign:mine", f"--output={page}", "--out=json").json["path"] == str(page)
    text = page.read_text()
    assert list(charts_of(text)) == ["front-0"]
    uid = best["experiments"][0]["uid"]
    assert f'<a href="mine-runs/{uid}.html">' in text
    assert [path.name for path in (tmp_path / "mine-runs").iterdir()] == [f"{uid}.html"]
    assert "14 samples/s" in text


def test_sweep_writes_page(ck: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ck("sweep", "program:toy-bench", "--over.batch_size=1,4", "--name=mine", "--trust", "--report", "--out=json")
    assert done.json["report"] == str(tmp_path / "ck-report-mine.html")
    assert "14 samples/s" in (tmp_path / "ck-report-mine.html").read_text()


def test_page_of_search_has_history_importance_and_front(ck: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    words = ("--over.threads=1,3", "--over.batch_size=1,4", "--sessions=1", "--repetitions=2", "--time=1", "--name=best")
    assert ck("tune", "program:toy-bench", "--goal=throughput,accuracy", *words, "--trust").code == 0
    page = tmp_path / "best.html"
    assert ck("report", "campaign:best", f"--output={page}").code == 0
    text = page.read_text()
    charts = charts_of(text)
    assert {"history-throughput", "history-accuracy", "importance-throughput", "goals"} <= set(charts)
    assert "threads 3, batch_size 4" in text
    assert "ck run program:toy-bench --tuned" in text


def test_page_of_search_without_trial_is_written(
    ck: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setenv("TOY_FAILS", "1")
    words = ("--over.threads=1,3", "--batch-size=1", "--sessions=1", "--time=1", "--name=none")
    assert ck("tune", "program:toy-bench", "--goal=throughput", *words, "--trust").code == 7
    page = tmp_path / "none.html"
    done = ck("report", "campaign:none", f"--output={page}", "--out=json")
    assert done.json["notes"] == ["There is no trial yet."]


def _rows() -> list[Row]:
    cells = [cell_of({}, {"batch_size": size}) for size in (1, 4)]
    row = Row(cells[0], "one", scenario="offline", unit="samples/s", value=10.0, valid=True)
    return [
        row,
        replace(row, machine="two", value=20.0),
        replace(row, cell=cells[1], value=15.0),
        replace(row, cell=cells[1], machine="two", value=None),
    ]


def test_page_shows_machines_side_by_side() -> None:
    header, lines = by_machine(_rows())
    assert header == ["cell", "one", "two"]
    assert lines == [
        ("batch_size 1", "10 samples/s (0.50)", "20 samples/s (1.00)"),
        ("batch_size 4", "15 samples/s (1.00)", "-"),
    ]
    assert [len(chart.rows) for chart in machine_charts(_rows())] == [3]
    assert machine_charts(_rows()[:1]) == []


def test_charts_show_trials_of_search() -> None:
    goals = [GOALS["throughput"], GOALS["latency"]]
    trials: list[dict[str, Any]] = [
        {"number": 0, "figures": {"throughput": 10.0, "latency": 5.0}, "values": {"threads": 1}, "violation": 0.0},
        {"number": 1, "figures": {"throughput": 30.0, "latency": 9.0}, "values": {"threads": 2}, "violation": 0.1},
        {"number": 2, "figures": {}, "values": {"threads": 3}, "violation": None},
    ]
    throughput, latency = history_charts(goals, trials)
    assert [row["best"] for row in throughput.spec["layer"][1]["data"]["values"]] == [10.0, 10.0]  # the second loses accuracy
    assert [row[1] for row in latency.rows] == ["threads 1", "threads 2"]
    chart = goals_chart(goals, trials, [0])
    assert chart is not None
    assert [row[4] for row in chart.rows] == ["on the front", "not on the front"]
    assert goals_chart(goals[:1], trials, [0]) is None
    assert importance_charts({"latency": {"threads": 0.75, "backend_options.arena": 0.25}})[0].rows[1] == ("arena", "0.250")
