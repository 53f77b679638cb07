"""Run the command in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import model_files
import pytest

from ck_repo.cli.main import main


@dataclass(frozen=True)
class Done:
    """The output and exit status of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output as one JSON object on one line."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


@pytest.fixture
def ck(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command."""

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(list(words))
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def made_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32-bit, 8-bit and TFLite models under the names of the published files."""
    folder = tmp_path_factory.mktemp("models")
    model_files.write_onnx(folder / "ssd_mobilenet_v1_075_fp32.onnx")
    model_files.write_onnx(folder / "ssd_mobilenet_v1_075_int8_qdq.onnx", eight_bits=True)
    model_files.write_tflite(folder / "ssd_mobilenet_v1_075_uint8.tflite")
    return folder


@pytest.fixture(scope="session", params=["made", "published"])
def models(request: pytest.FixtureRequest) -> Path:
    """Generated and published model files."""
    if request.param == "made":
        return Path(request.getfixturevalue("made_models"))
    return Path(request.getfixturevalue("data")) / "models"
