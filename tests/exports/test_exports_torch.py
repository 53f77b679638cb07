"""Networks with the interfaces of YOLO and DETR, exported from PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports.detected import Found

np = pytest.importorskip("numpy")
pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")

import torch  # noqa: E402

pytestmark = pytest.mark.slow
SIDE, KINDS = 128, 10
Compare = Callable[..., dict[str, Any]]


def exported(network: Any, path: Path, names: list[str], size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(1, 3, *size),), str(path), dynamo=False, opset_version=17, input_names=["images"],
            output_names=names,
        )  # fmt: skip
    return path


class Yolo(torch.nn.Module):
    """Three grids of cells; each cell predicts boxes around it and a score for each class.

    Parameters
    ----------
    objectness
        Whether a box has an additional objectness score.
    boxes
        Boxes per cell.
    decoded
        Whether boxes are in pixels, or centre and logarithm of the size in cells.
    """

    def __init__(self, objectness: bool, boxes: int = 1, *, decoded: bool = True) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.objectness, self.boxes, self.decoded = objectness, boxes, decoded
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, 4, 1), torch.nn.SiLU())
        self.levels = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Conv2d(16, 16, 3, 2, 1), torch.nn.SiLU()) for _ in range(3)
        )
        self.heads = torch.nn.ModuleList(torch.nn.Conv2d(16, boxes * (4 + objectness + KINDS), 1) for _ in range(3))
        for head in self.heads:
            weight: Any = head.weight
            torch.nn.init.normal_(weight, 0, 0.9 if decoded else 0.3)

    def forward(self, images: Any) -> Any:
        rows, found = [], self.stem(images / (1 if self.decoded else 255))
        for level, head in zip(self.levels, self.heads, strict=True):
            found = level(found)
            answer = head(found).reshape(images.shape[0], self.boxes, 4 + self.objectness + KINDS, *found.shape[2:])
            box = self._box(answer[:, :, :4], images.shape[2] // found.shape[2])
            level_rows = torch.cat([box, answer[:, :, 4:].sigmoid()], 2).flatten(3)
            rows.append(level_rows.transpose(1, 2).flatten(2))
        joined = torch.cat(rows, 2)
        return joined.transpose(1, 2) if self.objectness else joined

    def _box(self, answer: Any, stride: int) -> Any:
        if not self.decoded:
            return answer
        y, x = torch.meshgrid(torch.arange(answer.shape[3]), torch.arange(answer.shape[4]), indexing="ij")
        centre = (torch.stack([x, y])[None, None] + answer[:, :, :2].sigmoid()) * stride
        return torch.cat([centre, answer[:, :, 2:].sigmoid() * 4 * stride], 2)


class EndToEnd(torch.nn.Module):
    """The same with built-in selection of the best boxes: corners, score and class."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = Yolo(objectness=False)

    def forward(self, images: Any) -> Any:
        rows = self.inside(images).transpose(1, 2)
        scores, kinds = rows[..., 4:].max(2, keepdim=True)
        best, at = scores.topk(100, 1)
        boxes = rows[..., :4].gather(1, at.expand(-1, -1, 4))
        corners = torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], 2)
        return torch.cat([corners, best, kinds.gather(1, at).float()], 2)


class Detr(torch.nn.Module):
    """Queries that attend to an image; each returns logits and a box as centre and size from 0 to 1."""

    def __init__(self, queries: int, kinds: int) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 8, 8), torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3, 2, 1))
        self.queries = torch.nn.Parameter(torch.randn(queries, 32))
        self.attention = torch.nn.MultiheadAttention(32, 4, batch_first=True)
        self.kinds, self.boxes = torch.nn.Linear(32, kinds), torch.nn.Linear(32, 4)
        torch.nn.init.normal_(self.kinds.weight, 0, 0.3)
        torch.nn.init.normal_(self.boxes.weight, 0, 0.7)

    def forward(self, images: Any) -> tuple[Any, Any]:
        memory = self.stem(images).flatten(2).transpose(1, 2)
        queries = self.queries[None].expand(images.shape[0], -1, -1)
        found = queries + 3 * self.attention(queries, memory, memory, need_weights=False)[0]
        return self.kinds(found), self.boxes(found).sigmoid()


