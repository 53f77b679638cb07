"""The figures of a report are those of pycocotools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_experiments import as_results, coco_eval, detections

from ck_repo.report import scoring
from ck_repo.report.accuracy_charts import class_scores
from ck_repo.report.matching import calibration, confusion
from ck_repo.report.objects import read_objects
from ck_repo.report.subject import subject_of
from ck_repo.session import Session
from ck_repo.store.entry import Entry


def annotations_of(entry: Entry) -> dict[str, Any]:
    return dict(json.loads(Path(entry.meta()["spec"]["dataset"]["annotations"]).read_text()))


@pytest.mark.parametrize("shared", [False, True])
def test_ap_by_class_and_size_matches_pycocotools(
    experiment: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    entry = experiment(images=40)
    content = annotations_of(entry)
    judge = coco_eval(content, as_results(content, detections(content, 1)))
    if shared:
        monkeypatch.setattr(scoring, "_WORTH_SHARING", 0)
    truth, found = read_objects(Session(), subject_of(entry))
    scores = scoring.score(truth, found)
    assert scores.average() == pytest.approx(judge.stats[0], abs=1e-12)
    assert scores.average(iou=0.5) == pytest.approx(judge.stats[1], abs=1e-12)
    sizes = [scores.average(size=size) for size in scoring.SIZES[1:]]
    assert [-1.0 if value is None else value for value in sizes] == pytest.approx(list(judge.stats[3:6]), abs=1e-12)
    np.testing.assert_allclose(scores.precision, judge.eval["precision"][..., -1], atol=1e-12)
    expected = {}
    for number, category in enumerate(judge.params.catIds):
        part = judge.eval["precision"][:, :, number, 0, -1]
        if (part > -1).any():
            expected[f"kind {category}"] = float(part[part > -1].mean())
    assert {row.name: row.ap for row in class_scores(truth, scores)} == pytest.approx(expected, abs=1e-9)
    assert sum(scores.count(category) for category in scores.categories) == len(content["annotations"])


def test_object_is_matched_to_its_detection(experiment: Callable[..., Entry]) -> None:
    truth, found = read_objects(Session(), subject_of(experiment()))
    scores = scoring.score(truth, found)
    matched = np.flatnonzero(scores.state == scoring.MATCHED)
    assert len(matched)
    for row in matched:
        assert scores.finder[scores.partner[row]] == row
        assert found.category[row] == truth.category[scores.partner[row]]
    assert np.count_nonzero(scores.finder >= 0) == len(matched)


def test_confusion_matrix_counts_every_object_and_confident_detection(experiment: Callable[..., Entry]) -> None:
    truth, found = read_objects(Session(), subject_of(experiment()))
    scores = scoring.score(truth, found)
    counts = confusion(truth, found, scores).counts
    assert counts[:-1].sum() == len(truth.image)
    assert counts[:, :-1].sum() == np.count_nonzero(found.score >= 0.3)


def test_calibration_counts_every_detection_once(experiment: Callable[..., Entry]) -> None:
    truth, found = read_objects(Session(), subject_of(experiment()))
    scores = scoring.score(truth, found)
    found_calibration = calibration(found, scores)
    assert found_calibration.counts.sum() == len(found)
    assert (found_calibration.counts * found_calibration.shares).sum() == pytest.approx(
        np.count_nonzero(scores.state == scoring.MATCHED)
    )


def test_coco_detections_take_precedence_over_log(experiment: Callable[..., Entry]) -> None:
    entry = experiment()
    content = annotations_of(entry)
    rows = as_results(content, detections(content, 1))[:5]
    (entry.path / "accuracy/detections.json").write_text(json.dumps(rows))
    truth, found = read_objects(Session(), subject_of(entry))
    assert len(found) == 5
    assert len(truth.images) == 12
