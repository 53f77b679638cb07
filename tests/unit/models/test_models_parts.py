"""Models of several files: all of them are in the digest, are checked for changes, and are packed into archives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from protobuf_bytes import field, value_info, write_onnx_graph

from ck_repo.errors import DetectError
from ck_repo.machine.register import detect, problem
from ck_repo.models.parts import digest_of_model, parts_of
from ck_repo.models.saved_model_file import read_saved_model
from ck_repo.store.entry import Entry

ROOT = Path(__file__).resolve().parents[3]


def external(name: str, length: int, offset: int = 0) -> bytes:
    """A TensorProto with its content in another file."""
    pairs = {"location": name, "offset": str(offset), "length": str(length)}
    entries = b"".join(field(13, field(1, key.encode()) + field(2, value.encode())) for key, value in pairs.items())
    return field(8, b"weight") + entries + field(14, 1)


def with_data(folder: Path, *tensors: bytes, nested: bytes = b"") -> Path:
    rows = [field(11, value_info("images", 1, 1, 3, 64, 64)), field(12, value_info("o", 1, 1, 84, 8400))]
    rows += [field(5, tensor) for tensor in tensors] + ([field(1, field(5, field(6, field(5, nested))))] if nested else [])
    return write_onnx_graph(folder / "m.onnx", *rows)


def test_parts_of_onnx_file(tmp_path: Path) -> None:
    (tmp_path / "m.onnx.data").write_bytes(bytes(100))
    (tmp_path / "more").write_bytes(bytes(8))
    path = with_data(tmp_path, external("m.onnx.data", 60), external("m.onnx.data", 40, 60), nested=external("more", 8))
    assert parts_of(path, "onnx") == ("m.onnx.data", "more")
    before = digest_of_model(path, parts_of(path, "onnx"))
    (tmp_path / "more").write_bytes(b"12345678")
    assert digest_of_model(path, parts_of(path, "onnx")) != before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.data", "gone.data, which does not exist"),
        ("short.data", "it is truncated"),
        ("../up.data", "outside its folder"),
        ("/etc/passwd", "outside its folder"),
    ],
)
def test_missing_parts(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "short.data").write_bytes(bytes(10))
    (tmp_path.parent / "up.data").write_bytes(bytes(100))
    with pytest.raises(DetectError, match=message):
        parts_of(with_data(tmp_path, external(name, 60)), "onnx")


def soft(name: str) -> Entry:
    folder = ROOT / "soft" / name
    return Entry("default", "soft", name, "0" * 16, folder)


def test_changed_or_missing_part_is_detected(tmp_path: Path) -> None:
    (tmp_path / "m.onnx.data").write_bytes(bytes(100))
    path = with_data(tmp_path, external("m.onnx.data", 100))
    meta = detect(soft("model.onnx"), path, {})
    assert meta.parts == ("m.onnx.data",)
    assert not problem(meta)
    (tmp_path / "m.onnx.data").write_bytes(b"x" * 100)
    assert "a part of" in problem(meta)
    (tmp_path / "m.onnx.data").unlink()
    assert "m.onnx.data, a part of m.onnx, is missing" in problem(meta)


def test_openvino_weights_are_a_part(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    path.write_text("<net/>")
    assert parts_of(path, "openvino") == ()
    path.write_text('<net><layers><layer id="0" type="Const"/></layers></net>')
    with pytest.raises(DetectError, match=r"m\.bin, which does not exist"):
        parts_of(path, "openvino")
    shutil.copyfile(path, tmp_path / "m.bin")
    assert parts_of(path, "openvino") == ("m.bin",)


def test_saved_model_variables_are_parts(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"1")
    assert parts_of(tmp_path / "saved_model.pb", "tensorflow") == ("variables/variables.index",)
    (tmp_path.parent / "outside").write_bytes(b"2")
    (tmp_path / "variables" / "variables.data-00000-of-00001").symlink_to(tmp_path.parent / "outside")
    with pytest.raises(DetectError, match=r"00000-of-00001 is a link that leads out"):
        parts_of(tmp_path / "saved_model.pb", "tensorflow")


def signature(name: str) -> bytes:
    """A graph with a signature of that name, with one input and one output."""
    tensor = field(1, b"x") + field(2, field(1, b"x:0") + b"\x10\x01")
    definition = field(1, tensor) + field(2, tensor)
    return field(2, field(5, field(1, name.encode()) + field(2, definition)))


def test_missing_variables(tmp_path: Path) -> None:
    path = tmp_path / "saved_model.pb"
    path.write_bytes(signature("serving_default"))
    assert parts_of(path, "tensorflow") == ()
    path.write_bytes(signature("serving_default") + field(9, b"VarHandleOp"))
    (tmp_path / "variables").mkdir()
    for name in ("variables.index", "variables.data-00001-of-00002"):
        with pytest.raises(DetectError, match=r"reads weights from variables/variables\..*, which does not exist"):
            parts_of(path, "tensorflow")
        (tmp_path / "variables" / name).write_bytes(b"1")
    with pytest.raises(DetectError, match=r"variables\.data-00000-of-00002, which does not exist"):
        parts_of(path, "tensorflow")
    (tmp_path / "variables/variables.data-00000-of-00002").write_bytes(b"")  # a part may be empty
    assert len(parts_of(path, "tensorflow")) == 3


def test_saved_model_without_serving_signature_lists_others(tmp_path: Path) -> None:
    path = tmp_path / "saved_model.pb"
    path.write_bytes(signature("train") + signature("serving_raw"))
    with pytest.raises(DetectError, match="it has no signature serving_default, but train, serving_raw") as caught:
        read_saved_model(path)
    assert caught.value.hint == "export it with the signature serving_default"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DetectError, match="is not a SavedModel of TensorFlow: it is truncated"):
        read_saved_model(path)
