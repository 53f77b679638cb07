"""Problems of an official run are reported in the first minute, not after hours."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import coco_sets
import pytest
from patience import PATIENCE, until

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.contract.spec import Dataset, Model, Spec
from ck_repo.errors import NotFoundError, RunError, UsageError
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for
from ck_repo.run import official
from ck_repo.run.meter import metered
from ck_repo.run.official import check_official, check_options
from ck_repo.run.options import RunOptions, command_of
from ck_repo.run.prepare import with_user_conf
from ck_repo.run.spec import loadgen_settings
from ck_repo.store.installed import REGISTERED, Installed

RULES = rules_for(load_round(), "ssd-mobilenet")


class Messages:
    """A sink that records messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, title: str, total: float | None, unit: str) -> Any:
        raise AssertionError("nothing here takes long")

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    sink = Messages()
    monkeypatch.setattr(progress, "_sink", sink)
    return sink


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    coco_sets.write_coco(tmp_path, images=3)
    loadgen = loadgen_settings(RunOptions(official=True), RULES)
    dataset = Dataset("set", tmp_path / "val2017", tmp_path / "annotations/instances_val2017.json", "0" * 64)
    model = Model("mine", tmp_path, "toy", "", None, 300, "none", "NHWC", "uint8", "b", "s", "c", "n", "yxyx", None, "category")
    return Spec(model, dataset, "cpu", "offline", ("accuracy", "performance"), None, None, None, None, True, loadgen, tmp_path)


def check(spec: Spec, tmp_path: Path, options: RunOptions | None = None, **model: Any) -> list[str]:
    env = Installed(**{"name": "mine", "source": REGISTERED, **model})
    return check_official(options or RunOptions(official=True), RULES, spec, {"weights": env}, tmp_path)


def test_conflicts_with_closed_division_are_all_reported(spec: Spec, tmp_path: Path, messages: Messages) -> None:
    warnings = check(spec, tmp_path)
    assert any("has 3 images; the closed division requires the 5000" in text for text in warnings)
    assert any("not one of the round's models" in text for text in warnings)
    assert "performance for at least 10 minutes; it will not end before" in messages.lines[-1]


def test_missing_image_is_reported_before_the_run(spec: Spec, tmp_path: Path, messages: Messages) -> None:
    (tmp_path / "val2017/000000000013.jpg").unlink()
    with pytest.raises(RunError, match=r"1 of the 3 images .* do not exist, the first: 000000000013\.jpg"):
        check(spec, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 8}, "uses the complete data set"),
        ({"seconds": 5.0}, "at least 600 s, and --time=5"),
        ({"scenario": "server", "target_qps": None}, "needs a target"),
        ({"scenario": "multistream", "target_qps": 40.0}, "the round's: 20 a second"),
        ({"scenario": "multistream", "compliance": "TEST04-A"}, "TEST04-A is not for multistream"),
        (
            {"scenario": "server", "target_qps": 9.0, "target_latency": 11.0},
            "bound for Server is 10 ms, and --target-latency=11",
        ),
        ({"scenario": "multistream", "target_latency": 51.0}, "bound for MultiStream is 50 ms"),
    ],
)
def test_options_forbidden_by_rules_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_options(RunOptions(official=True, **options), rules_for(load_round(), "ssd-mobilenet"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seconds": 700.0},
        {"scenario": "server", "target_qps": 9.0, "target_latency": 9.0},
        {"scenario": "multistream", "target_qps": 20.0},
        {"mode": "accuracy", "seconds": 5.0, "scenario": "server"},  # there is no performance run
        {"scenario": "singlestream", "target_latency": 99.0},
    ],
)
def test_options_allowed_by_rules_are_accepted(options: dict[str, Any]) -> None:
    check_options(RunOptions(official=True, **options), rules_for(load_round(), "ssd-mobilenet"))


def test_modified_model_is_rejected(spec: Spec, tmp_path: Path, messages: Messages) -> None:
    file = tmp_path / "tool/m.onnx"
    file.parent.mkdir()
    file.write_text("changed")
    with pytest.raises(RunError, match="differs from what was installed"):
        check(spec, tmp_path, source="package", file=str(file), path=str(file.parent), digest="0" * 64)


def test_insufficient_disk_or_memory_is_reported(
    spec: Spec, tmp_path: Path, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "_LOG_BYTES", 1 << 60)
    with pytest.raises(RunError, match="MB free; a run may write"):
        check(spec, tmp_path)
    monkeypatch.setattr(official, "_LOG_BYTES", 0)
    monkeypatch.setattr(official, "_SESSION", 1 << 60)
    with pytest.raises(RunError, match="GiB are free"):
        check(spec, tmp_path)


