"""The harness as the engine starts it: a separate process with a spec and an open stdin, on a few demo images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from patience import PATIENCE

from ck_repo.contract.record import write
from ck_repo.models.interface import given_fields
from ck_repo.models.model_file import inspect_model, profile_for_file
from ck_repo.models.networks import own_networks
from ck_repo.models.profiles import profile
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for
from ck_repo.run.options import RunOptions
from ck_repo.run.spec import loadgen_settings

if TYPE_CHECKING:
    from object_detection.sut.library import SampleLibrary

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "program" / "object-detection"
DEMO_MODEL = ROOT / "package" / "model-demo-ssd" / "demo_ssd.onnx"
SHAPES = ROOT / "package" / "dataset-demo-shapes" / "shapes.py"


@dataclass(frozen=True)
class Outcome:
    """The files that a harness run left."""

    status: int
    folder: Path

    @property
    def results(self) -> dict[str, Any]:
        assert self.status == 0, (self.folder / "stderr.log").read_text()
        results: dict[str, Any] = json.loads((self.folder / "results.json").read_text())
        return results

    @property
    def error(self) -> str:
        assert self.status != 0
        error: str = json.loads((self.folder / "error.json").read_text())["error"]
        return error

    def detail(self, mode: str) -> dict[str, Any]:
        """LoadGen's detail log; the last of equal keys counts."""
        lines = (self.folder / mode / "mlperf_log_detail.txt").read_text().splitlines()
        rows = [json.loads(line.removeprefix(":::MLLOG")) for line in lines if line.startswith(":::MLLOG")]
        return {row["key"]: row["value"] for row in rows}


@pytest.fixture(scope="session")
def demo_model() -> Path:
    return DEMO_MODEL


@pytest.fixture(scope="session")
def shapes_file() -> Path:
    return SHAPES


@pytest.fixture(scope="session")
def demo_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 40 images of the demo data set, drawn as the package draws them."""
    folder = tmp_path_factory.mktemp("shapes")
    subprocess.run([sys.executable, str(SHAPES), "--output", str(folder), "--count", "40"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def image_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preprocessed")


@pytest.fixture(scope="session")
def spec_for(demo_set: Path, image_cache: Path) -> Callable[..., dict[str, Any]]:
    """A spec as the engine writes it: the demo model, 16 images, and a single layout to keep tuning short."""

    def make(
        scenario: str = "offline",
        *modes: str,
        model: Path = DEMO_MODEL,
        data_set: Path = demo_set,
        options: RunOptions | None = None,
        model_changes: dict[str, Any] | None = None,
        loadgen_changes: dict[str, Any] | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        described = profile("coco-300").as_data()
        described.pop("name")
        described.pop("only_annotated")
        wanted = options or RunOptions(scenario=scenario, seconds=0.3)
        return {
            "version": 1,
            "model": {
                "name": model.stem,
                "path": str(model),
                "backend": "onnxruntime",
                "input": "image_tensor:0",
                "max_batch": None,
                **described,
                **(model_changes or {}),
            },
            "dataset": {
                "name": data_set.name,
                "images": str(data_set / "val2017"),
                "annotations": str(data_set / "annotations" / "instances_val2017.json"),
                "digest": str(data_set),
            },
            "device": "cpu",
            "scenario": scenario,
            "modes": list(modes) or ["accuracy"],
            "count": 16,
            "batch_size": 4,
            "threads": 1,
            "sessions": 1 if scenario == "singlestream" else 2,
            "official": False,
            "loadgen": write(loadgen_settings(wanted, rules_for(load_round(), "ssd-mobilenet"))) | (loadgen_changes or {}),
            "cache": str(image_cache),
            **changes,
        }

    return make


@pytest.fixture(scope="session")
def model_spec() -> Callable[..., dict[str, Any]]:
    """The `model` of a spec as `ck detect` with options and `ck run` write it."""

    def make(
        path: Path, kind: str = "onnx", backend: str = "onnxruntime", profile: str = "", **options: object
    ) -> dict[str, Any]:
        given = given_fields({name: str(value) for name, value in options.items()})
        section = inspect_model(path, kind, profile, given=given)
        described = profile_for_file(section, str(path), own_networks()).as_data()
        return {
            "name": path.stem,
            "path": str(path),
            "backend": backend,
            "input": section["input"],
            "max_batch": section["max_batch"],
            **{key: value for key, value in described.items() if key not in ("name", "only_annotated")},
        }

    return make


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """Start the harness on a spec in an empty folder; its stdin stays open until the caller closes it."""

    def begin(spec: dict[str, Any], folder: Path, *, path: Path | None = None) -> subprocess.Popen[bytes]:
        (folder / "spec.json").write_text(json.dumps(spec))
        search = os.pathsep.join([str(PROGRAM), *([str(path)] if path else [])])
        environment = dict(os.environ) | {"PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        with open(folder / "stdout.log", "wb") as output, open(folder / "stderr.log", "wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "object_detection", str(folder / "spec.json")],
                cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=errors,
            )  # fmt: skip

    return begin


@pytest.fixture(scope="session")
def harness(start: Callable[..., subprocess.Popen[bytes]], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Outcome]:
    """Run the harness on a spec until it ends."""

    def run(spec: dict[str, Any], *, path: Path | None = None) -> Outcome:
        folder = tmp_path_factory.mktemp("run")
        with start(spec, folder, path=path) as process:
            try:
                return Outcome(process.wait(PATIENCE), folder)
            finally:
                process.kill()

    return run


@dataclass
class LoadGenRun:
    """LoadGen's requests and output when it drives a SUT that answers with nothing."""

    folder: Path
    loaded: list[int] = field(default_factory=list)
    issued: list[int] = field(default_factory=list)

    def load(self, indices: list[int]) -> None:
        self.loaded += indices

    def unload(self, indices: list[int]) -> None:
        pass


