"""Exports of the YOLO families, distinguished by the shape of their output.

Sources: ultralytics/yolov5 and ultralytics/ultralytics (the models' `Detect` heads, `LetterBox`, the thresholds of their
validation), WongKinYiu/yolov7 (export.py, --end2end). Each box has centre and size, in versions 5 to 7 objectness, and a score
for each class; exports to TensorFlow have boxes from 0 to 1. Heads that include suppression return corners, score and class.
"""

from __future__ import annotations

NETWORK = {
    "profiles": {
        "yolo-v5": {
            "formats": ["onnx", "openvino"],
            "adapts": ["side", "layout", "dtype"],
            "shapes": {"rows": "float[B,N,5+C]"},
            "sizes": {"N": [301, 1000000]},
            "fewer": ["C", "N"],
            "side": 640,
            "resize": "letterbox",
            "scaling": "unit",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "{rows}[0:4]",
            "objectness": "{rows}[4]",
            "scores": "{rows}[5:]",
            "box_order": "cxcywh",
            "box_units": "pixels",
            "clip": True,
            "labels_per_box": "all",
            "classes_are": "contiguous",
            "class_offset": 1,
            "score_above": 0.001,
            "nms": "class",
            "nms_iou": 0.6,
            "nms_candidates": 30000,
            "max_detections": 300,
        },
        "yolo-v5-tensorflow": {
            "based_on": "yolo-v5",
            "formats": ["tflite", "tensorflow"],
            "layout": "NHWC",
            "box_units": "unit",
        },
        "yolo-v8": {
            "based_on": "yolo-v5",
            "shapes": {"columns": "float[B,4+C,N]"},
            "metadata": {"author": "Ultralytics", "description": "YOLO"},
            "transposed": True,
            "boxes": "{columns}[0:4]",
            "scores": "{columns}[4:]",
            "nms_iou": 0.7,
            "objectness": None,
        },
        "yolo-v8-tensorflow": {
            "based_on": "yolo-v8",
            "formats": ["tflite", "tensorflow"],
            "layout": "NHWC",
            "box_units": "unit",
            "metadata": None,
        },
        "yolo-end-to-end": {
            "formats": ["onnx", "openvino"],
            "adapts": ["side", "layout", "dtype"],
            "shapes": {"rows": "float[B,N,6]"},
            "sizes": {"N": [1, 1000]},
            "metadata": {"author": "Ultralytics", "description": "YOLO"},
            "side": 640,
            "resize": "letterbox",
            "scaling": "unit",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "{rows}[0:4]",
            "scores": "{rows}[4]",
            "classes": "{rows}[5]",
            "box_order": "xyxy",
            "box_units": "pixels",
            "clip": True,
            "classes_are": "contiguous",
            "class_offset": 1,
            "score_above": 0.001,
        },
        "yolo-v7-end-to-end": {
            "based_on": "yolo-end-to-end",
            "shapes": {"rows": "float[N,7]"},
            "image": "{rows}[0]",
            "boxes": "{rows}[1:5]",
            "scores": "{rows}[6]",
            "sizes": None,
            "metadata": None,
        },
    },
}
