"""PyTorch files: both formats, states and whole modules, and their errors."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from official_weights import OFFICIAL, digest
from torch_pickles import call, legacy, module, name, number, row, table, tensor, text, zipped

from ck_repo.errors import DetectError
from ck_repo.models.pickled import Reader
from ck_repo.models.safetensors_file import write_safetensors
from ck_repo.models.torch_file import TorchFile

ONE = struct.pack("<6f", *range(6))
TWO = struct.pack("<2q", 7, 8)
BODY = table({"w": tensor("0", [2, 3]), "n": tensor("1", [2], kind="LongStorage")})
STORAGES = {"0": ONE, "1": TWO}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("form", ["legacy", "zip"])
def test_weights_have_names_shapes_and_values(tmp_path: Path, form: str) -> None:
    content = legacy(BODY, STORAGES, items={"1": 8}) if form == "legacy" else zipped(BODY, STORAGES)
    file = TorchFile(written(tmp_path / "x.pytorch", content))
    assert {key: (row.shape, row.dtype) for key, row in file.weights.items()} == {
        "w": ((2, 3), "float32"), "n": ((2,), "int64"),
    }  # fmt: skip
    assert {key: raw for key, _, raw in file.contents()} == {"w": ONE, "n": TWO}


@pytest.mark.parametrize("form", [legacy, zipped])
def test_pickled_module_gives_named_parameters(tmp_path: Path, form: object) -> None:
    inner = module({"weight": tensor("0", [2, 3]), "bias": b"N"}, kind="Conv2d")
    body = module({}, {"layer1": module({}, {"0": inner}, kind="Sequential"), "none": b"N"})
    file = TorchFile(written(tmp_path / "x.pytorch", form(body, {"0": ONE})))  # type: ignore[operator]
    assert list(file.weights) == ["layer1.0.weight"]


def test_class_with_source_code_stays_a_name(tmp_path: Path) -> None:
    """Before 1.6 PyTorch stored the source of each class with it, as text."""
    source = row(text("module"), name("ssd_r34", "SSD_R34"), text("ssd_r34.py"), text("import os; os.abort()")) + b"Q"
    body = source + b")\x81" + table({"_parameters": table({"w": tensor("0", [6])})}) + b"b"
    assert list(TorchFile(written(tmp_path / "x.pytorch", legacy(body, {"0": ONE}))).weights) == ["w"]


def test_strided_view_is_gathered(tmp_path: Path) -> None:
    body = table({"turned": tensor("0", [3, 2], strides=[1, 3]), "part": tensor("0", [2], offset=4, count=6)})
    file = TorchFile(written(tmp_path / "x.pytorch", legacy(body, {"0": ONE})))
    found = {key: raw for key, _, raw in file.contents()}
    assert found["turned"] == struct.pack("<6f", 0, 3, 1, 4, 2, 5)
    assert found["part"] == struct.pack("<2f", 4, 5)


@pytest.mark.parametrize(
    ("weight", "why"),
    [
        (tensor("0", [1 << 30, 1 << 20]), "claims"),  # 4 PB out of 24 bytes
        (tensor("0", [1 << 30], strides=[0]), "claims"),
        (tensor("0", [7], count=6), "claims"),
        (tensor("0", [2], offset=5, count=6), "claims"),
        (tensor("0", [2], offset=-1, count=6), "claims"),
        (tensor("9", [2]), "claims"),
        (tensor("0", [6], kind="QUInt8Storage"), "numbers of the type torch.QUInt8Storage"),
    ],
)
@pytest.mark.parametrize("form", [legacy, zipped])
def test_tensor_beyond_its_storage_is_rejected(tmp_path: Path, weight: bytes, why: str, form: object) -> None:
    with pytest.raises(DetectError, match=why):
        TorchFile(written(tmp_path / "x.pytorch", form(table({"w": weight}), {"0": ONE})))  # type: ignore[operator]


@pytest.mark.parametrize("form", [legacy, zipped])
def test_malicious_files_are_rejected_and_run_nothing(tmp_path: Path, form: object) -> None:
    mark = tmp_path / "mark"
    malicious = call(name("posix", "system"), text(f"touch {mark}"))
    body = table({"w": tensor("0", [6]), "x": malicious})
    with pytest.raises(DetectError, match=r"names posix\.system") as caught:
        TorchFile(written(tmp_path / "x.pytorch", form(body, {"0": ONE})))  # type: ignore[operator]
    assert "do not use this file" in caught.value.hint
    assert not mark.exists()


def test_recursive_module_terminates(tmp_path: Path) -> None:
    body = name("m", "Net") + b")\x81q\x01" + table({"_modules": table({"again": b"h\x01"})}) + b"b"
    with pytest.raises(DetectError, match="nested more than"):
        TorchFile(written(tmp_path / "x.pytorch", legacy(body, {})))


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 cut", legacy(BODY, STORAGES, items={"1": 8})[:-9]])
def test_corrupt_files_are_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DetectError, match=r"x\.pytorch (is not|cannot be read)") as caught:
        TorchFile(written(tmp_path / "x.pytorch", content))
    assert "download the model again" in caught.value.hint


def test_file_without_weights_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DetectError, match="has no weights"):
        TorchFile(written(tmp_path / "x.pytorch", legacy(table({"epoch": number(3)}), {})))


def test_checkpoint_state_is_found(tmp_path: Path) -> None:
    body = table({"epoch": number(3), "state_dict": table({"w": tensor("0", [6])})})
    assert list(TorchFile(written(tmp_path / "x.pytorch", legacy(body, {"0": ONE}))).weights) == ["w"]


@pytest.mark.parametrize("network", ["ssd-mobilenet", "ssd-resnet34"])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_pytorch_output_is_read(tmp_path: Path, network: str, whole: bool, old: bool) -> None:
    """Names and shapes are those of MLPerf's own files."""
    torch = pytest.importorskip("torch")
    from object_detection.models.ssd_mobilenet import SSDMobileNet
    from object_detection.models.ssd_resnet34 import SSDResNet34

    made = SSDMobileNet() if network == "ssd-mobilenet" else SSDResNet34()
    if whole:
        del made.anchors  # a pickled module has its buffers, including those that its state omits
    path = tmp_path / "x.pytorch"
    torch.save(made if whole else made.state_dict(), path, _use_new_zipfile_serialization=not old)
    file = TorchFile(path)
    state = made.state_dict()
    assert {key: row.shape for key, row in file.weights.items()} == {key: tuple(row.shape) for key, row in state.items()}
    for key, _, raw in file.contents():
        assert raw == state[key].numpy().tobytes(), key
    assert digest({key: row.shape for key, row in file.weights.items()}) == OFFICIAL[network]


