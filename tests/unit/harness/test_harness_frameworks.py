"""The same weights give the same detections in every framework; conversions lose nothing.

SSD-MobileNet v1 is one of depth 0.25 with seeded weights, and a published one of depth 0.75; SSD-ResNet34 has seeded weights.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import coco_sets
import model_files
import pytest

np = pytest.importorskip("numpy")
ort = pytest.importorskip("onnxruntime")
for name in ("cv2", "onnx", "safetensors", "torch", "tensorflow"):
    pytest.importorskip(name)

from object_detection.backends import framework  # noqa: E402
from object_detection.convert.task import Task  # noqa: E402
from object_detection.errors import HarnessError  # noqa: E402
from object_detection.preprocess import model_input  # noqa: E402
from object_detection.spec import Model  # noqa: E402

from ck_repo.models.profiles import profile  # noqa: E402

# one process loads TensorFlow and PyTorch, and builds each model once
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("frameworks")]
PROGRAM = Path(__file__).resolve().parents[3] / "program" / "object-detection"
IMAGES = 6  # of the 79: the whole set is used in the end-to-end tests


def run_conversion(name: str, source: Path, folder: Path, model: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run a conversion as a recipe does."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--source", str(source), "--model", json.dumps(model), "--output", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", f"object_detection.convert.{name}", *words],
        env={"PYTHONPATH": str(PROGRAM), "PATH": "", "HOME": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip


def convert(name: str, source: Path, folder: Path, model: dict[str, Any] | None = None) -> dict[str, Any]:
    """Convert in this process, which has the frameworks loaded; return the conversion's description of its result."""
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks, as in a process of a recipe
        import_module(f"object_detection.convert.{name}").convert(Task(source, model or {}, folder))
    interface = folder / "model.json"
    return {**(model or {}), **(json.loads(interface.read_text()) if interface.exists() else {})}


def model_of(path: Path, backend: str, described: Mapping[str, Any], base: str = "coco-300") -> Model:
    """The harness's view of a model file."""
    chosen = profile(described.get("profile", base))
    rows = chosen.for_model(described).as_spec()
    return Model(
        name=path.stem, path=path, backend=backend, input=described.get("input", "image_tensor:0"),
        max_batch=described.get("max_batch"), **rows,
    )  # fmt: skip


def detections(backend: Any, images: Any) -> list[list[tuple[float, ...]]]:
    """Boxes, score and class of detections above 0.1, by image."""
    found = []
    for image in images:
        boxes, scores, classes, counts = backend.run(image[None])
        rows = range(int(counts[0]) if counts is not None else scores.shape[1])
        found.append([(*boxes[0][row], scores[0][row], classes[0][row]) for row in rows if scores[0][row] > 0.1])
    return found


def share_of_equal(ours: list[list[tuple[float, ...]]], theirs: list[list[tuple[float, ...]]]) -> float:
    """The fraction of their detections that ours match with every number within 2e-3."""
    pairs = [(box, found) for found, boxes in zip(ours, theirs, strict=True) for box in boxes]
    assert pairs
    return sum(any(max(map(abs, np.subtract(box, other))) < 2e-3 for other in found) for box, found in pairs) / len(pairs)


@pytest.fixture(scope="module", params=["made", "published"])
def source(request: pytest.FixtureRequest) -> str:
    """Where models and images come from."""
    if request.param == "published":
        request.getfixturevalue("data")
    elif not find_spec("tf2onnx"):
        pytest.skip("tf2onnx is not installed")
    return str(request.param)


