"""Options of a run: those of the public pages are understood, and anything else is rejected with the nearest ones."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from ck_repo import progress
from ck_repo.contract.results import Results
from ck_repo.errors import CKError, NotFoundError, UsageError
from ck_repo.experiments.compare import SETTINGS
from ck_repo.run.options import MEASURED, MODES, SCENARIOS, RunOptions
from ck_repo.run.spellings import from_cmd_key, from_environment, from_extra_ops


class _Messages:
    """Records messages; shows no progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, title: str, total: float | None, unit: str) -> progress.Task:
        raise AssertionError(title)

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sink = _Messages()
    monkeypatch.setattr(progress, "_sink", sink)
    return sink.lines


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("mode", MODES[:2])
def test_every_ck_cmd_key(mode: str, scenario: str) -> None:
    """CK's public pages: cmd keys {accuracy,performance}-{singlestream,multistream,server,offline}."""
    assert from_cmd_key(f"{mode}-{scenario}") == {"mode": mode, "scenario": scenario}


@pytest.mark.parametrize("key", ["accuracy", "offline", "accuracy-", "Accuracy-Offline", "both-offline", ""])
def test_other_cmd_keys_are_rejected(key: str) -> None:
    with pytest.raises(NotFoundError, match="there is no cmd_key"):
        from_cmd_key(key)


def test_environment_of_public_pages() -> None:
    """Command lines of CK's public pages."""
    typed = {
        "CK_LOADGEN_SCENARIO": "SingleStream",
        "CK_LOADGEN_MODE": "PerformanceOnly",
        "CK_LOADGEN_DATASET_SIZE": "1024",
        "CK_LOADGEN_TARGET_LATENCY": "20",
    }
    expected = {"scenario": "singlestream", "mode": "performance", "count": 1024, "target_latency": 20.0}
    assert from_environment(typed) == expected


@pytest.mark.parametrize(
    ("mode", "expected"), [("AccuracyOnly", "accuracy"), ("PerformanceOnly", "performance"), ("SubmissionRun", "both"),
                         ("Accuracy", "accuracy"), ("--accuracy", "accuracy"), ("Performance", "performance")]
)  # fmt: skip
def test_loadgen_modes(mode: str, expected: str) -> None:
    assert from_environment({"CK_LOADGEN_MODE": mode}) == {"mode": expected}


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Server", "Offline", "offline"])
def test_loadgen_scenarios(scenario: str) -> None:
    assert from_environment({"CK_LOADGEN_SCENARIO": scenario}) == {"scenario": scenario.lower()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--time 60", {"seconds": 60.0}),
        ("--time 60 --qps 200 --max-latency 0.1", {"seconds": 60.0, "target_qps": 200.0, "target_latency": 100.0}),
        ("--count=10 --max-batchsize=4", {"count": 10, "batch_size": 4}),
        ("--samples-per-query 8 --threads 2", {"samples_per_query": 8, "threads": 2}),
        ("", {}),
    ],
)
def test_extra_ops_of_public_pages(text: str, expected: dict[str, float]) -> None:
    """CK's public pages; the reference gives --max-latency in seconds."""
    assert from_extra_ops(text) == expected
    assert from_environment({"EXTRA_OPS": text}) == expected


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"CK_BATCH_COUNT": "50"}, {"count": 50}),
        ({"CK_BATCH_COUNT": "50", "CK_BATCH_SIZE": "2"}, {"count": 100, "batch_size": 2}),
        ({"CK_BATCH_COUNT": "50", "CK_LOADGEN_DATASET_SIZE": "7"}, {"count": 7}),
        ({"CK_LOADGEN_BACKEND": "tensorflow"}, {"backend": "tensorflow"}),
        ({"MLPERF_BACKEND": "pytorch"}, {"backend": "torch"}),
        ({"CK_LOADGEN_EXTRA_PARAMS": "--count 5 --time 60"}, {"count": 5, "seconds": 60.0}),
        ({"CK_LOADGEN_MULTISTREAMNESS": "8"}, {"samples_per_query": 8}),
        ({"CK_HOST_CPU_NUMBER_OF_PROCESSORS": "4"}, {"threads": 4}),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, {"device": "cpu"}),
        ({"CUDA_VISIBLE_DEVICES": "0,2"}, {"visible_devices": "0,2"}),
        ({"CK_LOADGEN_CONF_FILE": "user.conf"}, {"user_conf": "user.conf"}),
        ({"MLPERF_DEVICE": "gpu"}, {"device": "cuda"}),
        ({"CK_METRIC_TYPE": "COCO"}, {}),
    ],
)
def test_supported_variables_of_other_programs(env: dict[str, str], expected: dict[str, object]) -> None:
    assert from_environment(env) == expected


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"CK_VERBOSE": "1"}, "--env.CK_VERBOSE has no effect: ck prints progress automatically"),
        ({"CK_LOADGEN_BUFFER_SIZE": "64"}, "--env.CK_LOADGEN_BUFFER_SIZE has no effect: the rules of the round set it"),
        ({"CK_METRIC_TYPE": "PASCAL"}, "--env.CK_METRIC_TYPE=PASCAL has no effect: accuracy is COCO's mAP"),
    ],
)
def test_unsupported_variables_are_reported(env: dict[str, str], why: str, messages: list[str]) -> None:
    assert from_environment(env) == {}
    assert len(messages) == 1
    assert why in messages[0]


