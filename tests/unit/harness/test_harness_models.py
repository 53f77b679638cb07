"""The networks: names and shapes, anchors, selection of detections, and errors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
np = pytest.importorskip("numpy")

from object_detection.errors import HarnessError  # noqa: E402
from object_detection.models.anchors import mobilenet_anchors, resnet34_anchors  # noqa: E402
from object_detection.models.fuse import fuse  # noqa: E402
from object_detection.models.load import load_network  # noqa: E402
from object_detection.models.nms import detect  # noqa: E402
from object_detection.models.rule import Rule  # noqa: E402
from object_detection.models.ssd_mobilenet import SSDMobileNet  # noqa: E402
from object_detection.models.ssd_resnet34 import SSDResNet34  # noqa: E402
from object_detection.spec import Model  # noqa: E402
from official_weights import OFFICIAL, digest  # noqa: E402

DATA = Path(os.environ.get("CK_TEST_DATA") or Path(__file__).resolve().parents[4] / "shared/data")
FACTS = DATA.parent / "facts/state_dicts.json"


@pytest.mark.parametrize(("name", "network"), [("ssd-mobilenet", SSDMobileNet), ("ssd-resnet34", SSDResNet34)])
def test_names_and_shapes_match_official_files(name: str, network: Any) -> None:
    """From MLPerf's ssd_mobilenet_v1.pytorch and resnet34-ssd1200.pytorch."""
    found = {key: list(value.shape) for key, value in network().state_dict().items()}
    if FACTS.exists():  # comparing the whole list shows the difference
        assert found == json.loads(FACTS.read_text())[name]
    assert digest(found) == OFFICIAL[name]


def test_small_model_anchors() -> None:
    """Facts: 1917 on grids 19, 10, 5, 3, 2, 1; the lowest layer has (0.1, 1), (0.2, 2), (0.2, 1/2); scales to 0.95, then 1."""
    anchors = mobilenet_anchors()
    assert anchors.shape == (1917, 4)
    assert anchors[0] == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert anchors[1] == pytest.approx([0.5 / 19, 0.5 / 19, 0.2 / 2**0.5, 0.2 * 2**0.5])
    assert anchors[-6] == pytest.approx([0.5, 0.5, 0.95, 0.95])
    assert anchors[-1] == pytest.approx([0.5, 0.5, 0.95**0.5, 0.95**0.5])


