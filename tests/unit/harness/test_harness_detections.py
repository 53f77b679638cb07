"""Answers to LoadGen: seven little-endian float32 a detection (mlcommons/inference v1.0.1, python/coco.py)."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

np = pytest.importorskip("numpy")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from object_detection.detections import pack  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from unit.harness.answers import MODEL, outputs  # noqa: E402

floats = st.floats(0, 1, width=32)


def test_bytes_of_one_detection() -> None:
    boxes = np.array([[[0.1, 0.2, 0.3, 0.4]]], np.float32)
    rows = pack(MODEL, [4110], boxes, np.array([[0.75]], np.float32), np.array([[17]], np.float32), None)
    assert rows[0].tobytes() == struct.pack("<7f", 4110, 0.1, 0.2, 0.3, 0.4, 0.75, 17)


def test_corners_are_in_reference_order() -> None:
    boxes, scores, classes = outputs(1, 3)
    turned = boxes[..., [1, 0, 3, 2]]
    expected = pack(MODEL, [5], boxes, scores, classes, None)
    found = pack(replace(MODEL, box_order="xyxy"), [5], turned, scores, classes, None)
    assert np.array_equal(found[0], expected[0])


def test_only_counted_detections_are_kept() -> None:
    rows = pack(MODEL, [0, 1, 2], *outputs(3, 5), np.array([2, 0, 5], np.float32))
    assert [len(row) for row in rows] == [2, 0, 5]


@pytest.mark.parametrize(("above", "left"), [(None, 4), (0.05, 3), (0.3, 2), (0.5, 1)])
def test_score_must_exceed_threshold(above: float | None, left: int) -> None:
    scores = np.array([[0.9, 0.5, 0.3, 0.05]], np.float32)
    boxes, _, classes = outputs(1, 4)
    assert len(pack(replace(MODEL, score_above=above), [0], boxes, scores, classes, None)[0]) == left


def test_no_detection_is_an_empty_answer() -> None:
    """The reference's PyTorch ssd-resnet34 crashes here."""
    row = pack(MODEL, [7], *outputs(1, 0), None)[0]
    assert row.shape == (0, 7)
    assert row.nbytes == 0


def test_answer_is_contiguous() -> None:
    """LoadGen reads the buffer by its address."""
    rows = pack(replace(MODEL, score_above=0.5), [0, 1], *outputs(2, 6), np.array([4, 6]))
    assert all(row.flags.c_contiguous for row in rows)


@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 3, 4), (1, 3), (1, 3)),
        ((2, 3, 4), (2, 4), (2, 3)),
        ((2, 3, 4), (2, 3), (2, 2)),
        ((2, 3, 1), (2, 3), (2, 3)),
        ((2, 3, 5), (2, 3), (2, 3)),
        ((2, 3), (2, 3), (2, 3)),
        ((6, 4), (6,), (6,)),
    ],
    ids=str,
)
def test_mismatched_shapes_are_an_error(shapes: tuple[tuple[int, ...], ...]) -> None:
    boxes, scores, classes = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(HarnessError, match="the model returned for 2 images boxes"):
        pack(MODEL, [0, 1], boxes, scores, classes, None)


@pytest.mark.parametrize("counts", [[3], [3, 3, 3]])
def test_one_count_per_image(counts: list[int]) -> None:
    with pytest.raises(HarnessError):
        pack(MODEL, [0, 1], *outputs(2, 3), np.array(counts, np.float32))


@given(
    index=st.integers(0, 4999),
    detections=st.lists(st.tuples(floats, floats, floats, floats, floats, st.integers(1, 90)), max_size=20),
    above=st.none() | floats,
)
def test_detections_round_trip_through_bytes(index: int, detections: list[tuple[float, ...]], above: float | None) -> None:
    upright = [(*sorted(each[:2]), *sorted(each[2:4]), *each[4:]) for each in detections]
    detections = [(each[0], each[2], each[1], each[3], *each[4:]) for each in upright]
    table = np.array(detections, np.float32).reshape(1, len(detections), 6)
    model = replace(MODEL, score_above=above)
    row = pack(model, [index], table[..., :4], table[..., 4], table[..., 5], None)[0]
    back = list(struct.iter_unpack("<7f", row.tobytes()))
    assert back == [(index, *each) for each in detections if above is None or each[4] > above]