@pytest.mark.parametrize(
    ("env", "near"),
    [
        ({"CK_LOADGEN_SCENARO": "Offline"}, "CK_LOADGEN_SCENARIO"),
        ({"CK_BATCHSIZE": "1"}, "CK_BATCH_SIZE"),
        ({"CK_LOADGEN_SCENARIO": "SingelStream"}, "singlestream"),
        ({"CK_LOADGEN_MODE": "AccuracyOny"}, "AccuracyOnly"),
        ({"CK_VERBOS": "1"}, "CK_VERBOSE"),
        ({"MLPERF_DEVICE": "gpuu"}, "gpu"),
        ({"EXTRA_OPS": "--tme 60"}, "--time"),
        ({"EXTRA_OPS": "60"}, "--time"),
    ],
)
def test_unknown_value_error_lists_valid_ones(env: dict[str, str], near: str) -> None:
    with pytest.raises(CKError) as caught:
        from_environment(env)
    assert near in caught.value.hint


def test_variable_of_installed_component_is_rejected_with_alternative() -> None:
    with pytest.raises(NotFoundError, match=r"--env\.CK_ENV_MINE is not supported") as caught:
        from_environment({"CK_ENV_MINE": "1"})
    assert "did you mean" not in caught.value.hint
    assert "--dep_add_tags" in caught.value.hint


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many", "", "1.5"])
def test_counts_must_be_positive_integers(value: str) -> None:
    with pytest.raises(UsageError, match="CK_LOADGEN_DATASET_SIZE"):
        from_environment({"CK_LOADGEN_DATASET_SIZE": value})


@pytest.mark.parametrize("value", ["0", "-0.5", "nan", "inf", "fast", ""])
def test_rates_must_be_positive(value: str) -> None:
    with pytest.raises(UsageError, match=r"EXTRA_OPS --qps"):
        from_extra_ops(f"--qps {value}")


@pytest.mark.parametrize("text", ["--time '60", '--time "'])
def test_unterminated_quote_is_reported(text: str) -> None:
    with pytest.raises(UsageError, match="EXTRA_OPS"):
        from_extra_ops(text)


def test_accuracy_comes_before_performance() -> None:
    """A wrong answer is reported before the longer test begins."""
    assert RunOptions(mode="both").modes == ("accuracy", "performance")
    assert RunOptions(mode="performance").modes == ("performance",)


def test_older_spelling_of_a_test() -> None:
    assert from_environment({"CK_MLPERF_COMPLIANCE_TEST": "TEST04-A"}) == {"compliance": "TEST04-A"}
    with pytest.raises(UsageError, match="is not a compliance test"):
        from_environment({"CK_MLPERF_COMPLIANCE_TEST": "TEST09"})


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("model", ["x"], "a text"), ("dataset", {"a": 1}, "a text"), ("venv", 1, "a text"), ("backend", None, "a text"),
        ("official", "no", "true or false"), ("official", 1, "true or false"), ("reference_faults", None, "true or false"),
        ("added_tags", [1], "an object of texts"), ("added_tags", {"weights": 1}, "an object of texts"),
        ("added_tags", {"weights": ["a"]}, "an object of texts"), ("added_tags", "a,b", "an object of texts"),
    ],
)  # fmt: skip
def test_option_of_wrong_type_is_rejected(name: str, value: Any, what: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} is .*, not {what}$"):
        RunOptions(**{name: value})


def test_comparisons_show_what_runs_measure_themselves() -> None:
    assert set(MEASURED) <= set(SETTINGS) <= {each.name for each in fields(Results)}
