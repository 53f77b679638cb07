"""One model behind many interfaces: its mAP is the same with each, if the interface is known or given by options."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo_variants import BOXES, CLASSES, COUNT, IMAGE, SCORES, Variant, boxes_as

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto  # noqa: E402

F32, F16, U8 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
Make = Callable[[Variant], None]


def pixels(variant: Variant) -> None:
    boxes_as(variant, "yxyx", 300.0)


def order(name: str) -> Make:
    return lambda variant: boxes_as(variant, name)


def classes_from_0(variant: Variant) -> None:
    variant.output(CLASSES, variant.node("Sub", [CLASSES, variant.constant("one", 1.0)], "classes"))


def planes(variant: Variant) -> None:
    variant.first("Transpose", ["planes"], variant.takes("planes", U8, ["N", 3, 300, 300]), perm=[0, 2, 3, 1])


def blue_first(variant: Variant) -> None:
    turned = variant.constant("turned", [2, 1, 0], "int64")
    variant.first("Gather", ["bgr", turned], variant.takes("bgr", U8, ["N", 300, 300, 3]), axis=3)


def fixed_batch(variant: Variant) -> None:
    for row in (*variant.graph.input, *variant.graph.output):
        row.type.tensor_type.shape.dim[0].dim_value = 4


def floats(dtype: int) -> Make:
    def make(variant: Variant) -> None:
        taken = variant.takes("unit", dtype, ["N", 300, 300, 3])
        wide = variant.first("Cast", ["unit"], "wide", to=F32)
        bright = variant.first("Mul", [wide, variant.constant("most", 255.0)], "bright")
        variant.first("Cast", [variant.first("Add", [bright, variant.constant("bit", 0.01)], "more")], taken, to=U8)

    return make


def one_output(variant: Variant) -> None:
    last = variant.constant("last", [2], "int64")
    wide = [variant.node("Unsqueeze", [name, last], f"wide_{name}") for name in (SCORES, CLASSES)]
    variant.node("Concat", [BOXES, *wide], "rows", axis=2)
    variant.outputs(rows=(F32, ["N", 100, 6]))


def scores_for_each_class(variant: Variant) -> None:
    """11 scores for each box, the background first, as logits of a sigmoid."""
    last, depth = variant.constant("last", [2], "int64"), variant.constant("depth", 11, "int64")
    kinds = variant.node("Cast", [CLASSES], "kinds", to=TensorProto.INT64)
    hot = variant.node("OneHot", [kinds, depth, variant.constant("off_on", [0.0, 1.0])], "hot", axis=-1)
    given = variant.node("Mul", [hot, variant.node("Unsqueeze", [SCORES, last], "wide")], "given")
    low, high = variant.constant("low", 1e-6), variant.constant("high", 1 - 1e-6)
    clipped = variant.node("Clip", [given, low, high], "clipped")
    rest = variant.node("Sub", [variant.constant("all", 1.0), clipped], "rest")
    variant.node("Log", [variant.node("Div", [clipped, rest], "odds")], "logits")
    variant.node("Identity", [BOXES], "boxes")
    variant.outputs(boxes=(F32, ["N", 100, 4]), logits=(F32, ["N", 100, 11]))


def of_tensorflow_2(variant: Variant) -> None:
    """Images of any size, resized in the graph, under the names of TensorFlow 2's exporter."""
    taken = variant.takes("input_tensor", U8, [1, "H", "W", 3])
    wide = variant.first("Cast", ["input_tensor"], "wide", to=F32)
    planes = variant.first("Transpose", [wide], "planes", perm=[0, 3, 1, 2])
    sizes = variant.constant("sizes", [1, 3, 300, 300], "int64")
    resized = variant.first("Resize", [planes, "", "", sizes], "resized", mode="linear")
    variant.first("Cast", [variant.first("Transpose", [resized], "rows", perm=[0, 2, 3, 1])], taken, to=U8)
    for name in (BOXES, SCORES, CLASSES, COUNT):
        variant.rename(name, name.removesuffix(":0"))


