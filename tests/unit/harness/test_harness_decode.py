"""Decoding: letterboxes, box orders and suppression, compared with straightforward implementations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("cv2")

from hypothesis import example, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from object_detection.backends.interface import Outputs  # noqa: E402
from object_detection.backends.tensor_name import parse  # noqa: E402
from object_detection.decode import decoded  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.frame import frame_of, in_image, letterboxed  # noqa: E402
from object_detection.outputs import OutputCheck  # noqa: E402
from object_detection.preprocess import finished, input_of  # noqa: E402
from object_detection.spec import Model  # noqa: E402
from object_detection.suppress import suppressed  # noqa: E402

MODEL = Model(
    "toy", Path("toy"), "toy", "image", None, 64, "unit", "NCHW", "float32", "boxes", "scores", "", "", "xyxy", None,
    "contiguous", 1,
)  # fmt: skip


@example(height=127, width=128, placed="centre")  # 63.5 pixels of the input, rounded to 64
@given(height=st.integers(1, 300), width=st.integers(1, 300), placed=st.sampled_from(["centre", "corner"]))
def test_letterbox_is_inverted(height: int, width: int, placed: str) -> None:
    frame = frame_of(replace(MODEL, resize="letterbox", placed=placed), height, width)
    box = np.array([[0.1 * height, 0.2 * width, 0.6 * height, 0.9 * width]], np.float32)
    offset, scale = np.array([*frame.offset] * 2), np.array([*frame.scale] * 2)
    pixels = (box * scale + offset).astype(np.float32)
    expected = [[0.1, 0.2, 0.6, 0.9]]
    assert np.allclose(in_image(pixels, frame, "pixels"), expected, atol=1e-4)
    assert np.allclose(in_image(pixels / 64, frame, "unit"), expected, atol=1e-4)
    assert np.allclose(in_image(box, frame, "image-pixels"), expected, atol=1e-4)
    assert all(start >= 0 and start + inside <= 64 for start, inside in zip(frame.offset, frame.inside, strict=True))


def test_letterbox_has_grey_bars_around_the_image() -> None:
    image = np.full((20, 40, 3), 200, np.uint8)
    model = replace(MODEL, resize="letterbox")
    found = letterboxed(image, frame_of(model, 20, 40), 114)
    assert found.shape == (64, 64, 3)
    assert (found[:16] == 114).all()
    assert (found[16:48] == 200).all()
    assert (found[48:] == 114).all()
    assert (letterboxed(image, frame_of(replace(model, placed="corner"), 20, 40), 0)[32:] == 0).all()


def test_unresized_image_keeps_its_size() -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    free = replace(MODEL, side=0, resize="keep")
    assert input_of(image, free).shape == (3, 20, 40)
    assert np.allclose(
        in_image(np.array([[5, 10, 10, 20]], np.float32), frame_of(free, 20, 40), "pixels"), [[0.25, 0.25, 0.5, 0.5]]
    )


def test_padding_of_unresized_image_is_removed_from_boxes() -> None:
    fixed = replace(MODEL, resize="keep", classes="classes")
    assert not fixed.is_plain
    assert replace(fixed, side=0).is_plain
    assert np.allclose(
        in_image(np.array([[0.25, 0.25, 0.5, 0.5]], np.float32), frame_of(fixed, 32, 64), "unit"), [[0.5, 0.25, 1, 0.5]]
    )


def test_thin_image_keeps_one_pixel_in_letterbox() -> None:
    model = replace(MODEL, resize="letterbox")
    assert input_of(np.zeros((1, 300, 3), np.uint8), model).shape == (3, 64, 64)


def test_pixel_values() -> None:
    image = np.array([[[0, 51, 255]]], np.float32)
    assert finished(image, "none", "NHWC").dtype == np.uint8
    assert finished(image, "none", "NHWC", "float32").tolist() == [[[0, 51, 255]]]
    assert np.allclose(finished(image, "unit", "NHWC", colour="bgr"), [[[1, 0.2, 0]]])
    assert np.allclose(finished(image, "none", "NHWC", mean=[1, 1, 5], std=[1, 2, 250]), [[[-1, 25, 1]]])
    assert finished(image, "unit", "NHWC", "float16").dtype == np.float16


def corners(order: str) -> Any:
    return {
        "xyxy": [16, 8, 48, 24], "yxyx": [8, 16, 24, 48], "xywh": [16, 8, 32, 16], "cxcywh": [32, 16, 32, 16],
    }[order]  # fmt: skip


@pytest.mark.parametrize("order", ["xyxy", "yxyx", "xywh", "cxcywh"])
def test_box_orders(order: str) -> None:
    model = replace(MODEL, box_order=order, box_units="pixels", classes="classes")
    boxes, one = np.array([[corners(order)]], np.float32), np.ones((1, 1), np.float32)
    rows = decoded(model, [3], [frame_of(model, 64, 64)], boxes, one, one * 6, None, OutputCheck(model))[0]
    assert rows.tolist() == [[3, 0.125, 0.25, 0.375, 0.75, 1, 7]]


def test_grid_cell_boxes() -> None:
    model = replace(MODEL, box_order="cxcywh", box_units="cells", classes="classes")
    boxes = np.zeros((1, 64 + 16 + 4, 4), np.float32)  # cells of 8, 16 and 32 pixels
    boxes[0, 64 + 4 * 1 + 2] = [0.5, 0.25, np.log(2), np.log(0.5)]  # second row, third column of the grid with 16-pixel cells
    scores = np.ones(boxes.shape[:2], np.float32)
    rows = decoded(model, [0], [frame_of(model, 64, 64)], boxes, scores, scores, None, OutputCheck(model))[0]
    assert rows[0, 1:5].tolist() == pytest.approx([-4 / 64, -4 / 64, 4 / 64, 4 / 64])
    assert rows[70, 1:5].tolist() == pytest.approx([(20 - 4) / 64, (40 - 16) / 64, (20 + 4) / 64, (40 + 16) / 64])
    with pytest.raises(HarnessError, match="83 boxes for an image: not one for each cell of grids on an input of 64 × 64"):
        decoded(model, [0], [frame_of(model, 64, 64)], boxes[:, 1:], scores[:, 1:], scores[:, 1:], None, OutputCheck(model))


def test_box_classes() -> None:
    scores = np.array([[[0.2, 0.7, 0.6]]], np.float32)
    boxes, none = np.array([[[0, 0, 1, 1]]], np.float32), np.empty((1, 1, 0))
    frames = [frame_of(MODEL, 64, 64)]
    best = decoded(MODEL, [0], frames, boxes, scores, none, None, OutputCheck(MODEL))[0]
    assert best[:, 5:].tolist() == [[pytest.approx(0.7), 2]]
    model = replace(MODEL, labels_per_box="all", score_above=0.3)
    every = decoded(model, [0], frames, boxes, scores, none, None, OutputCheck(model))[0]
    assert sorted(every[:, 6].tolist()) == [2, 3]


@given(seed=st.integers(0, 10**6), by_class=st.booleans(), limit=st.sampled_from([None, 5]))
def test_nms_is_greedy(seed: int, by_class: bool, limit: int | None) -> None:
    random = np.random.default_rng(seed)
    low = random.uniform(0, 0.7, (40, 2))
    boxes = np.concatenate([low, low + random.uniform(0.05, 0.3, (40, 2))], axis=1).astype(np.float32)
    scores, classes = random.uniform(size=40).astype(np.float32), random.integers(0, 3, 40).astype(np.float32)
    expected: list[int] = []
    for at in np.argsort(-scores):
        if all((by_class and classes[at] != classes[other]) or overlap(boxes[at], boxes[other]) <= 0.5 for other in expected):
            expected.append(int(at))
    found = suppressed(boxes, scores, classes if by_class else None, 0.5, limit)
    assert found.tolist() == expected[:limit]


def overlap(one: Any, other: Any) -> float:
    extent = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.clip(extent, 0, None).prod())
    return common / (float((one[2:] - one[:2]).prod()) + float((other[2:] - other[:2]).prod()) - common)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_survives_suppression(value: float) -> None:
    model = replace(MODEL, nms="class", score_above=0.1)
    boxes = np.array([[[0, 0, 1, 1], [0, 0, value, 1]]], np.float32)
    scores, none = np.array([[[0.9], [0.8]]], np.float32), np.empty((1, 2, 0))
    frames = [frame_of(model, 64, 64)]
    with pytest.raises(HarnessError, match="not finite"):
        decoded(model, [0], frames, boxes, scores, none, None, OutputCheck(model))
    scores[0, 1, 0] = value
    with pytest.raises(HarnessError, match="not a score from 0 to 1"):
        decoded(model, [0], frames, np.abs(np.nan_to_num(boxes, posinf=1)), scores, none, None, OutputCheck(model))


def test_output_columns_and_positions() -> None:
    assert [parse(text).columns for text in ("a", "a[4]", "a[4:]", "a[:4]", "a[0:4]")] == [
        None, 4, slice(4, None), slice(None, 4), slice(0, 4),
    ]  # fmt: skip
    model = replace(MODEL, boxes="#0[0:4]", objectness="#0[4]", scores="#0[5:]", transposed=True)
    outputs = Outputs(model, ["image"], ["head"])
    assert outputs.wanted == ["head"]
    head = np.arange(14, dtype=np.float32).reshape(1, 7, 2)
    boxes, scores, classes, counts = outputs.arranged([head], 1)
    assert boxes.tolist() == [[[0, 2, 4, 6], [1, 3, 5, 7]]]
    assert scores.tolist() == [[[80, 96], [99, 117]]]
    assert (classes.shape, counts) == ((1, 2, 0), None)


def test_softmax_is_over_the_classes_of_each_box() -> None:
    model = replace(MODEL, boxes="head[0:4]", objectness="head[4]", scores="head[5:]", scores_are="softmax")
    head = np.zeros((1, 3, 7), np.float32)
    _, scores, _, _ = Outputs(model, ["image"], ["head"]).arranged([head], 1)
    assert np.allclose(scores, 0.25)  # an objectness of one half, two equal classes


def test_batch_detections_go_to_their_images() -> None:
    model = replace(MODEL, image="r[0]", boxes="r[1:5]", classes="r[5]", scores="r[6]")
    rows = np.array(
        [[1, 0, 0, 1, 1, 3, 0.5], [0, 0, 0, 1, 1, 4, 0.9], [1, 0, 0, 1, 1, 5, 0.4], [-1, 0, 0, 0, 0, 0, 0]], np.float32
    )
    boxes, scores, classes, counts = Outputs(model, ["image"], ["r"]).arranged([rows], 3)
    assert counts is not None
    assert counts.tolist() == [1, 2, 0]
    assert classes[1, :2].tolist() == [3, 5]
    assert boxes.shape == (3, 2, 4)
    assert scores[0, 0] == pytest.approx(0.9)
