"""spec.json: what the engine writes is what the harness reads, and a fault is told with its key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from object_detection import spec as harness_spec
from object_detection.errors import HarnessError
from object_detection.spec import read_spec

from ck_repo.run import spec as engine_spec


def written(folder: Path, content: Any) -> Path:
    path = folder / "spec.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_both_sides_speak_the_same_version() -> None:
    assert engine_spec.VERSION == harness_spec.VERSION


def test_what_the_engine_writes_is_read(tmp_path: Path, spec_for: Callable[..., dict[str, Any]], demo_model: Path) -> None:
    spec = read_spec(written(tmp_path, spec_for("server", "accuracy", "performance")))
    assert spec.model.path == demo_model
    assert spec.model.boxes == "detection_boxes:0"
    assert spec.modes == ("accuracy", "performance")
    assert spec.loadgen.target_latency_ms == 10  # Server, ssd-mobilenet: mlperf.conf of mlcommons/inference v1.0.1
    assert spec.folder == tmp_path


def test_another_version_is_refused(tmp_path: Path, spec_for: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(HarnessError, match="version 2, this harness reads 1"):
        read_spec(written(tmp_path, spec_for(version=2)))


@pytest.mark.parametrize("key", ["scenario", "loadgen", "model", "cache"])
def test_a_key_that_is_missing_is_named(tmp_path: Path, spec_for: Callable[..., dict[str, Any]], key: str) -> None:
    content = spec_for()
    del content[key]
    with pytest.raises(HarnessError, match=key):
        read_spec(written(tmp_path, content))


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_what_is_no_spec_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(HarnessError, match=r"spec\.json is not a run's spec"):
        read_spec(written(tmp_path, content))