CASES: dict[str, tuple[Make, dict[str, Any], float]] = {
    "as it is": (lambda variant: None, {}, 0),
    "boxes in pixels": (pixels, {"boxes": "boxes", "box_units": "pixels"}, 0),
    "xyxy": (order("xyxy"), {"boxes": "boxes", "box_order": "xyxy"}, 0),
    "xywh": (order("xywh"), {"boxes": "boxes", "box_order": "xywh"}, 0),
    "cxcywh": (order("cxcywh"), {"boxes": "boxes", "box_order": "cxcywh"}, 0),
    "classes from 0": (classes_from_0, {"classes": "classes", "class_offset": 1}, 0),
    "channels first": (planes, {"layout": "NCHW"}, 0),
    "blue first": (blue_first, {"colour": "bgr"}, 0),
    "batch of 4": (fixed_batch, {}, 0),
    "float32 from 0 to 1": (floats(F32), {"dtype": "float32", "scaling": "unit"}, 0.005),
    "float16 from 0 to 1": (floats(F16), {"dtype": "float16", "scaling": "unit"}, 0.02),
    "one output": (
        one_output,
        {"boxes": "rows[0:4]", "scores": "rows[4]", "classes": "rows[5]", "box_order": "yxyx", "classes_are": "category",
         "class_offset": 0, "scaling": "none", "dtype": "uint8"},
        0,
    ),
    "scores for each class": (
        scores_for_each_class,
        {"boxes": "#0", "scores": "#1", "scores_are": "sigmoid", "background": "first", "box_order": "yxyx",
         "classes_are": "category", "class_offset": 1, "scaling": "none", "dtype": "uint8"},
        1e-4,
    ),
    "TensorFlow 2": (of_tensorflow_2, {}, 0.01),
}  # fmt: skip


@pytest.fixture(scope="module")
def scored(
    demo_model: Path, spec_for: Callable[..., dict[str, Any]], harness: Callable[..., Any], model_spec: Callable[..., Any],
) -> Callable[..., dict[str, Any]]:  # fmt: skip
    """Results of an accuracy run of a model file."""

    def run(path: Path, kind: str = "onnx", backend: str = "onnxruntime", profile: str = "", **options: Any) -> dict[str, Any]:
        spec = spec_for("offline", "accuracy", sessions=1, batch_size=3)
        spec["model"] = model_spec(path, kind, backend, profile, **options)
        results: dict[str, Any] = harness(spec).results
        return results

    return run


@pytest.fixture(scope="module")
def base(scored: Callable[..., dict[str, Any]], demo_model: Path) -> float:
    found = float(scored(demo_model)["accuracy"]["mAP"])
    assert found > 0.7
    return found


@pytest.mark.parametrize("case", CASES)
def test_map_does_not_depend_on_the_interface(
    case: str, demo_model: Path, tmp_path: Path, scored: Callable[..., dict[str, Any]], base: float
) -> None:
    make, options, tolerance = CASES[case]
    variant = Variant(demo_model)
    make(variant)
    results = scored(variant.save(tmp_path / "model.onnx"), **options)
    assert results["accuracy"]["mAP"] == pytest.approx(base, abs=tolerance or 1e-6)
    assert "remarks" not in results


def test_letterbox_is_removed_from_boxes(demo_model: Path, scored: Callable[..., dict[str, Any]], base: float) -> None:
    """The model was trained on stretched images, and finds a little less; with the bars left in it would find nothing."""
    results = scored(demo_model, resize="letterbox")
    assert base - 0.25 < results["accuracy"]["mAP"] <= base + 0.02
    cornered = scored(demo_model, resize="letterbox", placed="corner")
    assert base - 0.25 < cornered["accuracy"]["mAP"] <= base + 0.02


