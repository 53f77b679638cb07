"""Exports of TensorFlow's object detection API of both versions, and TensorFlow Lite files with its detection operation.

Source: tensorflow/models, research/object_detection (exporter_lib_v2.py, export_tflite_graph_lib_tf2.py). The graph resizes
images itself unless its input has a size. Classes are COCO's ids; TensorFlow Lite's operation counts them from 0.
"""

from __future__ import annotations

NETWORK = {
    "profiles": {
        "tensorflow-detection": {
            "formats": ["onnx", "tensorflow", "openvino"],
            "adapts": ["side", "layout"],
            "input": "input_tensor",
            "side": "free",
            "resize": "keep",
            "scaling": "none",
            "layout": "NHWC",
            "dtype": "uint8",
            "boxes": "detection_boxes",
            "scores": "detection_scores",
            "classes": "detection_classes",
            "count": "num_detections",
            "box_order": "yxyx",
            "classes_are": "category",
        },
        "tflite-detection": {
            "formats": ["tflite"],
            "adapts": ["side"],
            "outputs_in_order": ["boxes", "classes", "scores", "count"],
            "side": 300,
            "scaling": "none",
            "layout": "NHWC",
            "dtype": "uint8",
            "boxes": "#0",
            "classes": "#1",
            "scores": "#2",
            "count": "#3",
            "box_order": "yxyx",
            "classes_are": "category",
            "class_offset": 1,
        },
        "tflite-detection-float": {
            "formats": ["tflite"],
            "adapts": ["side"],
            "outputs_in_order": ["boxes", "classes", "scores", "count"],
            "side": 300,
            "scaling": "plus-minus-one",
            "layout": "NHWC",
            "dtype": "float32",
            "boxes": "#0",
            "classes": "#1",
            "scores": "#2",
            "count": "#3",
            "box_order": "yxyx",
            "classes_are": "category",
            "class_offset": 1,
        },
    },
}
