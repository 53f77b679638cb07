"""Agreement between the detections of two runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.accuracy_logs import ONE, Boxes, moved, write_log

from ck_repo.experiments.detections import agreement


def test_detections_agree_in_any_order(tmp_path: Path) -> None:
    turned = {index: rows[::-1] for index, rows in reversed(ONE.items())}
    found = agreement(write_log(tmp_path / "a", ONE), write_log(tmp_path / "b", turned))
    assert (found.share, found.one, found.other, found.same_samples) == (1.0, 3, 3, True)


def test_boxes_agree_within_two_thousandths(tmp_path: Path) -> None:
    base = write_log(tmp_path / "a", ONE)
    assert agreement(base, write_log(tmp_path / "b", moved(0.0019))).share == 1.0
    assert agreement(base, write_log(tmp_path / "c", moved(0.0021))).share == 0.0


def test_detections_are_matched_one_to_one(tmp_path: Path) -> None:
    twice = {**ONE, 7: ONE[7] * 2}
    found = agreement(write_log(tmp_path / "a", ONE), write_log(tmp_path / "b", twice))
    assert found.other == 4
    assert found.share == pytest.approx(6 / 7)


def test_different_class_and_noise(tmp_path: Path) -> None:
    other: Boxes = {**ONE, 7: [(0.3, 0.3, 0.9, 0.9, 0.7, 3.0)], 9: [(0.1, 0.1, 0.2, 0.2, 0.05, 1.0)]}
    found = agreement(write_log(tmp_path / "a", ONE), write_log(tmp_path / "b", other))
    assert found.share == pytest.approx(4 / 6)
    assert (found.other, found.same_samples) == (3, False)