def letterbox(image: Any, side: int = SIDE) -> tuple[Any, float, int, int]:
    """The image centred on a grey square, as (1, 3, side, side) from 0 to 1; ratio, columns to its left, rows above it."""
    ratio = min(side / image.shape[0], side / image.shape[1])
    width, height = round(image.shape[1] * ratio), round(image.shape[0] * ratio)
    left, top = round((side - width) / 2 - 0.1), round((side - height) / 2 - 0.1)
    square = cv2.copyMakeBorder(
        cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), top, side - height - top, left, side - width - left,
        cv2.BORDER_CONSTANT, value=(114, 114, 114),
    )  # fmt: skip
    return torch.from_numpy(square.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)), ratio, left, top


def greedy(boxes: Any, scores: Any, kinds: Any, iou: float) -> list[int]:
    """Straightforward suppression by class; the best 300."""
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable"):
        others = np.array([other for other in kept if kinds[other] == kinds[at]], dtype=np.int64)
        extent = np.minimum(boxes[at, 2:], boxes[others, 2:]) - np.maximum(boxes[at, :2], boxes[others, :2])
        common = extent.clip(0).prod(1)
        areas = (boxes[at, 2:] - boxes[at, :2]).prod() + (boxes[others, 2:] - boxes[others, :2]).prod(1)
        if not (common > iou * (areas - common)).any():
            kept.append(int(at))
        if len(kept) == 300:
            break
    return kept


def out_of(corners: Any, image: Any, ratio: float, left: int, top: int) -> Any:
    """Corners in the letterbox converted to corners in the image."""
    found = (corners - np.array([left, top, left, top])) / ratio
    return found.clip(0, np.array([*image.shape[1::-1]] * 2))


def own_yolo(network: Any, image: Any, iou: float) -> Found:
    """Like YOLO's validation: every class of every box above 0.001, suppression by class, the best 300."""
    given, ratio, left, top = letterbox(image)
    with torch.inference_mode():
        rows = network(given)[0].numpy()
    rows = rows if network.objectness else rows.T
    scores = rows[:, 5:] * rows[:, 4:5] if network.objectness else rows[:, 4:]
    box, kind = np.nonzero(scores > 0.001)
    half = rows[box, 2:4] / 2
    corners = np.concatenate([rows[box, :2] - half, rows[box, :2] + half], 1)
    kept = greedy(corners, scores[box, kind], kind, iou)
    return Found(out_of(corners[kept], image, ratio, left, top), scores[box, kind][kept], kind[kept] + 1)


@pytest.mark.parametrize(
    ("boxes", "objectness", "name", "iou"), [(3, True, "yolo-v5", 0.6), (1, True, "yolo-v6", 0.65), (1, False, "yolo-v8", 0.7)]
)
def test_yolo(rgb: list[Any], compare: Compare, tmp_path: Path, boxes: int, objectness: bool, name: str, iou: float) -> None:
    network = Yolo(objectness, boxes).eval()
    path = exported(network, tmp_path / "yolo.onnx", ["output0"])
    found = [own_yolo(network, image, iou) for image in rgb]
    section = compare(path, found, range(1, KINDS + 1), profile="" if name != "yolo-v6" else name)
    assert section["profile"] == name


