"""The layout measured by one run is reused by the next, unless something it depends on has changed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit.run.bench import WELL, Bench

from ck_repo.contract.results import Results
from ck_repo.contract.spec import MeasuredLayout
from ck_repo.machine import platform
from ck_repo.run import kept_layout
from ck_repo.run.kept_layout import KeptLayout
from ck_repo.run.pipeline import RunRecord
from ck_repo.store.folders import tools_root

FOUND = MeasuredLayout(2, 1, 4, 80.5, "1", "2026-01-02T03:04:05Z")
# like the harness: return the given layout, or measure one
MEASURES = """
given = spec["layout"]
results["layout"] = given or {
    "sessions": 2, "threads": 1, "batch_size": 4, "samples_per_second": 80.5, "backend_version": "1",
    "measured": "2026-01-02T03:04:05Z",
}
results["layout_source"] = "kept" if given else "measured"
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def run(bench: Bench, **options: Any) -> RunRecord:
    return bench.run(MEASURES + WELL, **options)


def source(bench: Bench, **options: Any) -> str:
    """The origin of the layout of one more run."""
    return run(bench, **options).results.layout_source


def files() -> list[Path]:
    return sorted((tools_root() / ".cache/layouts").glob("*"))


def test_second_run_reuses_layout(bench: Bench) -> None:
    first, second = run(bench), run(bench)
    assert (first.results.layout_source, second.results.layout_source) == ("measured", "kept")
    assert second.results.layout == FOUND
    assert second.experiment.meta()["results"]["layout"]["measured"] == FOUND.measured  # the date of the measurement
    assert len(files()) == 1


@pytest.mark.parametrize(
    "options",
    [{"retune": True}, {"scenario": "server"}, {"batch_size": 1}, {"threads": 2}, {"model": "fancy"}, {"visible_devices": "0"}],
    ids=lambda options: str(next(iter(options))),
)
def test_other_option_has_its_own_layout(bench: Bench, options: dict[str, Any]) -> None:
    run(bench)
    assert source(bench, **options) == "measured"
    assert source(bench) == "kept"


@pytest.mark.parametrize("options", [{"count": 2}, {"seconds": 5.0}, {"trace": "no"}, {"official": True}])
def test_option_without_effect_on_speed_shares_layout(bench: Bench, options: dict[str, Any]) -> None:
    plan = bench.plan()
    assert kept_layout.subject_options(replace(plan.options, **options)) == kept_layout.subject_options(plan.options)


def test_other_machine_has_its_own_layout(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines may share one CK_TOOLS."""
    run(bench)
    other = platform.same_machine() | {"cores_usable": 4096}
    monkeypatch.setattr(kept_layout, "same_machine", lambda: other)
    assert [source(bench), source(bench)] == ["measured", "kept"]
    assert len(files()) == 2


def test_changed_harness_measures_again(bench: Bench) -> None:
    run(bench)
    assert bench.run("\n" + MEASURES + WELL).results.layout_source == "measured"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text[:40], "is not JSON"),
        (lambda text: "", "is not JSON"),
        (lambda text: text.replace('"sessions": 2', '"sessions": 0'), "layout.sessions is 0, not an integer from 1 to 4096"),
        (lambda text: text.replace('"sessions": 2', '"sessions": "many"'), "layout.sessions is 'many', not an integer"),
        (lambda text: text.replace('"scenario": "offline"', '"scenario": "server"'), "subject is 'another one'"),
        (lambda text: text.replace('"layout": {', '"plan": {'), "layout.sessions is None"),
    ],
)
def test_corrupt_file_is_ignored_with_warning(bench: Bench, change: Any, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    run(bench)
    path = files()[0]
    path.write_text(change(path.read_text()))
    capfd.readouterr()
    assert source(bench) == "measured"
    message = capfd.readouterr().err
    assert "warning: the kept layout is ignored and measured again" in message
    assert why in message
    assert source(bench) == "kept"  # written again
    assert "warning" not in capfd.readouterr().err


def test_unwritable_store_does_not_fail_the_run(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    place = tools_root() / ".cache/layouts"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("in the way")
    assert run(bench).results.layout_source == "measured"
    assert "warning: the layout is not kept for the next run" in capfd.readouterr().err


def test_concurrent_writers_leave_one_valid_file(tmp_path: Path) -> None:
    place = KeptLayout({"model": "one"})
    layouts = [replace(FOUND, samples_per_second=float(number)) for number in range(1, 41)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda layout: place.keep(None, Results(layout=layout)), layouts))
    assert place.read() in layouts
    assert [path.name for path in files()] == [place.path.name]
    assert json.loads(place.path.read_text())["subject"] == {"model": "one"}
