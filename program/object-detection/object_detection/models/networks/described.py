"""The default interface of a model without a matching profile: options of `ck detect` change it."""

from __future__ import annotations

NETWORK = {
    "profiles": {
        "described": {
            "adapts": ["side", "layout", "dtype"],
            "side": "free",
            "resize": "keep",
            "scaling": "unit",
            "layout": "NCHW",
            "dtype": "float32",
            "boxes": "boxes",
            "scores": "scores",
            "box_order": "xyxy",
            "classes_are": "contiguous",
            "class_offset": 1,
        },
    },
}
