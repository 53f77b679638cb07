"""Train the demo model, a small SSD, on shapes that the demo data set does not hold, and write it as ONNX.

Needs PyTorch, ONNX, NumPy and OpenCV; running the model needs none of it but ONNX Runtime. On two cores:

    python train.py --output demo_ssd.onnx --images 4000 --epochs 24
"""

from __future__ import annotations

import argparse
import math
import pathlib
import sys
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "dataset-demo-shapes"))
import shapes
from export import write_onnx

SIDE = 300
TRAINING_SEED = 7  # any but shapes.SEED, which is what the demo is scored on
GRIDS = (38, 19, 10)
ANCHOR_SIDES = ((30.0, 46.0), (70.0, 102.0), (140.0, 190.0))  # pixels of the 300 × 300 input, two squares a cell
VARIANCES = (0.1, 0.2)  # of centres and of sizes, as in the SSD paper (arXiv:1512.02325) and its code


def block(inputs: int, outputs: int, stride: int, separable: bool) -> nn.Sequential:
    """A convolution (depthwise separable or full 3 × 3), batch norm and ReLU."""
    if not separable:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class DemoSSD(nn.Module):
    """Eleven blocks to strides 8, 16 and 32; on each a head for classes and one for boxes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.stem = nn.Sequential(
            block(3, 16, 2, False), block(16, 32, 2, False), block(32, 32, 1, True),
            block(32, 64, 2, False), block(64, 96, 1, True), block(96, 96, 1, True),
        )  # fmt: skip
        self.middle = nn.Sequential(block(96, 128, 2, True), block(128, 128, 1, True), block(128, 128, 1, True))
        self.top = nn.Sequential(block(128, 160, 2, True), block(160, 160, 1, True))
        widths = (96, 128, 160)
        self.towers = nn.ModuleList(block(width, width, 1, True) for width in widths)
        kinds = len(ANCHOR_SIDES[0])
        self.class_heads = nn.ModuleList(nn.Conv2d(width, kinds * classes, 1) for width in widths)
        self.box_heads = nn.ModuleList(nn.Conv2d(width, kinds * 4, 1) for width in widths)
        for head in self.class_heads:
            nn.init.constant_(head.bias, -math.log(99))  # focal loss starts from a score of 0.01 (arXiv:1708.02002)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images float32 (N, 3, 300, 300) in ±1 → class logits (N, anchors, classes), box codes (N, anchors, 4)."""
        logits, codes = [], []
        features = images
        for stage, tower, of_class, of_box in zip(
            (self.stem, self.middle, self.top), self.towers, self.class_heads, self.box_heads, strict=False
        ):
            features = stage(features)
            shared = tower(features)
            count = len(images)
            logits.append(of_class(shared).permute(0, 2, 3, 1).reshape(count, -1, self.classes))
            codes.append(of_box(shared).permute(0, 2, 3, 1).reshape(count, -1, 4))
        return torch.cat(logits, 1), torch.cat(codes, 1)


def anchors() -> np.ndarray:
    """Default boxes (anchors, 4) as centre y, centre x, height, width on a side of 1: row, column, then kind."""
    rows = []
    for grid, sides in zip(GRIDS, ANCHOR_SIDES, strict=False):
        centres = (np.arange(grid) + 0.5) / grid
        for y in centres:
            for x in centres:
                rows += [(y, x, side / SIDE, side / SIDE) for side in sides]
    return np.array(rows, np.float32)


def corners(centred: torch.Tensor) -> torch.Tensor:
    """(cy, cx, h, w) → (ymin, xmin, ymax, xmax)."""
    return torch.cat([centred[..., :2] - centred[..., 2:] / 2, centred[..., :2] + centred[..., 2:] / 2], -1)


def decode(codes: torch.Tensor, priors: torch.Tensor) -> torch.Tensor:
    """Box codes and default boxes → corners."""
    centre = priors[..., :2] + codes[..., :2] * VARIANCES[0] * priors[..., 2:]
    size = priors[..., 2:] * torch.exp(torch.clamp(codes[..., 2:] * VARIANCES[1], max=4))
    return corners(torch.cat([centre, size], -1))


