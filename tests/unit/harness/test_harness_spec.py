"""spec.json: the harness reads what the engine writes, and errors name the key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from object_detection.errors import HarnessError
from object_detection.spec import OPTIONS, read_spec

from ck_repo.run.options import RUN_OPTIONS


def written(folder: Path, content: Any) -> Path:
    path = folder / "spec.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_spec_from_engine_is_read(tmp_path: Path, spec_for: Callable[..., dict[str, Any]], demo_model: Path) -> None:
    spec = read_spec(written(tmp_path, spec_for("server", "accuracy", "performance")))
    assert spec.model.path == demo_model
    assert spec.model.boxes == "detection_boxes:0"
    assert spec.modes == ("accuracy", "performance")
    assert spec.loadgen.target_latency_ms == 10  # Server, ssd-mobilenet: mlperf.conf of mlcommons/inference v1.0.1
    assert spec.folder == tmp_path


def test_other_version_is_rejected(tmp_path: Path, spec_for: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(HarnessError, match="has version 2; this harness reads version 1"):
        read_spec(written(tmp_path, spec_for(version=2)))


@pytest.mark.parametrize("key", ["scenario", "loadgen", "model", "cache"])
def test_missing_key_is_named(tmp_path: Path, spec_for: Callable[..., dict[str, Any]], key: str) -> None:
    content = spec_for()
    del content[key]
    with pytest.raises(HarnessError, match=key):
        read_spec(written(tmp_path, content))


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_invalid_spec_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(HarnessError, match=r"spec\.json is not a run's spec"):
        read_spec(written(tmp_path, content))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sessions": 100000}, "sessions is 100000, not an integer from 1 to 4096"),
        ({"sessions": 0}, "sessions is 0"),
        ({"threads": "4"}, "threads is '4'"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"count": -1}, "count is -1"),
        ({"count": True}, "count is True"),
        ({"loadgen_changes": {"min_duration_ms": 10**15}}, "loadgen.min_duration_ms is 1000000000000000"),
        ({"loadgen_changes": {"qsl_rng_seed": -1}}, "loadgen.qsl_rng_seed is -1"),
        ({"loadgen_changes": {"target_qps": float("nan")}}, "loadgen.target_qps is nan, not above 0"),
        ({"loadgen_changes": {"target_latency_ms": 1e308}}, "loadgen.target_latency_ms is 1e.308"),
        ({"loadgen_changes": {"percentile": 1}}, "loadgen.percentile is 1, not between 0 and 1"),
        ({"loadgen_changes": {"min_query_count": [1]}}, r"loadgen.min_query_count is \[1\]"),
    ],
    ids=str,
)
def test_out_of_range_numbers_are_rejected(
    spec_for: Callable[..., dict[str, Any]], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Also for a recorded experiment: a replay passes them on."""
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec_for(**changes)))
    with pytest.raises(HarnessError, match=message):
        read_spec(path)


def test_options_and_bounds_match_command_line() -> None:
    declared = {option.name: option for option in RUN_OPTIONS if option.in_spec}
    assert {option.name for option in OPTIONS} == set(declared)
    bounds = {option.name: option.metadata["bounds"] for option in OPTIONS if "bounds" in option.metadata}
    assert bounds == {name: (1, option.maximum) for name, option in declared.items() if option.kind == "integer"}