def test_small_model_anchors_round_like_a_real_file(data: Path) -> None:
    """The published 0.75 model has its anchors in 8 bits: ours differ by no more than a step of theirs (0.00645)."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(str(data / "models/ssd_mobilenet_v1_075_fp32.onnx")).graph
    row = next(row for row in graph.initializer if row.name.startswith("anchors"))
    assert np.abs(onnx.numpy_helper.to_array(row) - mobilenet_anchors()).max() < 0.00645


def test_large_model_anchors() -> None:
    """Facts: 15130, by kind, then row, then column; sizes of whole pixels at 1200; clamped to 0 to 1."""
    anchors = resnet34_anchors()
    assert anchors.shape == (15130, 4)
    assert anchors[0] == pytest.approx([0.01, 0.01, 84 / 1200, 84 / 1200])
    assert anchors[1] == pytest.approx([0.03, 0.01, 84 / 1200, 84 / 1200])
    assert anchors[2500] == pytest.approx([0.01, 0.01, (84 * 180) ** 0.5 / 1200, (84 * 180) ** 0.5 / 1200])
    assert anchors[5000] == pytest.approx([0.01, 0.01, 84 / 1200 * 2**0.5, 84 / 1200 / 2**0.5])
    assert anchors.min() >= 0
    assert anchors.max() <= 1


def plain(boxes: Any, scores: Any, rule: Rule) -> list[tuple[float, int, int]]:
    """Suppression by definition: class by class, box by box."""
    kept = []
    for kind in range(scores.shape[1]):
        order = [row for row in np.argsort(-scores[:, kind], kind="stable") if scores[row, kind] > rule.score_above]
        waiting = order[: rule.candidates]
        while waiting:
            best, *rest = waiting
            kept.append((float(scores[best, kind]), kind, int(best)))
            waiting = [row for row in rest if not overlaps(boxes[best], boxes[row], rule)]
    return sorted(kept, key=lambda row: -row[0])[: rule.total]


def overlaps(one: Any, other: Any, rule: Rule) -> bool:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.prod(np.clip(sides, 0, None)))
    union = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - common + rule.epsilon
    return common >= rule.iou * union and common > 0 if rule.from_iou else common > rule.iou * union


@pytest.mark.parametrize("total", [5, 1000])
@pytest.mark.parametrize("candidates", [10, 1000])
@pytest.mark.parametrize("from_iou", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_nms_is_greedy(total: int, candidates: int, from_iou: bool, seed: int) -> None:
    """Crowded boxes of classes with none, few and many candidates, compared with the loop by definition."""
    rng = np.random.default_rng(seed)
    near = rng.uniform(0, 0.8, (300, 2))
    boxes = np.concatenate([near, near + rng.uniform(0.1, 0.4, (300, 2))], 1)
    scores = rng.uniform(0, 1, (300, 6)) ** np.array([1, 2, 8, 60, 400, 1e6])
    rule = Rule(0.05, 0.5, candidates, total, 1e-5, from_iou)
    found = detect(torch.tensor(boxes), torch.tensor(scores), rule)
    expected = plain(boxes, scores, rule)
    wanted = [(pytest.approx(score), kind) for score, kind, _ in expected]
    assert wanted == list(zip(found[1].tolist(), found[2].tolist(), strict=True))
    assert np.allclose(found[0].numpy(), boxes[[row for _, _, row in expected]])


def test_boxes_overlapping_exactly_at_the_threshold() -> None:
    """The reference's PyTorch loops differ: ssd-resnet34 keeps boxes that overlap by less than the threshold, ssd-mobilenet
    also those that overlap by exactly that much."""
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5]])
    scores = torch.tensor([[0.9], [0.8]])
    assert len(detect(boxes, scores, Rule(0.1, 0.5, 10, 10))[1]) == 2
    assert len(detect(boxes, scores, Rule(0.1, 0.5, 10, 10, from_iou=True))[1]) == 1


def test_no_box_above_threshold_is_an_empty_result() -> None:
    """The reference crashes on such an image (facts, section 1)."""
    network = SSDResNet34().eval()
    scores, offsets = torch.zeros(2, 15130, 81), torch.zeros(2, 15130, 4)
    scores[1, 7, 5] = 9.0
    with torch.inference_mode():
        empty, one = network.select(scores, offsets)
    assert [part.shape[0] for part in empty] == [0, 0, 0]
    assert empty[0].shape == (0, 4)
    assert one[2].tolist() == [5]


def test_large_model_detections_are_ascending() -> None:
    network = SSDResNet34().eval()
    scores = torch.zeros(1, 15130, 81)
    scores[0, :, 0] = 9
    for row, (anchor, kind) in enumerate([(0, 1), (3000, 2), (9000, 80)]):
        scores[0, anchor, kind] = 12.0 + row
    with torch.inference_mode():
        ((_, found, kinds),) = network.select(scores, torch.zeros(1, 15130, 4))
    assert kinds.tolist() == [1, 2, 80]
    assert found.tolist() == sorted(found.tolist())


def test_decoding_matches_manual_computation() -> None:
    """Facts: offsets of y, x over 10 and of height, width over 5; xy × 0.1 and wh × 0.2 in the large model."""
    small, large = SSDMobileNet(), SSDResNet34()
    offsets = torch.zeros(1, 1917, 4)
    offsets[0, 0] = torch.tensor([1.0, -1.0, 5.0, 0.0])
    small_anchors: Any = small.anchors
    large_anchors: Any = large.anchors
    y, x, height, width = small_anchors[0].tolist()
    high = height * np.e
    assert small.decode(offsets)[0, 0].tolist() == pytest.approx(
        [y + 0.1 * height - high / 2, x - 0.1 * width - width / 2, y + 0.1 * height + high / 2, x - 0.1 * width + width / 2]
    )
    offsets = torch.zeros(1, 15130, 4)
    offsets[0, 0] = torch.tensor([1.0, -1.0, 5.0, 0.0])
    x, y, width, height = large_anchors[0].tolist()
    wide = width * np.e
    assert large.decode(offsets)[0, 0].tolist() == pytest.approx(
        [x + 0.1 * width - wide / 2, y - 0.1 * height - height / 2, x + 0.1 * width + wide / 2, y - 0.1 * height + height / 2]
    )


@pytest.mark.parametrize("side", [300, 75, 19, 10, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_tensorflow_same(side: int, stride: int) -> None:
    """https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2: the odd row and column are at the end."""
    from object_detection.models.ssd_mobilenet import SameConv

    conv = SameConv(1, 1, 3, stride=stride, bias=False)
    conv.weight.data.fill_(1.0)
    found = conv(torch.ones(1, 1, side, side))[0, 0]
    size = -(-side // stride)
    total = max((size - 1) * stride + 3 - side, 0)
    given = np.pad(np.ones((side, side)), [(total // 2, total - total // 2)] * 2)
    expected = [
        [given[r * stride : r * stride + 3, c * stride : c * stride + 3].sum() for c in range(size)] for r in range(size)
    ]
    assert np.allclose(found.detach().numpy(), expected)


def seeded(network: Any) -> Any:
    """Weights and running statistics in which an error would show."""
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    for name, parameter in network.named_parameters():
        if name.endswith(("scale", "bias")) or parameter.dim() == 1:
            parameter.data.uniform_(0.5, 1.0)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("depth", [1.0, 0.25])
def test_folding_changes_nothing(depth: float) -> None:
    network = seeded(SSDMobileNet(depth=depth))
    images = torch.rand(2, 3, 300, 300) * 2 - 1
    before = network.heads(images)
    fuse(network)
    for one, other in zip(before, network.heads(images), strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)


def test_batch_equals_single_images() -> None:
    network = seeded(SSDMobileNet())
    images = torch.rand(3, 3, 300, 300) * 2 - 1
    alone = [torch.cat(parts) for parts in zip(*(network.heads(image[None]) for image in images), strict=True)]
    for one, other in zip(network.heads(images), alone, strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state.pop("extras.0.0.bias"), r"lacks extras\.0\.0\.bias"),
        (lambda state: state.update(more=torch.zeros(1)), "has in addition more"),
        (lambda state: state.update({"extras.0.0.bias": torch.zeros(3)}), r"extras\.0\.0\.bias as \[3\] instead of \[256\]"),
        (lambda state: state.pop("backbone.0.0.weight"), "the weights of a known network"),
        (lambda state: [state.pop(name) for name in list(state) if name.startswith("predictors")], "and 20 more"),
    ],
)
def test_mismatched_weights_are_named(tmp_path: Path, change: Any, why: str) -> None:
    state = {name: value.clone() for name, value in SSDMobileNet().state_dict().items()}
    change(state)
    path = tmp_path / "model.safetensors"
    safetensors.save_file(state, path)
    with pytest.raises(HarnessError, match=why) as caught:
        load_network(path)
    assert "model.safetensors" in caught.value.what


@pytest.mark.parametrize("content", [b"", b"noise" * 10, None])
def test_corrupt_weights_file_is_reported(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"model\.safetensors cannot be read"):
        load_network(path)


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"channels_last": "no"}])
def test_pytorch_options_keep_detections(options: dict[str, str], tmp_path: Path) -> None:
    """In bfloat16 scores change by less than 0.02; the layout of memory changes nothing."""
    from object_detection.backends.torch import load

    model = _saved(tmp_path)
    image = np.random.default_rng(1).integers(0, 256, (1, 300, 300, 3)).astype(np.float32) / 127.5 - 1
    plain, found = ([np.asarray(part) for part in load(model, "cpu", 1, each).run(image)[:3]] for each in ({}, options))
    assert found[0].shape[2] == 4
    moved = np.abs(plain[1][0, :5] - found[1][0, :5])
    assert np.all(moved < (0.02 if "precision" in options else 1e-5))


def test_pytorch_compile_needs_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from object_detection.backends.torch import load

    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(HarnessError, match=r"needs a C\+\+ compiler, and there is no no-such-compiler"):
        load(_saved(tmp_path), "cpu", 1, {"compile": "yes"})


def _saved(folder: Path) -> Model:
    """A file of weights, and its model."""
    network = seeded(SSDMobileNet(depth=0.25))
    safetensors.save_file(network.state_dict(), folder / "weights.safetensors")
    return Model(
        "made", folder / "weights.safetensors", "torch", "image", None, 300, "none", "NHWC", "float32",
        "boxes", "scores", "classes", "", "yxyx", None, "category",
    )  # fmt: skip
