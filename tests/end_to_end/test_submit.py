"""From an installed venv to a checked submission in the open division, with a user's model and images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.installed import Ck
from patience import until_valid

if TYPE_CHECKING:
    from end_to_end.conftest import Subject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]

# findings that a run of one second causes; our tree may have no others
SHORT = {"duration", "query-count", "offline-samples", "user-conf"}


@pytest.fixture(scope="module")
def audited(shared_ck: Ck, subject: Subject) -> dict[str, object]:
    """An offline audit, and a SingleStream run; all tagged submit."""
    shared_ck.good("detect", "soft:model.onnx", f"--full_path={subject.model}", "--extra_tags=depth.075,fp32")
    shared_ck.good("detect", "soft:dataset.coco.2017.val", f"--full_path={subject.image}", "--extra_tags=coco79")
    options = ("program:object-detection", "--model=depth.075,fp32", "--dataset=coco79", "--tags=submit", "--threads=1")
    run = ("run", *options, "--scenario=singlestream", "--time=4")  # as many queries as LoadGen's verdict requires
    until_valid(lambda: shared_ck.good(*run), lambda made: made["results"]["performance"]["valid"])
    return shared_ck.json("audit", *options, "--scenario=offline", "--time=2", "--sessions=2", "--batch-size=1")


def test_audit_runs_and_verifies_every_test(audited: dict[str, object]) -> None:
    tests = {row["test"]: row for row in audited["tests"]}  # type: ignore[attr-defined]
    assert set(tests) == {"TEST01", "TEST04", "TEST05"}
    # on a busy machine a figure may differ by more than the rules allow; the answers never do
    assert "num_perf_log_data_mismatch = 0" in tests["TEST01"]["verify_accuracy.txt"]
    assert "TEST PASS" in tests["TEST01"]["verify_accuracy.txt"]
    assert all("Verifying performance." in row["verify_performance.txt"] for row in tests.values())
    assert audited["return"] == (0 if audited["passed"] else 10)


def test_generated_tree_is_accepted_and_complete(
    audited: dict[str, object], shared_ck: Ck, subject: Subject, tmp_path: Path
) -> None:
    user_input = ("--submitter=Us", "--division=open", "--status=available", "--system-type=edge")
    described = shared_ck.json("describe", "system:box", *user_input, f"--output={tmp_path / 'box.json'}")
    content = described["dict"]
    content |= {key: "none" for key, value in content.items() if str(value).startswith("ADD")}  # hidden by this machine
    (tmp_path / "box.json").write_text(json.dumps(content))
    words = (f"--system={tmp_path / 'box.json'}", "--tags=submit", "--submitter=Us")
    made = shared_ck.good("generate", "submission", *words, "--division=open", f"--output={tmp_path / 'tree'}")
    assert {row["scenario"] for row in made["results"]} == {"Offline", "SingleStream"}
    checked = shared_ck.good("check", "submission", f"--path={tmp_path / 'tree'}")
    for row in checked["results"]:
        assert row["status"] == "accepted"
        assert {each["rule"] for each in row["findings"]} <= SHORT
        assert row["mAP"] == pytest.approx(100 * subject.mAP, abs=5e-4)
        assert row["value"] > 0
    assert checked["findings"] == []
    # the tests that ran are in the places required by the rules: the closed division's checker finds them
    closed = shared_ck.good("generate", "submission", *words, "--division=closed", f"--output={tmp_path / 'closed'}", "--draft")
    offline = next(row for row in closed["results"] if row["scenario"] == "Offline")
    assert not {each["rule"] for each in offline["findings"]} & {
        "compliance-missing",
        "compliance-settings",
        "compliance-accuracy",
    }
    logs = list((tmp_path / "tree").rglob("accuracy/mlperf_log_accuracy.json"))
    assert logs
    assert all(path.stat().st_size <= 10240 for path in logs)
    again = shared_ck.json("generate", "submission", *words, f"--output={tmp_path / 'tree'}")
    assert again["return"] == 4  # nothing is overwritten


def test_missing_inputs_are_reported_before_the_tree_is_written(
    audited: dict[str, object], shared_ck: Ck, tmp_path: Path
) -> None:
    (tmp_path / "box.json").write_text("{}")
    words = (f"--system={tmp_path / 'box.json'}", "--submitter=Us", f"--output={tmp_path / 'tree'}")
    assert shared_ck.json("generate", "submission", *words, "--tags=no-such-tag")["return"] == 16
    assert shared_ck.json("generate", "submission", f"--system={tmp_path / 'none.json'}", "--submitter=Us")["return"] == 16
    answer = shared_ck.json("generate", "submission", *words, "--tags=submit")
    assert answer["return"] == 10
    assert "rejected by system" in answer["error"]
    assert "host_processor_model_name" in answer["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["box.json"]