def test_external_weights(demo_model: Path, tmp_path: Path, scored: Callable[..., dict[str, Any]], base: float) -> None:
    path = Variant(demo_model).save(
        tmp_path / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=64
    )
    assert (tmp_path / "model.onnx.data").stat().st_size > path.stat().st_size
    assert scored(path)["accuracy"]["mAP"] == pytest.approx(base)


def test_openvino_format(demo_model: Path, tmp_path: Path, scored: Callable[..., dict[str, Any]], base: float) -> None:
    ov = pytest.importorskip("openvino")
    ov.save_model(ov.Core().read_model(str(demo_model)), str(tmp_path / "model.xml"), compress_to_fp16=False)
    found = scored(tmp_path / "model.xml", "openvino", "openvino")
    assert found["accuracy"]["mAP"] == pytest.approx(base, abs=2e-3)


READINGS: dict[str, tuple[Make, dict[str, Any], str]] = {
    "boxes in pixels": (pixels, {"boxes": "boxes"}, "--box_units=pixels"),
    "classes from 0": (classes_from_0, {"classes": "classes"}, "--class_offset=1"),
    "swapped corners": (order("xyxy"), {"boxes": "boxes"}, "--box_order=xyxy"),
}


@pytest.mark.parametrize("case", READINGS)
def test_better_interpretation_is_suggested(
    case: str, demo_model: Path, tmp_path: Path, scored: Callable[..., dict[str, Any]]
) -> None:
    make, options, wanted = READINGS[case]
    variant = Variant(demo_model)
    make(variant)
    remarks = scored(variant.save(tmp_path / "model.onnx"), **options)["remarks"]
    message = next(text for text in remarks if "the first 16 images have mAP" in text)
    assert wanted in message
    assert all(other not in message for _, _, other in READINGS.values() if other != wanted)


def test_failed_run_names_suitable_interpretation(
    demo_model: Path, tmp_path: Path, spec_for: Callable[..., Any], harness: Callable[..., Any], model_spec: Callable[..., Any]
) -> None:
    variant = Variant(demo_model)
    boxes_as(variant, "cxcywh", 300.0)
    spec = spec_for("offline", "accuracy", sessions=1, batch_size=4)
    spec["model"] = model_spec(variant.save(tmp_path / "model.onnx"), boxes="boxes")
    outcome = harness(spec)
    assert "an inverted box" in outcome.error
    hint = (outcome.folder / "error.json").read_text()
    assert "--box_units=pixels" in hint
    assert "--box_order=cxcywh" in hint


def test_images_of_any_size_run_one_by_one(
    demo_model: Path, tmp_path: Path, spec_for: Callable[..., Any], harness: Callable[..., Any], model_spec: Callable[..., Any]
) -> None:
    variant = Variant(demo_model)
    of_tensorflow_2(variant)
    spec = spec_for("offline", "accuracy", "performance", sessions=2, batch_size=4)
    spec["model"] = model_spec(variant.save(tmp_path / "model.onnx"))
    assert spec["model"]["side"] == 0
    results = harness(spec).results
    assert results["performance"]["errors"] == 0


def test_trial_picture(demo_model: Path, spec_for: Callable[..., Any], model_spec: Callable[..., Any], tmp_path: Path) -> None:
    import json
    import subprocess
    import sys

    cv2 = pytest.importorskip("cv2")
    spec = spec_for("offline", "accuracy", count=3)
    shutil.copyfile(demo_model, tmp_path / "mine.onnx")
    spec["model"] = model_spec(tmp_path / "mine.onnx")
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    program = Path(__file__).resolve().parents[3] / "program" / "object-detection"
    subprocess.run(
        [sys.executable, "-m", "object_detection.trial", str(tmp_path / "spec.json")],
        check=True, cwd=program, capture_output=True,
    )  # fmt: skip
    assert json.loads((tmp_path / "trial.json").read_text())["detections"] > 3
    assert cv2.imread(str(tmp_path / "trial.png")).shape == (800, 800, 3)
    assert spec["model"]["input"] == IMAGE