def overlaps(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """IoU of every box of `a` (A, 4) with every box of `b` (B, 4)."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    return common / ((a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)[None] - common)


def assign(boxes: torch.Tensor, labels: torch.Tensor, priors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each default box its class (0 background, -1 ignored) and its target box."""
    iou = overlaps(corners(priors), boxes)
    best, which = iou.max(1)
    kind = torch.where(best > 0.45, labels[which], torch.where(best > 0.35, -1, 0))
    for index in range(len(boxes)):  # every object has its two nearest default boxes at least
        nearest = iou[:, index].topk(2).indices
        kind[nearest], which[nearest] = labels[index], index
    return kind, boxes[which]


def loss(logits: torch.Tensor, codes: torch.Tensor, kinds: torch.Tensor, targets: torch.Tensor, priors: torch.Tensor):
    """Focal loss on classes plus GIoU loss on boxes, each divided by the number of matched default boxes."""
    matched = kinds > 0
    count = matched.sum().clamp(min=1)
    wanted = F.one_hot(kinds.clamp(min=0), logits.shape[-1] + 1)[..., 1:].float()
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    score = torch.sigmoid(logits)
    missed = wanted * (1 - score) + (1 - wanted) * score
    focal = (wanted * 0.25 + (1 - wanted) * 0.75) * missed**2 * entropy
    focal = focal[kinds >= 0].sum() / count
    found = decode(codes, priors)[matched]
    truth = targets[matched]
    low, high = torch.maximum(found[:, :2], truth[:, :2]), torch.minimum(found[:, 2:], truth[:, 2:])
    common = (high - low).clamp(min=0).prod(-1)
    union = (found[:, 2:] - found[:, :2]).prod(-1) + (truth[:, 2:] - truth[:, :2]).prod(-1) - common
    hull = (torch.maximum(found[:, 2:], truth[:, 2:]) - torch.minimum(found[:, :2], truth[:, :2])).prod(-1)
    giou = common / union - (hull - union) / hull
    return focal, (1 - giou).sum() / count


def training_set(count: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """`count` images uint8 (count, 300, 300, 3) RGB, and for each its boxes (corners, 0–1) and labels."""
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    boxes, labels = [], []
    for number in range(count):
        drawn, objects = shapes.draw(TRAINING_SEED, number)
        height, width = drawn.shape[:2]
        images[number] = cv2.resize(cv2.cvtColor(drawn.astype(np.float32), cv2.COLOR_BGR2RGB), (SIDE, SIDE))
        x, y, w, h = np.array([box for _, box, _ in objects], np.float32).reshape(-1, 4).T
        boxes.append(np.stack([y / height, x / width, (y + h) / height, (x + w) / width], 1))
        labels.append(np.array([kind for kind, _, _ in objects], np.int64))
    return images, boxes, labels


def mirrored(image: np.ndarray, boxes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One of the eight symmetries of the square, applied to an image and its boxes."""
    if rng.random() < 0.5:
        image, boxes = image[:, ::-1], np.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1]], 1)
    if rng.random() < 0.5:
        image, boxes = image[::-1], np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], 1)
    if rng.random() < 0.5:
        image, boxes = image.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    return image, boxes


def train(images: int, epochs: int, batch: int, checkpoint: pathlib.Path) -> DemoSSD:
    """Train from scratch; the weights after each epoch are left in `checkpoint`."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pixels, all_boxes, all_labels = training_set(images)
    keep = [i for i in range(images) if len(all_boxes[i])]
    priors = torch.from_numpy(anchors())
    model = DemoSSD(len(shapes.CLASSES)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-3)
    steps = epochs * (len(keep) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.1)
    for epoch in range(epochs):
        begun, sums = time.time(), np.zeros(2)
        order = rng.permutation(keep)
        for first in range(0, len(order) - batch + 1, batch):
            inputs, kinds, targets = [], [], []
            for index in order[first : first + batch]:
                image, boxes = mirrored(pixels[index], all_boxes[index], rng)
                kind, target = assign(
                    torch.from_numpy(np.ascontiguousarray(boxes)), torch.from_numpy(all_labels[index]), priors
                )
                inputs.append(np.ascontiguousarray(image))
                kinds.append(kind)
                targets.append(target)
            x = (torch.from_numpy(np.stack(inputs)).float() - 127.5) / 127.5
            logits, codes = model(x.permute(0, 3, 1, 2))
            of_class, of_box = loss(logits, codes, torch.stack(kinds), torch.stack(targets), priors)
            optimizer.zero_grad()
            (of_class + 2 * of_box).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5)
            optimizer.step()
            schedule.step()
            sums += of_class.item(), of_box.item()
        torch.save(model.state_dict(), checkpoint)
        mean = sums / (len(order) // batch)
        print(f"epoch {epoch + 1}/{epochs}: class {mean[0]:.4f} box {mean[1]:.4f} {time.time() - begun:.0f} s", flush=True)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("demo_ssd.onnx"))
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=pathlib.Path("demo_ssd.pt"))
    parser.add_argument("--export-only", action="store_true", help="write the ONNX file from the checkpoint")
    arguments = parser.parse_args()
    if arguments.export_only:
        model = DemoSSD(len(shapes.CLASSES))
        model.load_state_dict(torch.load(arguments.checkpoint, weights_only=True))
        model.eval()
    else:
        model = train(arguments.images, arguments.epochs, arguments.batch, arguments.checkpoint)
    write_onnx(model, anchors(), VARIANCES, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
