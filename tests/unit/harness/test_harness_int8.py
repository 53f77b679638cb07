"""8-bit convolutions in PyTorch: close to those of floats, refused where they cannot work, calibrated once."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytest.importorskip("safetensors.torch")

from model_files import write_mobilenet  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.models.detector import Detector  # noqa: E402
from object_detection.models.int8.network import exact_weights, quantize  # noqa: E402
from object_detection.models.int8.ranges import observe, steps_of  # noqa: E402
from object_detection.models.int8.trace import trace  # noqa: E402
from object_detection.models.load import load_network  # noqa: E402
from object_detection.models.ssd_mobilenet import SameConv  # noqa: E402
from torch import nn  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of PyTorch wait actively for each other, which takes long beside other processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def needs_int8() -> None:
    try:
        exact_weights()
    except HarnessError as error:
        pytest.skip(error.what)


class Residual(Detector):
    """Every operation that the rewriting knows: pools, sums of two convolutions, sums with a value that is used later."""

    box_order = "yxyx"

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.one, self.two = nn.Conv2d(16, 16, 3, 1, 1), nn.Conv2d(16, 16, 3, 1, 1)
        self.down, self.side = SameConv(16, 32, 3, stride=2), nn.Conv2d(16, 32, 1, 2)
        self.deep = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.named = nn.Conv2d(32, 8, 3, padding="same")
        self.head = nn.Conv2d(32, 12, 1)

    def heads(self, images: Any) -> tuple[Any, Any]:
        values = self.stem(images)
        values = torch.relu(self.two(nn.functional.relu(self.one(values))) + values)
        values = self.down(values) + self.side(values)
        deep = self.deep(values) + values
        found = self.head(nn.functional.relu6(deep)).permute(0, 2, 3, 1).reshape(images.shape[0], -1, 4)
        return found, self.named(deep) * values.mean()

    def selection(self) -> Any: ...

    def confidences(self, scores: Any) -> Any: ...

    def decode(self, offsets: Any) -> Any: ...


def residual() -> Residual:
    torch.manual_seed(3)
    network = Residual().eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks the keyword
    return network


def images(count: int, side: int) -> Any:
    found = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return found.contiguous(memory_format=torch.channels_last)


def far(one: Any, other: Any) -> float:
    """The relative distance of two results."""
    return float((one - other).norm() / one.norm())


def quantized(network: Detector, given: Any) -> Detector:
    found = copy.deepcopy(network)
    quantize(found, observe(trace(network), [given]))
    return found


@pytest.mark.parametrize("side", [64, 65])
@pytest.mark.parametrize(("largest", "bound"), [(127, 0.06), (64, 0.12)])
def test_results_are_close_to_those_of_floats(side: int, largest: int, bound: float, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_int8()
    monkeypatch.setattr("object_detection.models.int8.network.largest_weight", lambda: largest)
    network, given = residual(), images(3, side)
    with torch.inference_mode():
        expected, before = network.heads(given), given.clone()
        found = quantized(network, given).heads(given)
        assert [far(one, other) < bound for one, other in zip(expected, found, strict=True)] == [True, True]
        assert torch.equal(given, before)
        assert all(not torch.equal(one, other) for one, other in zip(expected, found, strict=True))


def test_any_batch_gives_nearly_the_same_answer() -> None:
    needs_int8()
    network, given = residual(), images(5, 64)
    with torch.inference_mode():
        eight = quantized(network, given)
        one_by_one = torch.cat([eight.heads(row)[0] for row in given.split(1)])
        assert far(one_by_one, eight.heads(given)[0]) < 0.01  # kernels may round differently
        assert far(one_by_one[:2], eight.heads(given[:2])[0]) < 0.01


def test_a_value_that_is_used_after_a_sum_is_not_overwritten() -> None:
    """`values` is added to, and used once more by the second result."""
    needs_int8()
    network, given = residual(), images(1, 64)
    with torch.inference_mode():
        eight = quantized(network, given)
        assert all(torch.equal(one, other) for one, other in zip(eight.heads(given), eight.heads(given), strict=True))
        assert far(network.heads(given)[1], eight.heads(given)[1]) < 0.06


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 6.0), (0.5, 2.0), (-3.0, -1.0), (0.0, 0.0)])
def test_zero_is_exact_and_ranges_are_covered(low: float, high: float) -> None:
    steps = steps_of(low, high)
    assert 0 <= steps.zero <= 255
    assert steps.size > 0
    assert (0 - steps.zero) * steps.size <= min(low, 0) + steps.size
    assert (255 - steps.zero) * steps.size >= max(high, 0) - steps.size


def test_ssd_mobilenet_detects_nearly_the_same(tmp_path: Path) -> None:
    needs_int8()
    network = load_network(write_mobilenet(tmp_path / "a.safetensors"))
    given = (images(2, 300) + 1) * 127.5
    with torch.inference_mode():
        expected, found = network.heads(given), quantized(network, given).heads(given)
    assert far(expected[0], found[0]) < 0.1


def test_a_model_that_is_quantized_already_is_refused(tmp_path: Path) -> None:
    network = load_network(write_mobilenet(tmp_path / "a.safetensors", eight_bits=True))
    with pytest.raises(HarnessError, match="this one is quantized already"):
        trace(network)


def test_a_network_that_depends_on_values_is_refused() -> None:
    class Choosing(Residual):
        def heads(self, images: Any) -> tuple[Any, Any]:
            return super().heads(images) if images.sum() > 0 else (images, images)

    with pytest.raises(HarnessError, match="cannot follow the heads of Choosing"):
        trace(Choosing())


def test_ranges_of_another_model_are_refused() -> None:
    needs_int8()
    with pytest.raises(HarnessError, match="the calibration has no range for"):
        quantize(residual(), {"images": (0.0, 1.0)})


@pytest.mark.parametrize(
    ("options", "device", "message"),
    [({"compile": "yes"}, "cpu", "exclude each other"), ({}, "cuda", "is for --device=cpu")],
)
def test_what_int8_does_not_go_with_is_refused(options: dict[str, str], device: str, message: str) -> None:
    from object_detection.backends import torch as backend

    with pytest.raises(HarnessError, match=message):
        backend._in_int8(residual(), device, {"precision": "int8", **options}, None)


@pytest.fixture
def spec(spec_for: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A run of a made SSD-MobileNet in 8 bits."""
    model = write_mobilenet(tmp_path / "made.safetensors")

    def make(*modes: str, file: Path = model, changes: dict[str, Any] | None = None, **calibration: Any) -> dict[str, Any]:
        more = {"backend_options": {"precision": "int8"}, "cache": str(tmp_path / "cache"), "sessions": 1, **(changes or {})}
        made = spec_for("offline", *modes, model=file, model_changes={"backend": "torch"}, **more)
        return {**made, "calibration": {"count": 0, "files": [], **calibration}}

    return make


