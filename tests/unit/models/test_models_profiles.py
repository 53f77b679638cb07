"""Profiles: pre- and post-processing of the reference. Source: mlcommons/inference v1.0.1, python/dataset.py and coco.py."""

from __future__ import annotations

import pytest

from ck_repo.errors import NotFoundError
from ck_repo.models.profiles import profile


@pytest.mark.parametrize(
    ("name", "side", "layout", "dtype", "cut", "order", "classes"),
    [
        ("coco-300", 300, "NHWC", "uint8", None, "yxyx", "category"),
        ("coco-300-pt", 300, "NCHW", "float32", 0.3, "xyxy", "category"),
        ("coco-1200-pt", 1200, "NCHW", "float32", 0.05, "xyxy", "contiguous"),
        ("coco-1200-onnx", 1200, "NCHW", "float32", 0.05, "xyxy", "contiguous"),
        ("coco-1200-tf", 1200, "NCHW", "float32", 0.05, "yxyx", "contiguous"),
    ],
)
def test_reference_figures(name: str, side: int, layout: str, dtype: str, cut: float | None, order: str, classes: str) -> None:
    row = profile(name)
    assert (row.side, row.layout, row.dtype, row.score_above) == (side, layout, dtype, cut)
    assert (row.box_order, row.classes_are) == (order, classes)


def test_unknown_profile_suggests_nearest() -> None:
    with pytest.raises(NotFoundError, match="no profile 'coco300'") as caught:
        profile("coco300")
    assert "coco-300" in caught.value.hint


def test_reference_bugs_are_kept_only_on_request() -> None:
    """Facts, section 1: the ONNX model's cut at 0.5, no inverse map, images without annotations dropped for PyTorch."""
    onnx, torch, small = (profile(name) for name in ("coco-1200-onnx", "coco-1200-pt", "coco-300"))
    assert (onnx.score_above, onnx.classes_are, torch.only_annotated) == (0.05, "contiguous", False)
    assert (onnx.with_reference_faults().score_above, onnx.with_reference_faults().classes_are) == (0.5, "category")
    assert torch.with_reference_faults().only_annotated
    assert torch.with_reference_faults().score_above == 0.05
    assert small.with_reference_faults() == small


def test_model_description_overrides_profile() -> None:
    chosen = profile("coco-300").for_model({"outputs": {"boxes": "b:0"}, "score_above": 0.1, "precision": "int8"})
    assert (chosen.boxes, chosen.score_above, chosen.scores) == ("b:0", 0.1, "detection_scores:0")
