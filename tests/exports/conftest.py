"""Real exports with seeded weights, scored with the framework's own decoding and with ours.

Seeded weights detect nothing meaningful. So the framework's own best detections are the ground truth: its mAP is
then far from 0 and 1, and depends on every box, score and class that we read.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from exports.detected import Found
from patience import PATIENCE

from ck_repo.contract.record import write
from ck_repo.models.interface import given_fields
from ck_repo.models.model_file import inspect_model, profile_for_file
from ck_repo.models.networks import own_networks
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for
from ck_repo.run.options import RunOptions
from ck_repo.run.spec import loadgen_settings

np = pytest.importorskip("numpy")

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "program" / "object-detection"
SHAPES = ROOT / "package" / "dataset-demo-shapes" / "shapes.py"
_TRUE = 6  # detections of an image that are used as its objects
_THIN = 2  # pixels; boxes clipped at the edges of an image may have no extent at all


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images of the demo data set."""
    folder = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, str(SHAPES), "--output", str(folder), "--count", "6"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def rgb(pictures: Path) -> list[Any]:
    """The images in order, uint8 (height, width, 3), RGB."""
    cv2 = pytest.importorskip("cv2")
    rows = json.loads((pictures / "annotations" / "instances_val2017.json").read_text())["images"]
    return [cv2.imread(str(pictures / "val2017" / row["file_name"]))[..., ::-1] for row in rows]


@pytest.fixture
def compare(pictures: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Score a model by its framework's detections and by our run of its file; both figures must be equal."""

    def run(
        path: Path,
        found: Sequence[Found],
        categories: Sequence[int],
        kind: str = "onnx",
        backend: str = "onnxruntime",
        tolerance: float = 1e-4,
        **options: object,
    ) -> dict[str, Any]:
        given = dict(options)
        section = inspect_model(
            path, kind, str(given.pop("profile", "")), given=given_fields({k: str(v) for k, v in given.items()})
        )
        described = profile_for_file(section, str(path), own_networks()).as_data()
        content = json.loads((pictures / "annotations" / "instances_val2017.json").read_text())
        truth = _write_truth(tmp_path / "truth.json", content["images"], found, categories)
        expected = _score(truth, content["images"], found)
        spec = _spec(tmp_path, path, backend, section, described, pictures, truth)
        results = _run(spec, tmp_path)
        print(f"mAP {expected:.4f} by the framework, {results['accuracy']['mAP']:.4f} by the run")
        assert 0.1 < expected < 0.999, f"mAP {expected} would not show a difference"
        assert results["accuracy"]["mAP"] == pytest.approx(expected, abs=tolerance)
        return dict(section)

    return run


def _write_truth(path: Path, images: Sequence[Mapping[str, Any]], found: Sequence[Found], categories: Sequence[int]) -> Path:
    annotations: list[dict[str, Any]] = []
    for image, own in zip(images, found, strict=True):
        large = np.flatnonzero((own.boxes[:, 2:] - own.boxes[:, :2]).min(axis=1) > _THIN)
        for at in large[own.scores[large].argsort()[::-1][:_TRUE]]:
            x0, y0, x1, y1 = (float(number) for number in own.boxes[at])
            shift = 0.05 * (len(annotations) % 5) * (x1 - x0)  # slightly moved
            annotations.append({
                "id": len(annotations) + 1, "image_id": image["id"], "category_id": int(own.classes[at]), "iscrowd": 0,
                "bbox": [x0 + shift, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0),
            })  # fmt: skip
    rows = [{"id": number, "name": f"kind {number}"} for number in categories]
    path.write_text(json.dumps({"images": list(images), "annotations": annotations, "categories": rows}))
    return path


def _score(truth: Path, images: Sequence[Mapping[str, Any]], found: Sequence[Found]) -> float:
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    results = [
        {
            "image_id": image["id"], "category_id": int(kind), "score": float(score),
            "bbox": [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])],
        }
        for image, own in zip(images, found, strict=True)
        for box, score, kind in zip(own.boxes, own.scores, own.classes, strict=True)
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        judged = coco.COCO(str(truth))
        judge = cocoeval.COCOeval(judged, judged.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0])


def _spec(
    folder: Path, path: Path, backend: str, section: Mapping[str, Any], described: dict[str, Any], pictures: Path, truth: Path
) -> dict[str, Any]:
    own = {key: value for key, value in described.items() if key not in ("name", "only_annotated")}
    return {
        "version": 1,
        "model": {
            "name": path.stem, "path": str(path), "backend": backend, "input": section["input"],
            "max_batch": section["max_batch"], **own,
        },
        "dataset": {
            "name": "pictures", "images": str(pictures / "val2017"), "annotations": str(truth), "digest": str(truth),
        },
        "device": "cpu", "scenario": "offline", "modes": ["accuracy"], "official": False, "count": None,
        "batch_size": 2, "threads": 1, "sessions": 1,
        "loadgen": write(loadgen_settings(RunOptions(), rules_for(load_round(), "ssd-mobilenet"))),
        "cache": str(folder / "cache"),
    }  # fmt: skip


def _run(spec: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    run = folder / "run"
    run.mkdir()
    (run / "spec.json").write_text(json.dumps(spec))
    environment = dict(os.environ) | {"PYTHONPATH": str(PROGRAM), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "object_detection", str(run / "spec.json")]
    process = subprocess.Popen(
        command, cwd=run, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, errors.decode()
    return dict(json.loads((run / "results.json").read_text()))
