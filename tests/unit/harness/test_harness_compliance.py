"""Compliance tests: an honest system passes them all; one that caches answers or skips work does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import until_valid

for name in ("numpy", "cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from ck_repo.rounds.compliance import Verification, verify_accuracy, verify_performance  # noqa: E402
from ck_repo.rounds.round import load_round  # noqa: E402
from ck_repo.run.options import COMPLIANCE, RunOptions  # noqa: E402

# 20 ms an image on any machine; the answer depends on the image
_WORK = """
import time
time.sleep(0.02 * n)
score = images.reshape(n, -1).mean(axis=1, keepdims=True) / 255
return np.full((n, 1, 4), 0.5), score, np.ones((n, 1)), None
"""
_FROM_MEMORY = f"""
Toy.memory = getattr(Toy, "memory", {{}})
key = (Path.cwd().name, images.tobytes())  # what the measurement before the test saw does not count
if key in Toy.memory:
    return Toy.memory[key]
def work():
{"".join(f"    {line}{chr(10)}" for line in _WORK.strip().splitlines())}
Toy.memory[key] = work()
return Toy.memory[key]
"""
_SKIPS = f"""
if Path.cwd().name == "performance":
    import time
    time.sleep(0.02 * n)
    return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None
{_WORK}
"""
DETAIL, LOG = "performance/mlperf_log_detail.txt", "mlperf_log_accuracy.json"
Audited = Callable[..., dict[str, Path]]


@pytest.fixture(scope="module")
def audited(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path]
) -> Callable[[str], dict[str, Path]]:
    """Run the reference and tests with a backend; the run folders by test."""

    def run(body: str, *tests: str) -> dict[str, Path]:
        path = plugin(body)
        folders = {}
        for test in ("", *tests):
            options = RunOptions(scenario="offline", seconds=0.8, compliance=test)
            modes = ("performance",) if test else ("accuracy", "performance")
            spec = spec_for(
                "offline", *modes, options=options, model_changes={"backend": "toy"}, batch_size=1, sessions=1
            )  # fmt: skip
            outcome = harness(spec, path=path)
            assert outcome.results["performance"]["errors"] == 0
            folders[test or "reference"] = outcome.folder
        return folders

    return run


def test_honest_system_passes_every_test(audited: Audited) -> None:
    """On a busy machine the speeds of two runs may differ by more than the limit, so that is the only failure allowed."""
    found = audited(_WORK, *COMPLIANCE)
    pairs = {"TEST01": ("reference", "TEST01"), "TEST05": ("reference", "TEST05"), "TEST04": ("TEST04-A", "TEST04-B")}
    for test, (first, second) in pairs.items():
        verdict = verify_performance(load_round(), test, "Offline", found[first] / DETAIL, found[second] / DETAIL)
        busy = ("the results differ by", "% faster than A", "results are invalid")
        assert verdict.passed or any(text in verdict.text for text in busy), verdict.text
    verdict = verify_accuracy(found["reference"] / "accuracy" / LOG, found["TEST01"] / "performance" / LOG)
    assert verdict.passed, verdict.text
    assert "num_perf_log_data_mismatch = 0" in verdict.text


def test_caching_system_fails_test04(audited: Audited) -> None:
    def verdict_of_pair() -> Verification:
        found = audited(_FROM_MEMORY, "TEST04-A", "TEST04-B")
        return verify_performance(load_round(), "TEST04", "Offline", found["TEST04-A"] / DETAIL, found["TEST04-B"] / DETAIL)

    verdict = until_valid(verdict_of_pair, lambda made: not made.passed and made.text.endswith("TEST FAIL\n"))
    assert not verdict.passed
    assert verdict.text.endswith("TEST FAIL\n")


def test_system_that_skips_work_fails_test01(audited: Audited) -> None:
    found = audited(_SKIPS, "TEST01")
    verdict = verify_accuracy(found["reference"] / "accuracy" / LOG, found["TEST01"] / "performance" / LOG)
    assert not verdict.passed
    entries = next(line for line in verdict.text.splitlines() if line.startswith("num_perf_log_entries"))
    differing = next(line for line in verdict.text.splitlines() if line.startswith("num_perf_log_data_mismatch"))
    assert entries.split()[-1] == differing.split()[-1] != "0"


@pytest.mark.parametrize("test", COMPLIANCE)
def test_each_test_changes_settings_as_in_the_rules(
    harness: Callable[..., Any], spec_for: Callable[..., Any], test: str
) -> None:
    options = RunOptions(scenario="offline", seconds=0.2, compliance=test)
    outcome = harness(spec_for("offline", "performance", options=options))
    effective = outcome.detail("performance")
    for name, value in load_round().submission.tests[test].settings.items():
        assert effective[f"effective_{name}"] == value
    logged = (outcome.folder / "performance" / LOG).read_text()
    assert ("qsl_idx" in logged) is (test == "TEST01")
