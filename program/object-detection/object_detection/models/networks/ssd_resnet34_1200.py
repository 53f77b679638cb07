"""SSD-ResNet34 at 1200 × 1200.

Sources: MLPerf's resnet34-ssd1200; the profiles are those of mlcommons/inference at v1.0.1,
vision/classification_and_detection/python (main.py, dataset.py, coco.py).
"""

from __future__ import annotations

from object_detection.models.rule import Rule

NETWORK = {
    "benchmark": "ssd-resnet34",
    "marker": "model.layer1.0.weight",
    "builders": {
        "torch": "object_detection.models.ssd_resnet34:build",
        "tensorflow": "object_detection.convert.graph_resnet34:resnet34",
    },
    "profiles": {
        "coco-1200-pt": {
            "formats": ["pytorch"],
            "input": "image",
            "side": 1200,
            "scaling": "imagenet",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "bboxes",
            "scores": "scores",
            "classes": "labels",
            "box_order": "xyxy",
            "score_above": 0.05,
            "classes_are": "contiguous",
            "reference_faults": {"only_annotated": True},
        },
        # the reference cuts at 0.5 here, which its own expected mAP of 0.20 contradicts
        "coco-1200-onnx": {
            "formats": ["onnx"],
            "input": "image",
            "side": 1200,
            "scaling": "imagenet",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "bboxes",
            "scores": "scores",
            "classes": "labels",
            "box_order": "xyxy",
            "score_above": 0.05,
            "classes_are": "contiguous",
            "reference_faults": {"score_above": 0.5},
        },
        "coco-1200-tf": {
            "formats": ["tensorflow"],
            "input": "image:0",
            "side": 1200,
            "scaling": "imagenet",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "detection_bboxes:0",
            "scores": "detection_scores:0",
            "classes": "detection_classes:0",
            "box_order": "yxyx",
            "score_above": 0.05,
            "classes_are": "contiguous",
        },
    },
}

# additional blocks: channels between, channels out, stride and padding of the 3 × 3 convolution
ADDITIONAL = ((256, 512, 2, 1), (256, 512, 2, 1), (128, 256, 2, 1), (128, 256, 2, 0), (128, 256, 1, 0))
HEAD_STRIDE = 3
CODER = (0.1, 0.2)  # factors of the offsets of centre and size
RULE = Rule(score_above=0.05, iou=0.5, candidates=200, total=200, from_iou=True)
