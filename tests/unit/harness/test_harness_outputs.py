"""Impossible outputs fail the run with sample, output and value; odd ones are remarked; valid ones are neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")

from object_detection.detections import pack  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.outputs import OutputCheck, remarks  # noqa: E402
from unit.harness.answers import MODEL  # noqa: E402

BOX = (0.1, 0.2, 0.5, 0.6)


def label(index: int) -> str:
    return f"sample {index} ({index}.png)"


def answer(
    *,
    box: Any = BOX,
    score: Any = 0.5,
    kind: Any = 3,
    count: Any = 2,
    model: Any = MODEL,
    categories: tuple[int, ...] = (1, 2, 3),
    dtype: Any = np.float32,
) -> OutputCheck:
    """Pack the answer for two images with three detections each; the second detection of the second image is the given one."""
    boxes, scores = np.tile(np.array(BOX, dtype), (2, 3, 1)), np.full((2, 3), 0.25, dtype)
    kinds, counts = np.ones((2, 3), dtype), np.full(2, 2.0)
    boxes[1, 1], scores[1, 1], kinds[1, 1], counts[1] = box, score, kind, count
    check = OutputCheck(model, categories, label)
    pack(model, [4, 9], boxes, scores, kinds, counts, check)
    return check


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"box": (0.1, np.nan, 0.5, 0.6)}, r"boxes for sample 9 \(9.png\) has \[0.1, nan, 0.5, 0.6\]: not finite"),
        ({"box": (0.1, 0.2, np.inf, 0.6)}, r"boxes for sample 9 \(9.png\) has \[0.1, 0.2, inf, 0.6\]: not finite"),
        ({"box": (0.5, 0.2, 0.1, 0.6)}, r"boxes for .* has \[0.5, 0.2, 0.1, 0.6\]: an inverted box"),
        ({"box": (0.1, 0.6, 0.5, 0.2)}, r"boxes for .* has \[0.1, 0.6, 0.5, 0.2\]: an inverted box"),
        ({"score": np.nan}, r"scores for sample 9 \(9.png\) has nan: not finite"),
        ({"score": -np.inf}, "scores for .* has -inf: not finite"),
        ({"score": 1.5}, "scores for .* has 1.5: not a score from 0 to 1"),
        ({"score": -0.25}, "scores for .* has -0.25: not a score from 0 to 1"),
        ({"kind": np.nan}, "classes for .* has nan: not finite"),
        ({"kind": 2.5}, "classes for .* has 2.5: not an integer from 0 to 90"),
        ({"kind": -1}, "classes for .* has -1: not an integer from 0 to 90"),
        ({"kind": 1000}, "classes for .* has 1000: not an integer from 0 to 90"),
        ({"count": -1}, r"count for sample 9 \(9.png\) has -1.0: not an integer from 0 to 3"),
        ({"count": 4}, "count for .* has 4.0: not an integer from 0 to 3"),
        ({"count": 1e30}, r"count for .* has 1e\+30"),
        ({"count": 1.5}, "count for .* has 1.5"),
        ({"count": np.nan}, "count for .* has nan"),
        ({"count": np.inf}, "count for .* has inf"),
    ],
    ids=str,
)
def test_impossible_value_names_sample_and_output(what: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=f"^the model's output {message}"):
        answer(**what)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_number_beyond_32_bits_is_impossible() -> None:
    with pytest.raises(HarnessError, match="not finite"):
        answer(box=(0.1, 0.2, 1e300, 0.6), dtype=np.float64)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("boxes", np.full((1, 1, 4), 0.5j)),
        ("scores", np.array([["0.5"]])),
        ("classes", np.array([[object()]], dtype=object)),
        ("count", np.array([1 + 0j])),
    ],
)
def test_nan_is_an_error(name: str, array: Any) -> None:
    outputs = {"boxes": np.zeros((1, 1, 4)), "scores": np.zeros((1, 1)), "classes": np.ones((1, 1)), "count": np.ones(1)}
    with pytest.raises(HarnessError, match=f"output {name} has the type .*, not real numbers"):
        pack(MODEL, [0], *{**outputs, name: array}.values())


def test_corner_order_is_the_models() -> None:
    with pytest.raises(
        HarnessError, match=r"has \[0.5, 0.2, 0.1, 0.6\]: an inverted box \(corners are xmin, ymin, xmax, ymax\)"
    ):
        answer(box=(0.5, 0.2, 0.1, 0.6), model=replace(MODEL, box_order="xyxy"))


def test_zero_based_class_is_reported_in_model_numbers() -> None:
    model = replace(MODEL, class_offset=1)
    assert not answer(kind=0, model=model).odd
    with pytest.raises(HarnessError, match=r"has -1: not an integer from 0 to 89"):
        answer(kind=-1, model=model)


@pytest.mark.parametrize("kind", [0, 4])
def test_contiguous_class_must_be_in_the_data_set(kind: int) -> None:
    model = replace(MODEL, classes_are="contiguous")
    with pytest.raises(HarnessError, match=f"has {kind}: not an integer from 1 to 3"):
        answer(kind=kind, model=model)
    assert not answer(kind=3, model=model).odd


@pytest.mark.parametrize(
    "what",
    [
        {"count": 1, "box": (np.nan,) * 4, "score": np.nan, "kind": -7},  # after the count
        {"score": 0.0, "box": (0.0, 0.0, 0.0, 0.0)},  # padding of a fixed number of detections
        {"score": 1.0 + 1e-6},
        {"score": 1.0009765625, "dtype": np.float16, "box": (0.0, 0.0, 1.0, 1.0)},  # the next 16-bit float above 1
        {"box": (-0.02, -0.3, 1.01, 1.2)},  # decoders that do not clip
        {"box": (0.25, 0.25, 0.25 - 1e-7, 0.5)},
        {"count": 0},
    ],
    ids=str,
)
def test_valid_answers_are_neither_errors_nor_odd(what: dict[str, Any]) -> None:
    assert not answer(**what).odd


def test_detections_below_threshold_are_padding_except_scores() -> None:
    model = replace(MODEL, score_above=0.3)
    assert not answer(score=0.1, box=(9.0, 9.0, 1.0, 1.0), kind=0, model=model).odd
    with pytest.raises(HarnessError, match="has nan"):  # comparisons with NaN would drop it
        answer(score=np.nan, model=model)


def test_odd_values_are_counted_and_the_first_is_named() -> None:
    checks = [answer(kind=0), answer(kind=77), answer(box=(10.0, 20.0, 200.0, 100.0)), answer(box=(0.1, 1.2, 0.2, 1.3))]
    found = remarks(checks)
    assert found["class"] == "2 detections have a class that the data set does not have, the first 0 for sample 9 (9.png)"
    assert found["outside"].startswith("2 boxes are outside their image, the first [10, 20, 200, 100] for sample 9 (9.png)")
    assert remarks(checks) == {}


def test_nothing_to_check_without_detections() -> None:
    empty = np.zeros((2, 0))
    rows = pack(MODEL, [0, 1], np.zeros((2, 0, 4)), empty, empty, np.zeros(2))
    assert [len(row) for row in rows] == [0, 0]


RUN = """
boxes, scores = np.tile([0.1, 0.2, 0.5, 0.6], (n, 2, 1)), np.full((n, 2), 0.5)
classes, counts = np.ones((n, 2)), np.full(n, 2.0)
Toy.calls += 1
if Path.cwd().name in ("accuracy", "performance"):
    {change}
