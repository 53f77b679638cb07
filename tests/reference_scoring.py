"""mAP of an ONNX model of the profile ``coco-300`` on a COCO data set, without any code of the harness.

As mlcommons/inference v1.0.1 does it: OpenCV reads, turns BGR into RGB and resizes in float; ONNX Runtime runs one image at a
time; pycocotools scores boxes in pixels of the original image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def mean_average_precision(model: Path, data_set: Path) -> float:
    """mAP, 0 to 1, over every image of the set."""
    import cv2
    import numpy as np
    import onnxruntime
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations = data_set / "annotations/instances_val2017.json"
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [f"{name}:0" for name in ("num_detections", "detection_boxes", "detection_scores", "detection_classes")]
    results: list[dict[str, Any]] = []
    for image in json.loads(annotations.read_text(encoding="utf-8"))["images"]:
        read = cv2.imread(str(data_set / "val2017" / image["file_name"]))
        assert read is not None
        pixels = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
        resized = cv2.resize(pixels.astype(np.float32), (300, 300), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
        count, boxes, scores, classes = session.run(names, {"image_tensor:0": resized[None]})
        for row in range(int(count[0])):
            top, left, bottom, right = (float(side) for side in boxes[0][row])
            x, y, w, h = left * image["width"], top * image["height"], right - left, bottom - top
            box = [x, y, w * image["width"], h * image["height"]]
            results.append({
                "image_id": image["id"], "category_id": int(classes[0][row]), "bbox": box, "score": float(scores[0][row]),
            })  # fmt: skip
    truths = COCO(str(annotations))
    evaluation = COCOeval(truths, truths.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])
