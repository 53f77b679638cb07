"""OpenVINO's DetectionOutput, the last operation of converted SSDs: seven numbers for each detection.

Source: the operation set of OpenVINO: image, label, confidence, xmin, ymin, xmax, ymax; image -1 ends the list. Converted
models expect pixels from 0 to 255, blue first.
"""

from __future__ import annotations

NETWORK = {
    "profiles": {
        "openvino-detection": {
            "formats": ["openvino", "onnx"],
            "adapts": ["side", "layout", "dtype"],
            "shapes": {"rows": "float[1,1,N,7]"},
            "side": 300,
            "colour": "bgr",
            "scaling": "none",
            "layout": "NCHW",
            "dtype": "float32",
            "image": "{rows}[0]",
            "classes": "{rows}[1]",
            "scores": "{rows}[2]",
            "boxes": "{rows}[3:7]",
            "box_order": "xyxy",
            "classes_are": "category",
        },
    },
}
