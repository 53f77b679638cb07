"""A real COCO-trained model on real COCO images, compared with the v1.0.1 reference harness.

Golden figures: the reference harness's own, run on the same 79 images (see the data's README): mAP 0.23982 (fp32) and 0.23871
(int8), and its accuracy logs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import coco_sets
import pytest
from end_to_end.compared_logs import detections, share_of_equal
from end_to_end.installed import Ck

if TYPE_CHECKING:
    from end_to_end.conftest import Subject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]


@pytest.fixture(scope="module")
def registered(shared_ck: Ck, data: Path) -> Ck:
    for precision, file in (("fp32", "fp32"), ("int8", "int8_qdq")):
        model = data / f"models/ssd_mobilenet_v1_075_{file}.onnx"
        shared_ck.good("detect", "soft:model.onnx", f"--full_path={model}", f"--extra_tags=depth.075,{precision}")
    image = next((data / "coco79/val2017").iterdir())
    shared_ck.good("detect", "soft:dataset.coco.2017.val", f"--full_path={image}", "--extra_tags=coco79")
    return shared_ck


@pytest.mark.parametrize(("precision", "golden"), [("fp32", 0.23982), ("int8", 0.23871)])
def test_accuracy_and_detections_match_reference(registered: Ck, data: Path, precision: str, golden: float) -> None:
    answer = registered.good(
        "run", "program:object-detection", f"--model=depth.075,{precision}", "--dataset=coco79", "--mode=accuracy"
    )
    assert answer["results"]["accuracy"]["mAP"] == pytest.approx(golden, abs=5e-6)
    ours = detections(Path(answer["path"]) / "accuracy/mlperf_log_accuracy.json")
    theirs = detections(data / f"logs/coco79_{precision}_reference_mlperf_log_accuracy.json")
    assert set(ours) == set(theirs)
    assert share_of_equal(ours, theirs) > 0.995


@pytest.mark.parametrize(
    ("options", "golden", "tolerance"),
    [
        (("--model=depth.075,fp32", "--backend=openvino"), 0.2398, 1e-3),
        (("--model=depth.075,uint8",), 0.2148, 5e-5),  # pycocotools on the interpreter's output, ten detections an image
    ],
    ids=["openvino", "tflite"],
)
def test_other_frameworks_give_the_same_answer(
    registered: Ck, data: Path, options: tuple[str, ...], golden: float, tolerance: float
) -> None:
    model = data / "models/ssd_mobilenet_v1_075_uint8.tflite"
    registered.good("detect", "soft:model.tflite", f"--full_path={model}", "--extra_tags=depth.075,uint8")
    answer = registered.good("run", "program:object-detection", *options, "--dataset=coco79", "--mode=accuracy")
    assert answer["results"]["accuracy"]["mAP"] == pytest.approx(golden, abs=tolerance)
    if "uint8" in options[0]:
        assert answer["results"]["accuracy"]["detections"] == 79 * 10
    else:
        ours = detections(Path(answer["path"]) / "accuracy/mlperf_log_accuracy.json")
        theirs = detections(data / "logs/coco79_fp32_reference_mlperf_log_accuracy.json")
        assert share_of_equal(ours, theirs) > 0.995


@pytest.fixture(scope="module")
def own(shared_ck: Ck, subject: Subject) -> Ck:
    """A user's model and images, registered."""
    shared_ck.good("detect", "soft:model.onnx", f"--full_path={subject.model}", "--extra_tags=depth.075,fp32")
    shared_ck.good("detect", "soft:dataset.coco.2017.val", f"--full_path={subject.image}", "--extra_tags=coco79")
    return shared_ck


def test_changed_or_missing_registered_model_is_reported(own: Ck, subject: Subject, tmp_path: Path) -> None:
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(subject.model.read_bytes())
    own.good("detect", "soft:model.onnx", f"--full_path={copy}", "--extra_tags=only-mine")
    copy.write_bytes(copy.read_bytes()[:-1] + b"\0\0")
    assert "was changed after it was registered" in own.json("run", "program:object-detection", "--model=only-mine")["error"]
    copy.unlink()
    assert "is missing" in own.json("run", "program:object-detection", "--model=only-mine")["error"]
    own.good("rm", "env", "--tags=only-mine")


def test_truncated_image_fails_run_by_name(own: Ck, tmp_path: Path) -> None:
    content = coco_sets.write_coco(tmp_path / "broken", images=4, drawn=True)
    images = tmp_path / "broken/val2017"
    damaged = images / content["images"][2]["file_name"]
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])  # the header is intact: only decoding fails
    own.good("detect", "soft:dataset.coco.2017.val", f"--full_path={images}", "--extra_tags=broken")
    answer = own.json("run", "program:object-detection", "--model=depth.075,fp32", "--dataset=broken", "--mode=accuracy")
    assert answer["return"] == 7
    assert damaged.name in answer["error"]
    assert "truncated" in answer["error"]
    assert Path(answer["log"]).exists()
    own.good("rm", "env", "--tags=broken")
