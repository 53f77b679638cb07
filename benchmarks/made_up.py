"""A made-up model, its images and LoadGen's settings, for measurements of the harness without a framework."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from object_detection.backends import Array
from object_detection.contract.spec import LoadGenSettings, Model
from object_detection.image_cache import ImageCache

IMAGES = 64
MODEL = Model(
    name="made-up", path=Path("made-up"), backend="made-up", input="image", max_batch=None, side=8, scaling="none",
    layout="NHWC", dtype="uint8", boxes="boxes", scores="scores", classes="classes", count="count", box_order="yxyx",
    score_above=None, classes_are="category",
)  # fmt: skip
SETTINGS = LoadGenSettings(
    qsl_rng_seed=1, sample_index_rng_seed=2, schedule_rng_seed=3, performance_sample_count=IMAGES, percentile=0.9,
    min_duration_ms=0, min_query_count=1, required_query_count=0, target_qps=None, target_latency_ms=None, samples_per_query=1,
    version="",
)  # fmt: skip


class Images(ImageCache):
    """Images of 8 × 8 pixels."""

    def __init__(self) -> None:
        self._arrays = list(np.zeros((IMAGES, 8, 8, 3), np.uint8))

    def load(self, indices: Sequence[int]) -> list[Array]:
        """The images."""
        return [self._arrays[index] for index in indices]

    def name(self, index: int) -> str:
        """A name as in COCO."""
        return f"{index:012d}.jpg"