def test_the_images_of_a_calibration_are_recorded(harness: Any, spec: Any, demo_set: Path, tmp_path: Path) -> None:
    needs_int8()
    found = harness(spec("accuracy", count=5))
    used = found.results["calibration"]
    names = sorted(path.name for path in (demo_set / "val2017").iterdir())
    assert (used["images"], used["source"]) == (5, "data set")
    written = json.loads((found.folder / "calibration.json").read_text())
    assert (sorted(written["images"]), written["sha256"]) == (names[:5], used["sha256"])
    assert len(list((tmp_path / "cache/calibrations").glob("*.json"))) == 1
    again = harness(spec("accuracy", count=5))  # with the ranges of the first run
    logs = [(each.folder / "accuracy/mlperf_log_accuracy.json").read_bytes() for each in (found, again)]
    assert logs[0] == logs[1]
    assert again.results["calibration"] == used
    files = [str(demo_set / "val2017" / name) for name in written["images"]]
    other = harness(spec("accuracy", files=files))
    assert (other.results["calibration"]["source"], other.results["calibration"]["sha256"]) == ("files", used["sha256"])


def test_sessions_are_loaded_side_by_side(harness: Any, spec: Any) -> None:
    """Tracing a network changes how PyTorch calls modules in all threads of the process."""
    needs_int8()
    found = harness(spec("accuracy", count=2, changes={"sessions": 8}))
    assert found.results["sessions"] == 8


def test_every_process_of_a_run_has_the_ranges(harness: Any, spec: Any) -> None:
    needs_int8()
    runs = [harness(spec("accuracy", count=5, changes={"sessions": 2, "processes": number})) for number in (1, 2)]
    logs = [json.loads((run.folder / "accuracy/mlperf_log_accuracy.json").read_text()) for run in runs]
    first, second = (sorted(log, key=lambda row: row["qsl_idx"]) for log in logs)
    assert first == second


def test_a_calibration_image_that_cannot_be_decoded_ends_the_run(harness: Any, spec: Any, tmp_path: Path) -> None:
    needs_int8()
    (tmp_path / "no.jpg").write_bytes(b"no image")
    found = harness(spec("accuracy", files=[str(tmp_path / "no.jpg")]))
    assert found.status == 3
    assert "no.jpg is not an image" in found.error


def test_the_published_model_keeps_its_accuracy(data: Path, harness: Any, spec: Any, tmp_path: Path) -> None:
    """In 32 bits the reference implementation has 0.23982 on these images; calibrated with 32 of the 79."""
    needs_int8()
    pytest.importorskip("onnx")
    from object_detection.convert.onnx_to_safetensors import convert
    from object_detection.convert.task import Task

    convert(Task(data / "models/ssd_mobilenet_v1_075_fp32.onnx", {}, tmp_path))
    changes = {"data_set": data / "coco79", "count": None}
    found = harness(spec("accuracy", file=tmp_path / "model.safetensors", changes=changes, count=32))
    assert found.results["accuracy"]["mAP"] == pytest.approx(0.2398, rel=0.02)