@pytest.fixture(scope="module")
def images(request: pytest.FixtureRequest, source: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if source == "made":
        folder = tmp_path_factory.mktemp("coco")
        coco_sets.write_coco(folder, images=IMAGES, drawn=True)
    else:
        folder = request.getfixturevalue("data") / "coco79"
    paths = sorted((folder / "val2017").glob("*.jpg"))[:IMAGES]
    return [model_input(path, 300, "none", "NHWC") for path in paths]


def made_onnx(folder: Path) -> Path:
    """Seeded weights as ONNX, by way of TensorFlow, with the names by which `onnx_to_safetensors` identifies the layers."""
    weights = model_files.write_mobilenet(folder / "seeded.safetensors")
    interface = convert("safetensors_to_tensorflow", weights, folder / "seeded", {"profile": "coco-300"})
    convert("tensorflow_to_onnx", folder / "seeded/frozen_inference_graph.pb", folder / "onnx", interface)
    model_files.name_depthwise(folder / "onnx/model.onnx")
    return folder / "onnx/model.onnx"


@pytest.fixture(scope="module")
def chain(
    request: pytest.FixtureRequest, source: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, tuple[Path, dict[str, Any]]]]:
    """A model in every format: ONNX, weights, TensorFlow, and from that weights and ONNX again.

    The made model in 8 bits has no ONNX file: its chain begins with the weights.
    """
    made: dict[str, dict[str, tuple[Path, dict[str, Any]]]] = {}

    def build(precision: str) -> dict[str, tuple[Path, dict[str, Any]]]:
        if precision not in made:
            folder = tmp_path_factory.mktemp(precision)
            rows: dict[str, tuple[Path, dict[str, Any]]] = {}
            interface = {"profile": "coco-300"}
            if source == "made" and precision != "fp32":
                rows["torch"] = (model_files.write_mobilenet(folder / "model.safetensors", eight_bits=True), interface)
            else:
                name = f"models/ssd_mobilenet_v1_075_{precision}.onnx"
                file = made_onnx(folder) if source == "made" else request.getfixturevalue("data") / name
                rows["onnxruntime"] = (file, interface)
                if find_spec("openvino"):
                    convert("onnx_to_openvino", file, folder / "ov")
                    rows["openvino"] = (folder / "ov/model.xml", interface)
                interface = convert("onnx_to_safetensors", file, folder / "w", interface)
                rows["torch"] = (folder / "w/model.safetensors", interface)
            interface = convert("safetensors_to_tensorflow", rows["torch"][0], folder / "tf", interface)
            rows["tensorflow"] = (folder / "tf/frozen_inference_graph.pb", interface)
            again = convert("tensorflow_to_safetensors", rows["tensorflow"][0], folder / "w2", interface)
            rows["weights again"] = (folder / "w2/model.safetensors", again)
            if find_spec("tf2onnx"):
                convert("tensorflow_to_onnx", rows["tensorflow"][0], folder / "onnx2", interface)
                rows["onnx again"] = (folder / "onnx2/model.onnx", interface)
            if find_spec("onnxscript"):
                interface = convert("safetensors_to_onnx", rows["torch"][0], folder / "onnx3", interface)
                rows["onnx from weights"] = (folder / "onnx3/model.onnx", interface)
            made[precision] = rows
        return made[precision]

    return build


BACKENDS = {
    "torch": "torch", "tensorflow": "tensorflow", "openvino": "openvino", "weights again": "torch", "onnx again": "onnxruntime",
    "onnx from weights": "onnxruntime",
}  # fmt: skip


@pytest.mark.parametrize("form", BACKENDS)
def test_detections_are_the_same_in_every_framework(chain: Any, images: Any, form: str) -> None:
    """Every detection above 0.1 within 2e-3, against ONNX Runtime on the file that the chain begins with."""
    rows = chain("fp32")
    if form not in rows:
        pytest.skip(f"what makes {form} is not installed")
    theirs = detections(framework("onnxruntime", "cpu").load(model_of(rows["onnxruntime"][0], "", {}), "cpu", 1), images)
    path, described = rows[form]
    backend = framework(BACKENDS[form], "cpu").load(model_of(path, "", described), "cpu", 1)
    ours = detections(backend, images)
    assert share_of_equal(ours, theirs) > 0.995
    assert share_of_equal(theirs, ours) > 0.995


