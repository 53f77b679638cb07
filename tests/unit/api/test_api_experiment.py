"""Recorded experiments in Python: find, show, compare."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from ck_repo import api
from ck_repo.errors import ConfigError, NotFoundError, UsageError
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Record = Callable[..., Entry]  # the fixture `recorded`


def test_figures_have_types_and_units(recorded: Record) -> None:
    entry = recorded("one")
    found = api.show("one")
    assert (found.uid, found.alias, found.cid, found.path) == (entry.uid, "one", "experiment:one", entry.path)
    assert (found.model, found.scenario, found.images, found.repository) == ("tiny", "offline", 16, "local")
    assert found.tags == ("experiment", "offline")
    accuracy, performance = found.accuracy, found.performance
    assert accuracy is not None
    assert performance is not None
    assert (accuracy.mAP, accuracy.AP50, accuracy.detections, accuracy.coco["AP_small"]) == (0.8, 0.9, 1234, 0.5)
    assert set(accuracy.coco) == {"mAP", "AP50", "AP75", "AP_small", "AR1"}
    assert (performance.value, performance.unit, performance.valid, performance.seconds) == (200.0, "samples/s", True, 10.5)
    assert performance.latency_ms["p99"] == 7.125
    assert not performance.lower_is_better
    with pytest.raises(FrozenInstanceError):
        found.alias = "two"  # type: ignore[misc]


def test_latency_is_singlestream_figure(recorded: Record) -> None:
    recorded("one", scenario="singlestream", performance={"valid": False, "reasons": ["too few queries"]})
    performance = api.show().performance
    assert performance is not None
    assert (performance.value, performance.unit, performance.lower_is_better) == (6.25, "ms", True)
    assert (performance.valid, performance.reasons) == (False, ("too few queries",))


def test_unmeasured_figures_are_none(recorded: Record) -> None:
    recorded("one", results={"accuracy": None, "performance": None})
    assert (api.show().accuracy, api.show().performance) == (None, None)


def test_imported_result(recorded: Record) -> None:
    result = {"model": "ssd-small", "scenario": "Offline", "mAP": 22.9, "value": 1000, "unit": "samples/s", "valid": True}
    recorded(
        "theirs", published={**result, "submitter": "somebody", "division": "closed", "system": "s"}, results={"accuracy": None}
    )
    found = api.show("theirs")
    assert found.accuracy is not None
    assert found.accuracy.mAP == pytest.approx(0.229)
    assert found.accuracy.AP50 is None
    assert "somebody" in found._repr_html_()


def test_show_defaults_to_latest(recorded: Record) -> None:
    recorded("new", at="2026-02-01T00:00:00Z")
    recorded("old", at="2025-02-01T00:00:00Z")
    assert api.show().alias == "new"
    assert api.show(api.show("local:experiment:old")).alias == "old"
    assert api.show(api.show("experiment:old").uid).alias == "old"


def test_no_experiment_is_an_error_with_hint(recorded: Record) -> None:
    with pytest.raises(NotFoundError, match="no experiment yet"):
        api.show()
    recorded("one")
    with pytest.raises(NotFoundError, match="did you mean one"):
        api.show("oen")


def test_find_by_tags_and_name(recorded: Record) -> None:
    recorded("b", at="2026-02-01T00:00:00Z")
    recorded("a", scenario="server")
    found = api.find()
    assert [row.alias for row in found] == ["a", "b"]
    assert [row.alias for row in api.find(tags="offline")] == ["b"]
    assert [row.alias for row in api.find(name="a*")] == ["a"]
    assert len(api.find(tags="offline,server")) == 0
    assert found[1:][0] == found[1]
    assert isinstance(found[:1], api.Experiments)
    assert found._repr_html_().count("<tr>") == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"results": []}, {"results": {"images": "16"}}, {"results": {"accuracy": {"mAP": 0.5, "AP_small": "x"}}},
        {"results": {"scenario": "offline", "performance": {"valid": True, "samples_per_second": "fast"}}},
        {"published": {"mAP": "x"}},
    ],
)  # fmt: skip
def test_malformed_experiment_does_not_hide_others(
    recorded: Record, wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    recorded("good")
    entry = create_entry(Repositories().writable(), "experiment", "wrong", wrong)
    assert [row.alias for row in api.find()] == ["good"]
    assert "experiment:wrong is skipped, because it cannot be read: " in capsys.readouterr().err
    with pytest.raises(ConfigError, match=re.escape(str(entry.path))):
        api.show("wrong")


def test_accuracy_may_be_map_only(recorded: Record) -> None:
    recorded("one", results={"accuracy": {"mAP": 0.5}})
    assert api.show().accuracy == api.Accuracy(0.5, coco={"mAP": 0.5})


def test_text_is_command_line_table(recorded: Record, ck: Callable[..., object]) -> None:
    recorded("one")
    assert str(api.show("one")) in ck("show", "experiment:one").out  # type: ignore[attr-defined]


def test_html_is_escaped(recorded: Record) -> None:
    recorded("one", results={"model": "<script>alert(1)</script>&"})
    for value in (api.show(), api.find(), api.compare("one", "one")):
        assert "<script>" not in value._repr_html_()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in value._repr_html_()


def test_compare_with_first(recorded: Record) -> None:
    recorded("one")
    recorded("two", performance={"samples_per_second": 300.0}, results={"backend": "openvino"})
    recorded("three", scenario="singlestream")
    found = api.compare("one", api.show("two"), "three")
    assert found.speed == (1.0, 1.5, None)
    assert found.equal_detections == (None, None, None)  # no logs
    assert {row.name for row in found.differences} >= {"backend", "scenario", "performance"}
    assert next(row for row in found.properties if row.name == "backend").values == ("onnxruntime", "openvino", "onnxruntime")
    assert "<th>two</th>" in found._repr_html_()
    assert "dataset" not in found._repr_html_()  # equal in all


def test_speedup_above_1_means_faster_for_latency_too(recorded: Record) -> None:
    recorded("one", scenario="singlestream")
    recorded("two", scenario="singlestream", performance={"latency_ms": {"p90": 3.125, "p99": 5.0}})
    assert api.compare("one", "two").speed == (1.0, 2.0)


def test_comparing_nothing_is_an_error(recorded: Record) -> None:
    recorded("one")
    with pytest.raises(UsageError, match="only one experiment to compare"):
        api.compare("one")