def test_official_run_has_figures_of_the_rules() -> None:
    for scenario, queries in (("singlestream", 1024), ("multistream", 270336), ("server", 270336), ("offline", 24576)):
        for counts in ("held", "loadgen"):
            options = RunOptions(official=True, scenario=scenario, counts=counts, target_qps=1000.0)
            found: dict[str, Any] = write(loadgen_settings(options, RULES))
            assert found["min_duration_ms"] >= 600_000
            assert found["required_query_count"] == queries
            by_loadgen = counts == "loadgen" or scenario == "offline"
            assert found["min_query_count"] == (queries if by_loadgen else 0)
            assert found["qsl_rng_seed"] == 7322528924094909334


# user.conf


def conf(tmp_path: Path, text: str) -> RunOptions:
    (tmp_path / "user.conf").write_text(text)
    return RunOptions(scenario="server", user_conf=str(tmp_path / "user.conf"))


def test_targets_come_from_user_conf_and_options_win(tmp_path: Path) -> None:
    text = (
        "*.Server.target_qps = 40\n*.Server.target_latency = 9\nssd-resnet34.Server.target_qps = 1\n*.Offline.target_qps = 7\n"
    )
    found = with_user_conf(conf(tmp_path, text), RULES)
    assert (found.target_qps, found.target_latency, found.user_conf) == (40, 9, "")
    options = RunOptions(scenario="server", target_qps=5.0, user_conf=str(tmp_path / "user.conf"))
    assert with_user_conf(options, RULES).target_qps == 5.0


def test_user_conf_setting_forbidden_by_rules_is_rejected_with_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"line 2: \*\.\*\.schedule_rng_seed = 1: expected no own seed"):
        with_user_conf(conf(tmp_path, "*.Server.target_qps = 40\n*.*.schedule_rng_seed = 1\n"), RULES)
    with pytest.raises(NotFoundError, match="is not an existing file"):
        with_user_conf(RunOptions(user_conf=str(tmp_path / "none.conf")), RULES)


# the meter


def test_meter_runs_as_long_as_the_benchmark(tmp_path: Path) -> None:
    script = tmp_path / "meter.py"
    script.write_text(
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n    pathlib.Path('spl.txt').write_text('done'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('metering', flush=True)\ntime.sleep(600)\n"
    )
    with metered(f"{sys.executable} {script}", tmp_path / "run"):
        while "metering" not in (tmp_path / "run/meter.log").read_text():
            time.sleep(0.01)
    assert (tmp_path / "run/spl.txt").read_text() == "done"


def wait_for_the_end(log: Path) -> None:
    """Wait until the meter that has printed its process number has ended, and leave its exit status to its parent."""
    until(lambda: log.read_text().endswith("\n"))
    os.waitid(os.P_PID, int(log.read_text()), os.WEXITED | os.WNOWAIT)


def test_meter_that_ends_early_or_is_missing_fails_the_run(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'import os; print(os.getpid())'"
    with pytest.raises(RunError, match="ended before the run did"), metered(command, tmp_path / "run"):
        wait_for_the_end(tmp_path / "run/meter.log")
    with pytest.raises(RunError, match="cannot be started"), metered("/no/such/program", tmp_path / "run"):
        pass
    with pytest.raises(UsageError), metered("'", tmp_path / "run"):
        pass
    with metered("", tmp_path / "none"):
        pass
    assert not (tmp_path / "none").exists()


def test_unusual_machine_state_is_reported() -> None:
    options = RunOptions(model="a,b", official=True, seconds=2.5, added_tags={"weights": "x"})
    assert command_of(options) == ("ck run program:object-detection --model=a,b --time=2.5 --official --dep_add_tags.weights=x")


@pytest.mark.parametrize(
    "line",
    ["*.Server.min_query_count = 300000", "*.*.performance_sample_count_override = 1024", "typo.*.min_duration = 700000"],
)
def test_unsupported_settings_are_rejected(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match="line 1: "):
        with_user_conf(conf(tmp_path, line), RULES)


def test_longer_duration_is_accepted(tmp_path: Path) -> None:
    assert with_user_conf(conf(tmp_path, "*.*.min_duration = 700000"), RULES).seconds == 700
    assert with_user_conf(conf(tmp_path, "*.*.min_duration = 600000"), RULES).seconds is None


def test_meter_that_ends_immediately_is_reported_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ck_repo.run.meter._AT_ONCE", PATIENCE)
    ran = []
    with pytest.raises(RunError, match="ended before the run did"), metered("false", tmp_path / "performance"):
        ran.append(1)
    assert not ran


@pytest.mark.parametrize(("scenario", "refused"), [("offline", False), ("server", False), ("singlestream", True)])
def test_several_processes_need_a_queue(scenario: str, refused: bool) -> None:
    rules = rules_for(load_round(), "ssd-mobilenet")
    check_options(RunOptions(scenario=scenario, processes=1), rules)
    with pytest.raises(UsageError, match="--processes=2 is for offline and server") if refused else nullcontext():
        check_options(RunOptions(scenario=scenario, processes=2), rules)