def folded(file: Any, key: str) -> Any:
    """A weight of a file; of a depthwise convolution with its scale, which TensorFlow's graph includes in the weight."""
    values = file.get_tensor(key)
    if key.endswith("depthwise.weight"):
        return values * file.get_tensor(key.replace(".weight", "/BatchNorm.scale")).reshape(-1, 1, 1, 1)
    return values


def test_weights_and_ranges_round_trip_through_tensorflow(chain: Any) -> None:
    """8-bit weights with ranges: through a graph with FakeQuant nodes and back by name."""
    safetensors = pytest.importorskip("safetensors")
    for precision in ("fp32", "int8_qdq"):
        rows = chain(precision)
        there, back = (safetensors.safe_open(rows[form][0], "numpy") for form in ("torch", "weights again"))
        assert set(there.keys()) == set(back.keys())
        for key in there.keys():  # noqa: SIM118
            if not key.endswith("depthwise/BatchNorm.scale"):
                assert np.allclose(folded(there, key), folded(back, key), atol=1e-6), key
        numbers = ("input_offset", "input_scale", "iou", "score_above", "total")
        for key in numbers:
            assert float(back.metadata()[key]) == pytest.approx(float(there.metadata()[key]), rel=1e-6)
    assert "backbone.1.pointwise/rounding.range" in back.keys()  # noqa: SIM118


@pytest.mark.parametrize("form", ["tensorflow", "onnx again", "torch"])
def test_batch_equals_single_images(chain: Any, images: Any, form: str) -> None:
    path, described = chain("fp32").get(form) or pytest.skip(f"what makes {form} is not installed")
    backend = framework(BACKENDS[form], "cpu").load(model_of(path, "", described), "cpu", 1)
    together = backend.run(np.stack(images[:3]))
    assert together[3] is not None
    for number in range(3):
        alone = backend.run(images[number][None])
        assert alone[3] is not None
        count = int(alone[3][0])
        assert int(together[3][number]) == count
        assert np.allclose(together[1][number][:count], alone[1][0][:count], atol=1e-4)


def tflite_answers(path: Path, image: Any) -> tuple[Any, Any, Any, Any]:
    from ck_repo.models.model_file import inspect_model

    backend = framework("tflite", "cpu").load(model_of(path, "", inspect_model(path, "tflite")), "cpu", 1)
    return backend.run(image[None])


def test_tflite_returns_its_ten_detections(tmp_path: Path) -> None:
    """The ten best of twelve boxes that do not overlap, in order; computed by hand for `model_files`."""
    pytest.importorskip("ai_edge_litert")
    path = model_files.write_tflite(tmp_path / "made.tflite")
    boxes, scores, classes, counts = tflite_answers(path, np.zeros((300, 300, 3), np.uint8))
    assert (boxes.shape, scores.shape, counts.tolist()) == ((1, 10, 4), (1, 10), [10.0])
    assert np.allclose(boxes[0], model_files.TFLITE_BOXES[:10], atol=1e-6)
    assert np.allclose(scores[0], [first for first, _ in model_files.TFLITE_SCORES[:10]], atol=1e-6)
    assert classes[0].tolist() == [0.0] * 10  # the profile adds 1


def test_published_tflite_file_returns_its_ten_detections(data: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    image = model_input(next((data / "coco79/val2017").iterdir()), 300, "none", "NHWC")
    boxes, scores, _, counts = tflite_answers(data / "models/ssd_mobilenet_v1_075_uint8.tflite", image)
    assert (boxes.shape, scores.shape, counts.tolist()) == ((1, 10, 4), (1, 10), [10.0])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """SSD-ResNet34 with seeded weights: its file, an image, and PyTorch's own raw heads and detections."""
    torch = pytest.importorskip("torch")
    from object_detection.models.ssd_resnet34 import SSDResNet34
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = SSDResNet34().eval().requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.1)
    conf: Any = network.conf
    for head in conf:
        head.weight.data *= 6  # so that some boxes pass the threshold
    image = torch.randn(1, 3, 1200, 1200)
    path = tmp_path_factory.mktemp("large") / "model.safetensors"
    save_file(network.state_dict(), path)
    scores, offsets = network.heads(image)
    ((boxes, found, kinds),) = network.select(scores, offsets)
    return path, image.numpy(), (scores.numpy(), offsets.numpy()), (boxes.numpy(), found.numpy(), kinds.numpy())


