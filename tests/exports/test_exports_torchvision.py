"""Detection models of torchvision with seeded weights, exported by PyTorch: `nox -s exports`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports.detected import Found
from exports.torchvision_here import torchvision_or_skip

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")

pytestmark = pytest.mark.slow
SIDE, KINDS = 320, 12

# Spread of the weights of the last layers, by the end of a module's name: so that places and classes differ, and boxes have an
# extent that is not cut off at the ends of the image.
WEIGHTS = {
    "rpn.head.cls_logits": 0.3,
    "rpn.head.bbox_pred": 0.005,
    "box_predictor.cls_score": 0.02,
    "box_predictor.bbox_pred": 0.01,
    "cls_logits": 0.05,
    "bbox_reg": 0.005,
    "module_list": 0.05,
}


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("ssdlite320_mobilenet_v3_large", {"score_thresh": 0.1}, 2e-3),
        ("retinanet_resnet50_fpn", {"min_size": SIDE, "max_size": SIDE, "score_thresh": 0.05}, 5e-3),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", {"box_score_thresh": 0.02}, 0.01),
    ],
)
def test_torchvision(
    name: str, options: dict[str, Any], tolerance: float, rgb: list[Any], compare: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    torchvision = torchvision_or_skip()
    torch = pytest.importorskip("torch")
    torch.manual_seed(11)
    network = getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None, num_classes=KINDS, **options)
    _settle(torch, network, rgb)
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = (torch.rand(1, 3, SIDE, SIDE),)
        torch.onnx.export(network, given, str(path), dynamo=False, opset_version=17, input_names=["image"])
    found = []
    for image in rgb:
        square = cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) / np.float32(255)
        with torch.inference_mode():
            own = network([torch.from_numpy(square.transpose(2, 0, 1).copy())])[0]
        scale = np.array([image.shape[1], image.shape[0]] * 2) / SIDE
        found.append(Found(own["boxes"].numpy() * scale, own["scores"].numpy(), own["labels"].numpy()))
    assert sum(len(each.scores) for each in found) > 100
    section = compare(path, found, range(KINDS), tolerance=tolerance)
    assert section["profile"] == "torchvision-detection"


def _settle(torch: Any, network: Any, images: list[Any]) -> None:
    """Give the layers the statistics of the images, and the last ones weights that make places differ, as training would."""
    for part, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            spread = next((value for name, value in WEIGHTS.items() if name in part), None)
            if spread:
                torch.nn.init.normal_(module.weight, 0, spread)
    squares = np.stack([cv2.resize(image, (SIDE, SIDE)).transpose(2, 0, 1) for image in images]).astype(np.float32) / 255
    network.train()
    with torch.no_grad():
        features = list(network.backbone(torch.from_numpy(squares)).values())
        if hasattr(network, "head"):
            network.head(features)
    network.eval()