def own_yolox(network: Any, image: Any) -> Found:
    """Like YOLOX: the best class of every cell above 0.01, suppression by class; BGR, the image in the corner."""
    ratio = min(SIDE / image.shape[0], SIDE / image.shape[1])
    width, height = round(image.shape[1] * ratio), round(image.shape[0] * ratio)
    square = np.full((SIDE, SIDE, 3), 114, np.uint8)
    square[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    with torch.inference_mode():
        rows = network(torch.from_numpy(square[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)))[0].numpy()
    places = [(x, y, stride) for stride in (8, 16, 32) for y in range(SIDE // stride) for x in range(SIDE // stride)]
    boxes = np.array([
        [(row[0] + x) * stride, (row[1] + y) * stride, np.exp(row[2]) * stride, np.exp(row[3]) * stride]
        for row, (x, y, stride) in zip(rows, places, strict=True)
    ])  # fmt: skip
    kinds = rows[:, 5:].argmax(1)
    scores = rows[:, 4] * rows[:, 5:].max(1)
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
    over = np.flatnonzero(scores > 0.01)
    kept = over[greedy(corners[over], scores[over], kinds[over], 0.65)]
    return Found(out_of(corners[kept], image, ratio, 0, 0), scores[kept], kinds[kept] + 1)


def test_yolox(rgb: list[Any], compare: Compare, tmp_path: Path) -> None:
    network = Yolo(objectness=True, decoded=False).eval()
    path = exported(network, tmp_path / "yolox.onnx", ["output"])
    compare(path, [own_yolox(network, image) for image in rgb], range(1, KINDS + 1), profile="yolox")


class Rows(torch.nn.Module):
    """A YOLO without objectness that returns one row for each box."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = Yolo(objectness=False)
        self.objectness = False

    def forward(self, images: Any) -> Any:
        return self.inside(images).transpose(1, 2)


def test_yolo_with_transposed_output(rgb: list[Any], compare: Compare, tmp_path: Path) -> None:
    network = Rows().eval()
    path = exported(network, tmp_path / "yolo.onnx", ["output0"])
    found = [own_yolo(network.inside, image, 0.7) for image in rgb]
    compare(path, found, range(1, KINDS + 1), profile="yolo-v8-rows")


def test_yolo_with_built_in_nms(rgb: list[Any], compare: Compare, tmp_path: Path) -> None:
    network = EndToEnd().eval()
    found = []
    for image in rgb:
        given, ratio, left, top = letterbox(image)
        with torch.inference_mode():
            rows = network(given)[0].numpy()
        found.append(Found(out_of(rows[:, :4], image, ratio, left, top), rows[:, 4], rows[:, 5] + 1))
    section = compare(exported(network, tmp_path / "yolo.onnx", ["output0"]), found, range(1, KINDS + 1))
    assert section["profile"] == "yolo-end-to-end"


def stretched(image: Any, mean: Any = 0.0, std: Any = 1.0) -> Any:
    square = cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) / np.float32(255)
    return torch.from_numpy(((square - mean) / std).transpose(2, 0, 1)[None].astype(np.float32))


def corners_of(boxes: Any, image: Any) -> Any:
    sizes = np.array([*image.shape[1::-1]])
    return np.concatenate([(boxes[:, :2] - boxes[:, 2:] / 2) * sizes, (boxes[:, :2] + boxes[:, 2:] / 2) * sizes], 1)


def test_detr(rgb: list[Any], compare: Compare, tmp_path: Path) -> None:
    network = Detr(100, KINDS + 2).eval()  # of ids from 0, and "no object"
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    found = []
    for image in rgb:
        with torch.inference_mode():
            logits, boxes = network(stretched(image, mean, std))
        scores, kinds = logits[0].softmax(-1)[:, :-1].max(-1)
        found.append(Found(corners_of(boxes[0].numpy(), image), scores.numpy(), kinds.numpy()))
    section = compare(exported(network, tmp_path / "detr.onnx", ["logits", "pred_boxes"]), found, range(KINDS + 1))
    assert section["profile"] == "detr"


def test_rt_detr(rgb: list[Any], compare: Compare, tmp_path: Path) -> None:
    network = Detr(300, KINDS).eval()
    found = []
    for image in rgb:
        with torch.inference_mode():
            logits, boxes = network(stretched(image))
        scores, at = logits[0].sigmoid().flatten().topk(300)
        own = corners_of(boxes[0].numpy(), image)[(at // KINDS).numpy()]
        found.append(Found(own, scores.numpy(), (at % KINDS).numpy() + 1))
    section = compare(exported(network, tmp_path / "rt.onnx", ["logits", "pred_boxes"]), found, range(1, KINDS + 1))
    assert section["profile"] == "rt-detr"