def same_detections(ours: tuple[Any, Any, Any], theirs: tuple[Any, Any, Any]) -> None:
    """Compared as sets: the order of equal scores is undefined. Boxes and scores within 1e-3."""
    rows = [np.concatenate([boxes, scores[:, None], kinds[:, None]], 1) for boxes, scores, kinds in (ours, theirs)]
    assert rows[0].shape == rows[1].shape
    distances = np.abs(rows[0][:, None] - rows[1][None]).max(-1)
    assert distances.min(0).max() < 1e-3
    assert distances.min(1).max() < 1e-3


def test_large_model_is_the_same_in_tensorflow(large: Any, tmp_path: Path) -> None:
    """Raw heads within 1e-4, although the graph has channels first and the CPU channels last; decoded boxes within 1e-3."""
    tf = pytest.importorskip("tensorflow")
    from object_detection.backends.channels_last import channels_last, is_channels_first
    from object_detection.backends.tensorflow import read_graph

    path, image, heads, (boxes, scores, kinds) = large
    interface = convert("safetensors_to_tensorflow", path, tmp_path)
    file = tmp_path / "frozen_inference_graph.pb"
    definition = read_graph(file)
    assert is_channels_first(definition)
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(channels_last(definition, ["raw_scores", "raw_offsets", "image"]), name="")
    with tf.compat.v1.Session(graph=graph) as session:
        found = session.run(["raw_scores:0", "raw_offsets:0"], {"image:0": image})
    for one, other in zip(found, heads, strict=True):
        assert np.abs(one - other).max() < 1e-4
    backend = framework("tensorflow", "cpu").load(model_of(file, "", interface), "cpu", 2)
    assert (backend.layout, backend.max_batch) == ("NCHW", None)
    ours = backend.run(image)
    same_detections((ours[0][0], ours[1][0], ours[2][0]), (boxes[:, [1, 0, 3, 2]], scores, kinds))


def test_large_model_is_the_same_in_onnx(large: Any, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    path, image, heads, theirs = large
    interface = convert("safetensors_to_onnx", path, tmp_path)
    backend = framework("onnxruntime", "cpu").load(model_of(tmp_path / "model.onnx", "", interface), "cpu", 2)
    assert backend.max_batch == 1
    ours = backend.run(image)
    same_detections((ours[0][0], ours[1][0], ours[2][0]), theirs)
    model = onnx.load(str(tmp_path / "model.onnx"))
    for name in ("raw_scores", "raw_offsets"):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for one, other in zip(session.run(["raw_scores", "raw_offsets"], {"image": image}), heads, strict=True):
        assert np.abs(one - other).max() < 1e-4


@pytest.mark.parametrize("name", ["onnx_to_safetensors", "tensorflow_to_safetensors"])
def test_non_mobilenet_network_is_not_converted(demo_model: Path, tmp_path: Path, name: str) -> None:
    tf = pytest.importorskip("tensorflow")
    source = demo_model
    if name.startswith("tensorflow"):
        graph = tf.Graph()
        with graph.as_default():
            tf.nn.relu(tf.compat.v1.placeholder(tf.float32, [1], name="image"))
        source = tmp_path / "g.pb"
        source.write_bytes(graph.as_graph_def().SerializeToString())
    done = run_conversion(name, source, tmp_path, {})
    assert done.returncode == 3
    assert "is not a supported SSD-MobileNet v1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "model.safetensors").exists()


def test_graph_without_expected_tensors_lists_its_own(chain: Any) -> None:
    path, described = chain("fp32")["tensorflow"]
    model = replace(model_of(path, "", described), boxes="detection_bboxes:0")
    with pytest.raises(
        HarnessError, match=r"outputs detection_bboxes:0.* it has inputs image_tensor:0 and outputs .*detection_boxes:0"
    ):
        framework("tensorflow", "cpu").load(model, "cpu", 1)


@pytest.mark.parametrize("content", [b"", b"noise"])
def test_invalid_graph_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "g.pb"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"g\.pb"):
        framework("tensorflow", "cpu").load(model_of(path, "", {}), "cpu", 1)


