"""SSD-MobileNet v1 at 300 × 300.

Sources: ssd_mobilenet_v1_coco of TensorFlow's object detection API; the profiles are those of mlcommons/inference at v1.0.1,
vision/classification_and_detection/python (main.py, dataset.py, coco.py).
"""

from __future__ import annotations

from object_detection.models.rule import Rule

NAME = "ssd-mobilenet-v1"  # name of its entry point
NETWORK = {
    "benchmark": "ssd-mobilenet",
    "marker": "backbone.0.0.weight",
    "builders": {
        "torch": "object_detection.models.ssd_mobilenet:build",
        "tensorflow": "object_detection.convert.graph_mobilenet:mobilenet",
    },
    "profiles": {
        "coco-300": {
            "formats": ["onnx", "tensorflow"],
            "input": "image_tensor:0",
            "side": 300,
            "scaling": "none",
            "layout": "NHWC",
            "dtype": "uint8",
            "boxes": "detection_boxes:0",
            "scores": "detection_scores:0",
            "classes": "detection_classes:0",
            "count": "num_detections:0",
            "box_order": "yxyx",
            "classes_are": "category",
        },
        # TFLite's detection operation has a fixed order of outputs; their names vary
        "coco-300-tflite": {
            "formats": ["tflite"],
            "outputs_in_order": ["boxes", "classes", "scores", "count"],
            "side": 300,
            "scaling": "none",
            "layout": "NHWC",
            "dtype": "uint8",
            "boxes": "TFLite_Detection_PostProcess",
            "scores": "TFLite_Detection_PostProcess:2",
            "classes": "TFLite_Detection_PostProcess:1",
            "count": "TFLite_Detection_PostProcess:3",
            "box_order": "yxyx",
            "classes_are": "category",
            "class_offset": 1,
        },
        "coco-300-pt": {
            "formats": ["pytorch"],
            "input": "image",
            "side": 300,
            "scaling": "plus-minus-one",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "bboxes",
            "scores": "scores",
            "classes": "labels",
            "box_order": "xyxy",
            "score_above": 0.3,
            "classes_are": "category",
        },
    },
}

STRIDE_2 = (2, 4, 6, 12)  # blocks
FEATURES = (11, 13)  # blocks with heads
CODER = (10.0, 10.0, 5.0, 5.0)  # divisors of the offsets of y, x, height and width
RULE = Rule(score_above=0.3, iou=0.6, candidates=1917, total=1917, epsilon=1e-5)  # of the reference's PyTorch model