return boxes, scores, classes, counts
"""


@pytest.mark.parametrize("scenario", ["singlestream", "offline"])
def test_run_with_impossible_answer_leaves_no_results(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path], scenario: str
) -> None:
    for name in ("cv2", "mlperf_loadgen"):
        pytest.importorskip(name)
    spec = spec_for(scenario, "performance", model_changes={"backend": "toy", "scores": "detection_scores:0"})
    outcome = harness(spec, path=plugin(RUN.format(change="scores[-1, 1] = np.nan")))
    assert "the model's output detection_scores:0 for sample " in outcome.error
    assert ".png) has nan: not finite" in outcome.error
    assert not (outcome.folder / "results.json").exists()


def test_odd_answers_are_remarked_in_results(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path]
) -> None:
    for name in ("cv2", "mlperf_loadgen", "pycocotools"):
        pytest.importorskip(name)
    outcome = harness(spec_for(model_changes={"backend": "toy"}), path=plugin(RUN.format(change="classes[0, 0] = 0")))
    classes, unanswered = outcome.results["remarks"]
    assert " detections have a class that the data set does not have, the first 0 for sample " in classes
    assert unanswered.startswith("the model never detects ")


def test_demo_model_has_no_odd_answers(harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]) -> None:
    for name in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
        pytest.importorskip(name)
    outcome = harness(spec_for())
    assert "remarks" not in outcome.results
    assert not (outcome.folder / "asked.txt").exists()
