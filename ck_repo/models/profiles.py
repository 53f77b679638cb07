"""Profiles: how an image becomes a model's input and a model's output becomes detections.

Source: mlcommons/inference at v1.0.1, vision/classification_and_detection/python (main.py, dataset.py, coco.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ck_repo.errors import ConfigError, NotFoundError, did_you_mean


@dataclass(frozen=True)
class Profile:
    """Pre- and post-processing of a model.

    Attributes
    ----------
    side
        The input's side in pixels.
    scaling
        ``none`` (uint8 as it is), ``plus-minus-one`` or ``imagenet`` (mean and deviation of ImageNet).
    layout
        ``NHWC`` or ``NCHW``.
    dtype
        Of the input.
    boxes, scores, classes, count
        Names of the outputs; `count` is empty where the number of detections is that of the rows.
    box_order
        ``yxyx`` or ``xyxy``, corners on a scale of 0 to 1.
    score_above
        Detections with this score or less are dropped; None keeps all.
    classes_are
        ``category`` ids of the annotations, or ``contiguous`` numbers from 1 in the order of their categories.
    class_offset
        Added to the model's classes first; 1 where the model counts them from 0.
    only_annotated
        Whether images without annotations are left out.
    """

    name: str
    side: int
    scaling: str
    layout: str
    dtype: str
    boxes: str
    scores: str
    classes: str
    count: str
    box_order: str
    score_above: float | None
    classes_are: str
    class_offset: int = 0
    only_annotated: bool = False

    def as_data(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def with_reference_faults(self) -> Profile:
        """As the reference harness of v1.0.1 does it, for comparison with logs of then.

        It cuts the ONNX model's scores at 0.5, leaves out images without annotations for the PyTorch model, and scores
        contiguous classes as if they were category ids unless it is told otherwise.
        """
        faulty = replace(self, **_REFERENCE_FAULTS.get(self.name, {}))
        return replace(faulty, classes_are="category")

    def for_model(self, model: Mapping[str, Any]) -> Profile:
        """The profile with what a model's own description says over it."""
        outputs = model.get("outputs") or {}
        if not isinstance(outputs, Mapping) or not set(outputs) <= set(_OUTPUTS):
            raise ConfigError(
                f"the model's outputs are {outputs!r}, not names by {', '.join(_OUTPUTS)}",
                hint="fix the package's meta.json, or register the file again with `ck detect`",
            )
        own = {key: model[key] for key in _OWN if key in model}
        return replace(self, **own, **outputs)


_REFERENCE_FAULTS: dict[str, dict[str, Any]] = {
    "coco-1200-onnx": {"score_above": 0.5},
    "coco-1200-pt": {"only_annotated": True},
}
# what a model's description may say otherwise than its profile
_OUTPUTS = ("boxes", "scores", "classes", "count")
_OWN = ("side", "scaling", "layout", "dtype", "box_order", "score_above", "classes_are", "class_offset")
_TENSORFLOW = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")
_ROWS = (
    Profile("coco-300", 300, "none", "NHWC", "uint8", *_TENSORFLOW, "yxyx", None, "category"),
    # TFLite's own detection op: boxes, classes, scores, count, in this order; their names are up to the file
    Profile(
        "coco-300-tflite", 300, "none", "NHWC", "uint8", "TFLite_Detection_PostProcess", "TFLite_Detection_PostProcess:2",
        "TFLite_Detection_PostProcess:1", "TFLite_Detection_PostProcess:3", "yxyx", None, "category", 1,
    ),
    Profile("coco-300-pt", 300, "plus-minus-one", "NCHW", "float32", "bboxes", "scores", "labels", "", "xyxy", 0.3, "category"),
    Profile("coco-1200-pt", 1200, "imagenet", "NCHW", "float32", "bboxes", "scores", "labels", "", "xyxy", 0.05, "contiguous"),
    # the reference cuts at 0.5 here, which its own expected mAP of 0.20 contradicts
    Profile(
        "coco-1200-onnx", 1200, "imagenet", "NCHW", "float32", "bboxes", "scores", "labels", "", "xyxy", 0.05, "contiguous"
    ),
    Profile(
        "coco-1200-tf", 1200, "imagenet", "NCHW", "float32", "detection_bboxes:0", "detection_scores:0",
        "detection_classes:0", "", "yxyx", 0.05, "contiguous",
    ),
)  # fmt: skip
PROFILES = {row.name: row for row in _ROWS}


def profile(name: str) -> Profile:
    """The profile of that name."""
    if name not in PROFILES:
        raise NotFoundError(f"there is no profile {name!r}", hint=did_you_mean(name, PROFILES))
    return PROFILES[name]
