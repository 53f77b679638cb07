"""Detection models of torchvision, exported with their own pre- and post-processing: SSD, SSDlite, RetinaNet, Faster R-CNN.

Source: torchvision.models.detection. They return boxes in pixels of their input, scores, and COCO's ids as int64, for one
image; the names of the outputs depend on the export.
"""

from __future__ import annotations

NETWORK = {
    "profiles": {
        "torchvision-detection": {
            "formats": ["onnx", "openvino"],
            "adapts": ["side", "dtype"],
            "shapes": {"boxes": "float[N,4]", "scores": "float[N]", "labels": "int[N]"},
            "side": "free",
            "resize": "keep",
            "scaling": "unit",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "{boxes}",
            "scores": "{scores}",
            "classes": "{labels}",
            "box_order": "xyxy",
            "box_units": "pixels",
            "classes_are": "category",
        },
    },
}
