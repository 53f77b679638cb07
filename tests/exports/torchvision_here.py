"""torchvision, also with a CPU-only PyTorch that cannot load the operators of its build.

The packages on PyPI are built for CUDA. With another PyTorch, loading torchvision's library of operators fails, and with
it the import. Suppression and RoIAlign are then defined here in Python, as in the papers; exports do not use them.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest


def torchvision_or_skip() -> ModuleType:
    """The module; the test is skipped where it is not installed."""
    torch = pytest.importorskip("torch")
    try:
        import torchvision
    except ImportError:
        pytest.skip("torchvision is not installed: nox -s slow")
    except RuntimeError:
        return _with_own_operators(torch)
    return torchvision if torchvision.extension._has_ops() else _with_own_operators(torch)


def _with_own_operators(torch: Any) -> ModuleType:
    import importlib
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define(
        "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
        "int sampling_ratio, bool aligned) -> Tensor"
    )
    library.impl("nms", _nms, "CPU")
    torchvision = importlib.import_module("torchvision")
    library.impl("roi_align", _roi_align, "CPU")
    for name in ("extension", "ops.boxes", "ops.roi_align", "ops.poolers", "ops._register_onnx_ops"):
        module = importlib.import_module(f"torchvision.{name}")
        for patched, own in (("_has_ops", _has_operators), ("_assert_has_ops", _nothing)):
            if hasattr(module, patched):
                setattr(module, patched, own)
    importlib.import_module("torchvision.ops._register_onnx_ops")._register_custom_op()
    torchvision.of_this_test = library  # type: ignore[attr-defined]  # operators go when their library does
    return torchvision


def _has_operators() -> bool:
    return True


def _nothing() -> None:
    return None


def _nms(boxes: Any, scores: Any, iou: float) -> Any:
    import torch

    kept: list[int] = []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    rest = scores.argsort(descending=True, stable=True)
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(int(best))
        low, high = torch.maximum(boxes[best, :2], boxes[rest, :2]), torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        common = (high - low).clamp(min=0).prod(1)
        rest = rest[common / (areas[best] + areas[rest] - common) <= iou]
    return torch.tensor(kept, dtype=torch.int64)


def _roi_align(images: Any, rois: Any, scale: float, height: int, width: int, ratio: int, aligned: bool) -> Any:
    """Bilinear samples of each cell, averaged; He et al., Mask R-CNN, section 3."""
    import torch

    found = images.new_zeros(len(rois), images.shape[1], height, width)
    shift = 0.5 if aligned else 0.0
    for number, (image, *corners) in enumerate(rois.tolist()):
        x0, y0, x1, y1 = (corner * scale - shift for corner in corners)
        wide, high = (x1 - x0, y1 - y0) if aligned else (max(x1 - x0, 1.0), max(y1 - y0, 1.0))
        down = ratio if ratio > 0 else -int(-high // height)
        across = ratio if ratio > 0 else -int(-wide // width)
        if down < 1 or across < 1:
            continue
        y = y0 + (torch.arange(height * down) + 0.5) * high / (height * down)
        x = x0 + (torch.arange(width * across) + 0.5) * wide / (width * across)
        samples = _sampled(images[int(image)], y, x)
        found[number] = samples.reshape(-1, height, down, width, across).mean((2, 4))
    return found


def _sampled(image: Any, y: Any, x: Any) -> Any:
    import torch

    height, width = image.shape[1:]
    inside = ((y >= -1) & (y <= height))[:, None] & ((x >= -1) & (x <= width))[None]
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.floor().long(), x.floor().long()
    bottom, right = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
    down, across = (y - top)[:, None], (x - left)[None]
    upper = image[:, top][:, :, left] * (1 - across) + image[:, top][:, :, right] * across
    lower = image[:, bottom][:, :, left] * (1 - across) + image[:, bottom][:, :, right] * across
    return torch.where(inside, upper * (1 - down) + lower * down, torch.zeros(()))