def test_future_opset_error_names_runtime_version(demo_model: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(demo_model))
    model.opset_import[0].version = 999
    onnx.save(model, str(tmp_path / "new.onnx"))
    with pytest.raises(HarnessError, match=rf"new\.onnx cannot be loaded by ONNX Runtime {ort.__version__}"):
        framework("onnxruntime", "cpu").load(model_of(tmp_path / "new.onnx", "", {}), "cpu", 1)


@pytest.mark.parametrize("backend", ["openvino", "tflite"])
def test_cpu_backends_reject_other_devices(backend: str) -> None:
    try:
        with pytest.raises(HarnessError, match="cannot use cuda here; available: cpu"):
            framework(backend, "cuda")
    except HarnessError as error:
        pytest.skip(error.what)


def scaled(folder: Path, *nodes: Any) -> Path:
    """A graph whose image passes through some nodes to a convolution."""
    onnx = pytest.importorskip("onnx")
    numbers = {"c": 1 / 127.5, "one": 1, "minus": -1, "half": 127.5}
    rows = [onnx.numpy_helper.from_array(np.float32(value), name) for name, value in numbers.items()]
    rows.append(onnx.numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "kernel"))
    chain = []
    before = "image"
    for number, (operation, *inputs) in enumerate(nodes):
        chain.append(onnx.helper.make_node(operation, [before if name == "x" else name for name in inputs], [f"v{number}"]))
        before = f"v{number}"
    chain.append(onnx.helper.make_node("Conv", [before, "kernel"], ["out"]))
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        chain, "g", [value("image", 1, [1, 3, 8, 8])], [value("out", 1, [1, 1, 8, 8])], rows
    )  # fmt: skip
    onnx.save(onnx.helper.make_model(graph), str(folder / "g.onnx"))
    return folder / "g.onnx"


@pytest.mark.parametrize(
    "nodes",
    [
        [("Mul", "x", "c"), ("Sub", "x", "one")],
        [("Mul", "c", "x"), ("Sub", "x", "one")],
        [("Sub", "x", "half"), ("Div", "x", "half")],
        [("Mul", "x", "c"), ("Add", "minus", "x")],
    ],
)
def test_image_scaling_is_read_in_any_form(tmp_path: Path, nodes: Any) -> None:
    from object_detection.convert.onnx_to_safetensors import Graph, _input_scaling

    found = _input_scaling(Graph(scaled(tmp_path, *nodes)), Path("g"))
    assert (found["input_offset"], found["input_scale"]) == pytest.approx((127.5, 1 / 127.5))


def test_unscaled_image_has_no_scaling(tmp_path: Path) -> None:
    from object_detection.convert.onnx_to_safetensors import Graph, _input_scaling

    assert _input_scaling(Graph(scaled(tmp_path)), Path("g")) == {}


def test_unknown_scaling_is_not_guessed(tmp_path: Path) -> None:
    from object_detection.convert.onnx_to_safetensors import Graph, _input_scaling

    with pytest.raises(HarnessError, match="its scaling of images is not supported, because Relu uses"):
        _input_scaling(Graph(scaled(tmp_path, ("Mul", "x", "c"), ("Relu", "x"))), Path("g"))
