"""Scoring and reading of an accuracy log: the rows that scoring.py measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alone_rows import Row


def scoring_rows(in_venv: Callable[..., dict[str, Any]], quick: bool) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`."""
    rounds, images = (1, 200) if quick else (5, 5_000)

    def score() -> tuple[str, str]:
        """From a log's detections to the twelve figures, compared with faster-coco-eval alone."""
        found = in_venv("scoring.py", "score", rounds, images)
        ratio = found["ours"] / found["bare"]
        text = (
            f"{found['ours']:.2f} over {found['bare']:.2f} s of CPU = {ratio:.2f}; pycocotools {found['pycocotools']:.1f} s, "
            f"the figures differ by {found['gap']:.1g} at most; detections.json {found['written']:.2f} s"
        )
        return text, f"at most 1.1, figures to 1e-12: {'met' if ratio <= 1.1 and found['gap'] <= 1e-12 else 'MISSED'}"

    def log() -> tuple[str, str]:
        """Reading the log, compared with its JSON and its bytes alone."""
        found = in_venv("scoring.py", "log", rounds, images)
        ratio = found["ours"] / found["bare"]
        text = f"{found['size'] / 1e6:.0f} MB: {found['ours']:.3f} over {found['bare']:.3f} s of CPU = {ratio:.2f}"
        return text, f"at most 2: {'met' if ratio <= 2 else 'MISSED'}"

    return [(f"scoring {images:,} images × 100 detections", score), ("reading the accuracy log", log)]