@pytest.fixture(scope="session")
def loadgen_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., LoadGenRun]:
    """LoadGen's own part of a performance run over 5000 samples: no image, no model."""
    lg = pytest.importorskip("mlperf_loadgen")
    from object_detection import loadgen
    from object_detection.spec import LoadGenSettings

    class Nothing:
        done = 0

        def __init__(self, row: LoadGenRun) -> None:
            self.row = row

        def issue(self, samples: list[Any]) -> None:
            self.row.issued += [sample.index for sample in samples]
            self.done += len(samples)
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0) for sample in samples])

        def flush(self) -> None:
            pass

        def close(self) -> None:
            pass

    def run(options: RunOptions, benchmark: str = "ssd-mobilenet", rate: float = 1000.0) -> LoadGenRun:
        row = LoadGenRun(tmp_path_factory.mktemp("loadgen"))
        content: dict[str, Any] = write(loadgen_settings(options, rules_for(load_round(options.round), benchmark)))
        wanted = LoadGenSettings(**content)
        settings = loadgen.settings_for(options.scenario, "performance", wanted, rate)
        library = cast("SampleLibrary", row)
        loadgen.run(options.scenario, "performance", settings, wanted, Nothing(row), library, 5000, row.folder)
        return row

    return run


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A third-party distribution with a backend `toy`, given the body of its `run`; to be put on the search path.

    The backend can use the given devices; `self.device` is the session's, and `self.devices` are those of all sessions.
    """

    def make(body: str, devices: Sequence[str] = ("cpu",)) -> Path:
        folder = tmp_path_factory.mktemp("plugin")
        lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
        (folder / "toy_backend.py").write_text(
            "import numpy as np\nfrom pathlib import Path\n\n\n"
            "def version():\n    return '7.5'\n\n\n"
            f"def devices():\n    return {list(devices)}\n\n\n"
            "def load(model, device, threads):\n    return Toy(device)\n\n\n"
            "class Toy:\n    max_batch = None\n    threads = 1\n    layout = 'NHWC'\n    calls = 0\n    devices = []\n\n"
            "    def __init__(self, device):\n        self.device = device\n        self.devices.append(device)\n\n"
            f"    def run(self, images):\n        n = len(images)\n{lines}\n"
        )
        info = folder / "toy_backend-7.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-backend\nVersion: 7.5\n")
        (info / "entry_points.txt").write_text("[ck_repo.backends]\ntoy = toy_backend\n")
        return folder

    return make
