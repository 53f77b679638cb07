"""Profiles: pre- and post-processing of the reference. Source: mlcommons/inference v1.0.1, python/dataset.py and coco.py."""

from __future__ import annotations

import pytest

from ck_repo.errors import NotFoundError
from ck_repo.mlperf.profiles import profile


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
def test_the_figures_of_the_reference(
    name: str, side: int, layout: str, dtype: str, cut: float | None, order: str, classes: str
) -> None:
    row = profile(name)
    assert (row.side, row.layout, row.dtype, row.score_above) == (side, layout, dtype, cut)
    assert (row.box_order, row.classes_are) == (order, classes)


def test_an_unknown_profile_is_told_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="no profile 'coco300'") as caught:
        profile("coco300")
    assert "coco-300" in caught.value.hint
