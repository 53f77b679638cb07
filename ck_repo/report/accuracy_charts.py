"""Charts of an accuracy run: precision and recall, AP by class and size, scores, confusions, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ck_repo.report.chart import ACCENT, BAD, GOOD, MUTED, Chart, data, nominal, quantity, tooltip
from ck_repo.report.matching import SCORE, Calibration, Confusion
from ck_repo.report.objects import Detections, Truth
from ck_repo.report.scoring import IGNORED, IOUS, MATCHED, SIZES, Scores

_MAX_CLASSES = 30  # maximum number of classes in a confusion matrix


def precision_recall(scores: Scores) -> Chart:
    """Mean precision over the classes by recall, a line for each IoU."""
    rows, table = [], []
    for number, iou in enumerate(IOUS):
        part = scores.precision[number, :, :, 0]
        known = part[:, (part > -1).all(axis=0)]
        if not known.size:
            continue
        means = known.mean(axis=1)
        rows += [{"iou": f"{iou:.2f}", "recall": at / 100, "precision": float(value)} for at, value in enumerate(means)]
        table.append((f"{iou:.2f}", f"{float(means.mean()):.4f}"))
    spec = {
        "data": data(rows),
        "mark": {"type": "line", "strokeWidth": 1.5},
        "encoding": {
            "x": quantity("recall", "recall", scale={"domain": [0, 1]}),
            "y": quantity("precision", "precision", scale={"domain": [0, 1]}),
            "color": nominal("iou", "IoU", scale={"scheme": "turbo"}, legend={"title": "IoU", "columns": 5}),
            "tooltip": tooltip(("iou", "IoU"), ("recall", "recall", ".2f"), ("precision", "precision", ".3f")),
        },
    }
    text = "Mean over the classes, one line for each IoU threshold."
    return Chart("precision-recall", "Precision and recall", text, spec, ("IoU", "AP"), table)


@dataclass(frozen=True)
class ClassScore:
    """AP (0–1) and the number of objects of a class; None for a size without objects."""

    category: int
    name: str
    ap: float
    ap50: float | None
    objects: int
    sizes: Mapping[str, float | None]

    def as_data(self) -> dict[str, object]:
        """The row of a chart."""
        sizes = {f"ap_{size}": value for size, value in self.sizes.items()}
        return {"class": self.name, "id": self.category, "ap": self.ap, "ap50": self.ap50, "objects": self.objects, **sizes}


def class_scores(truth: Truth, scores: Scores) -> list[ClassScore]:
    """The scores of every class that has objects, the best first."""
    rows = []
    for category in scores.categories:
        value = scores.average(category)
        if value is not None:
            sizes = {size: scores.average(category, size) for size in SIZES[1:]}
            ap50 = scores.average(category, iou=0.5)
            rows.append(ClassScore(category, truth.categories[category], value, ap50, scores.count(category), sizes))
    return sorted(rows, key=lambda row: -row.ap)


def class_chart(truth: Truth, scores: Scores) -> Chart:
    """AP by class, with the number of objects."""
    rows = class_scores(truth, scores)
    spec = {
        "data": data([row.as_data() for row in rows]),
        "height": 18 * max(2, len(rows)),
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "y": nominal("class", None, sort=None, axis={"labelLimit": 160}),
            "x": quantity("ap", "AP", scale={"domain": [0, 1]}),
            "tooltip": tooltip(
                ("class", "class"), ("ap", "AP", ".4f"), ("ap50", "AP at 0.5", ".4f"), ("objects", "objects", ",")
            ),
        },
    }
    table = [
        (
            row.name,
            f"{row.ap:.6f}",
            f"{row.ap50:.4f}",
            *(_text(row.sizes[size]) for size in SIZES[1:]),
            row.objects,
        )
        for row in rows
    ]
    columns = ("class", "AP", "AP50", "small", "medium", "large", "objects")
    text = "AP over IoU 0.5 to 0.95, as in pycocotools."
    left = len(scores.categories) - len(rows)
    text += f" {left} classes without objects in these images have no AP." if left else ""
    return Chart("ap-class", "AP by class", text, spec, columns, table)


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}"


def size_chart(scores: Scores) -> Chart:
    """AP by the size of the objects."""
    rows = [
        {"size": size, "ap": scores.average(size=size), "objects": int(scores.objects[:, at].sum())}
        for at, size in enumerate(SIZES)
    ]
    rows = [row for row in rows if row["ap"] is not None]
    spec = {
        "data": data(rows),
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "x": nominal("size", None, sort=None, axis={"labelAngle": 0}),
            "y": quantity("ap", "AP", scale={"domain": [0, 1]}),
            "tooltip": tooltip(("size", "size"), ("ap", "AP", ".4f"), ("objects", "objects", ",")),
        },
    }
    table = [(row["size"], _text(row["ap"]), row["objects"]) for row in rows]
    text = "Small is below 32² pixels of area, large above 96²."
    return Chart("ap-size", "AP by size", text, spec, ("size", "AP", "objects"), table)


def score_chart(found: Detections, scores: Scores) -> Chart:
    """The scores of correct and of other detections."""
    edges = np.linspace(0, 1, 41)
    rows = []
    for label, state in (("correct", MATCHED), ("not correct", 0)):
        counts, _ = np.histogram(np.clip(found.score[scores.state == state], 0, 1), edges)
        rows += [
            {"from": float(low), "to": float(high), "count": int(count), "kind": label}
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
            if count
        ]
    ignored = int((scores.state == IGNORED).sum())
    spec = {
        "data": data(rows),
        "mark": {"type": "bar"},
        "encoding": {
            "x": quantity("from", "score", bin={"binned": True}),
            "x2": {"field": "to"},
            "y": quantity("count", "detections", scale={"type": "symlog"}, stack=None),
            "color": nominal("kind", scale={"domain": ["correct", "not correct"], "range": [GOOD, BAD]}),
            "opacity": {"value": 0.7},
            "tooltip": tooltip(("kind", "detections"), ("from", "from", ".3f"), ("to", "to", ".3f"), ("count", "count", ",")),
        },
    }
    text = "Detections by score at an IoU of 0.5, on a logarithmic scale; the areas overlap."
    text += f" {ignored:,} in crowds are excluded." if ignored else ""
    table = [(row["kind"], f"{row['from']:.3f}", row["count"]) for row in rows]
    return Chart("scores", "Scores", text, spec, ("detections", "from score", "count"), table)


def calibration_chart(found: Calibration) -> Chart:
    """The share of correct detections by score."""
    rows = [
        {"score": float(score), "share": float(share), "count": int(count)}
        for score, share, count in zip(found.scores, found.shares, found.counts, strict=True)
        if count
    ]
    spec = {
        "layer": [
            {
                "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
                "mark": {"type": "line", "color": MUTED, "strokeDash": [5, 4], "strokeWidth": 1.5},
                "encoding": {"x": quantity("x", "score"), "y": quantity("y", "share that is correct")},
            },
            {
                "data": data(rows),
                "mark": {"type": "line", "point": {"size": 60}, "color": ACCENT},
                "encoding": {
                    "x": quantity("score", "score", scale={"domain": [0, 1]}),
                    "y": quantity("share", "share that is correct", scale={"domain": [0, 1]}),
                    "tooltip": tooltip(("score", "mean score", ".3f"), ("share", "share", ".3f"), ("count", "detections", ",")),
                },
            },
        ]
    }
    text = (
        "Of detections with a score of 0.8, four of five should be correct: the dashed line. "
        f"The mean gap, weighted by detections, is {found.error:.3f}."
    )
    table = [(f"{row['score']:.3f}", f"{row['share']:.4f}", row["count"]) for row in rows]
    return Chart("calibration", "Calibration", text, spec, ("mean score", "share", "detections"), table)


def confusion_chart(truth: Truth, found: Confusion) -> Chart:
    """Which classes were confused."""
    names = [*(truth.categories[category] for category in found.categories), "nothing"]
    counts = found.counts
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    weight = wrong.sum(axis=0) + wrong.sum(axis=1)
    classes = [at for at in range(len(names) - 1) if counts[at].sum() + counts[:, at].sum()]
    kept = sorted(sorted(classes, key=lambda at: -int(weight[at]))[:_MAX_CLASSES])
    shown = [*kept, len(names) - 1]
    rows = []
    for true in shown:
        total = int(counts[true].sum())
        for taken in shown:
            count = int(counts[true, taken])
            if count:
                rows.append({"true": names[true], "detected": names[taken], "count": count, "share": count / total})
    order = [names[at] for at in shown]
    cell = {
        "x": nominal(
            "detected", "detected as", sort=order, scale={"domain": order}, axis={"labelAngle": -45, "labelLimit": 120}
        ),
        "y": nominal("true", "is", sort=order, scale={"domain": order}, axis={"labelLimit": 120}),
    }
    spec = {
        "data": data(rows),
        "height": 22 * len(shown),
        "encoding": cell,
        "layer": [
            {
                "mark": {"type": "rect", "color": ACCENT},
                "encoding": {
                    "opacity": quantity("share", None, scale={"range": [0.08, 0.95], "domain": [0, 1]}, legend=None),
                    "tooltip": tooltip(("true", "is"), ("detected", "detected as"), ("count", "count", ",")),
                },
            },
            {
                "mark": {"type": "text", "fontSize": 11},
                "encoding": {
                    "text": {"field": "count", "type": "quantitative"},
                    "color": {"condition": {"test": "datum.share > 0.5", "value": "var(--bg)"}, "value": "var(--fg)"},
                },
            },
        ],
    }
    text = (
        f"Detections with a score of {SCORE} or more at an IoU of 0.5. The last column counts missed objects, "
        "the last line detections without an object."
    )
    left = len(classes) - len(kept)
    text += f" The {len(kept)} classes with the most confusions are drawn; {left} are omitted." if left else ""
    table = [(row["true"], row["detected"], row["count"]) for row in rows]
    return Chart("confusion", "Confusions", text, spec, ("is", "detected as", "count"), table, wide=True)