def test_weights_are_written_as_safetensors(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    numpy = pytest.importorskip("numpy")
    source = TorchFile(written(tmp_path / "x.pytorch", legacy(BODY, STORAGES, items={"1": 8})))
    write_safetensors(source, tmp_path / "x.safetensors")
    found = library.load_file(tmp_path / "x.safetensors")
    assert found["w"].dtype == numpy.float32
    assert found["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["n"].tolist() == [7, 8]


def shared_modules(depth: int) -> bytes:
    """A module that contains another twice, which contains another twice, and so on: 2^depth names from a few hundred bytes."""
    body = module({"w": tensor("0", [6])}) + b"q\x00"
    for step in range(1, depth):
        before = b"h" + bytes([step - 1])
        body += b"0" + module({}, {"a": before, "b": before}) + b"q" + bytes([step])
    return body


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (shared_modules(40), "are more than"),
        (b"}q\x01" + text("state_dict") + b"h\x01s", "has no weights"),
        (table({"w": tensor("0", [6]).replace(number(0), b"G\x7f\xf0" + bytes(6), 1)}), "is damaged"),  # an infinite offset
        (name("a", "B") + number(5) + b"\x81", "creates an object"),
        (name("torch", "f") + number(5) + b"R", r"calls torch\.f with int"),
    ],
)
def test_malicious_structure_is_a_regular_error(tmp_path: Path, body: bytes, why: str) -> None:
    with pytest.raises(DetectError, match=why):
        TorchFile(written(tmp_path / "x.pytorch", legacy(body, {"0": ONE})))


def test_many_names_of_one_storage_do_not_fill_the_disk(tmp_path: Path) -> None:
    body = table({f"w{row}": tensor("0", [300_000]) for row in range(40)})
    with pytest.raises(DetectError, match="many times the bytes"):
        TorchFile(written(tmp_path / "x.pytorch", legacy(body, {"0": bytes(1_200_000)})))


def test_empty_tensor_is_read_quickly(tmp_path: Path) -> None:
    body = table({"none": tensor("0", [1 << 61, 0], count=6), "w": tensor("0", [6])})
    file = TorchFile(written(tmp_path / "x.pytorch", legacy(body, {"0": ONE})))
    assert {key: raw for key, _, raw in file.contents()} == {"none": b"", "w": ONE}


def test_expanding_archive_is_rejected(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + table({"w": tensor("0", [1 << 20])}) + b".")
        archive.writestr("archive/data/0", bytes(4 << 20))
    with pytest.raises(DetectError, match="is compressed or encrypted"):
        TorchFile(written(tmp_path / "x.pytorch", content.getvalue()))


def test_flipped_bit_is_reported_when_weights_are_read(tmp_path: Path) -> None:
    content = bytearray(zipped(table({"w": tensor("0", [6])}), {"0": ONE}))
    content[content.index(ONE) + 5] ^= 1
    file = TorchFile(written(tmp_path / "x.pytorch", bytes(content)))
    with pytest.raises(DetectError, match=r"x\.pytorch is damaged: Bad CRC"):
        list(file.contents())


def test_long_list_is_not_copied_a_thousand_times() -> None:
    many = b"](" + b"K\x01" * 200_000 + b"eq\x00"
    again = b"".join(call(name("builtins", "list"), b"h\x00") + b"0" for _ in range(2000))
    found = Reader(b"\x80\x02" + many + again + b".").read()
    assert len(found) == 200_000
