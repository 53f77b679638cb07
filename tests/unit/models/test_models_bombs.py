"""Model files that expand from a few bytes: each is rejected, or read with bounded work."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
from torch_pickles import MAGIC, PROTOCOL, call, name, number, row, table, tensor, text, zipped

from ck_repo.errors import DetectError
from ck_repo.models.pickled import PickleError, Reader
from ck_repo.models.torch_file import TorchFile

# a tuple of two references to the previous tuple, a hundred times: 2**100 members
TUPLES = b")" + b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(100))


def put_together(path: Path, pickle: bytes) -> Path:
    """A PyTorch file with this pickle and no tensor data."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("m/data.pkl", PROTOCOL + pickle + b".")
    return path


@pytest.mark.parametrize(
    "pickle",
    [
        TUPLES,
        TUPLES + TUPLES + b"\x93",
        TUPLES + b"Q",
        row(text("storage"), name("torch", "FloatStorage"), TUPLES, text("cpu"), number(1)) + b"Q",
        row(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), TUPLES) + b"Q",
        TUPLES + text("x") + b"R",
        TUPLES + b")R",
        call(name("collections", "OrderedDict"), TUPLES),
        call(name("torch._utils", "_rebuild_tensor_v2"), TUPLES, number(0), TUPLES, TUPLES),
        b"}" + TUPLES + number(1) + b"s",
    ],
    ids=["value", "name", "reference", "key", "length", "target", "call", "dictionary", "tensor", "table"],
)
def test_tuple_graph(tmp_path: Path, pickle: bytes) -> None:
    with pytest.raises(DetectError):
        TorchFile(put_together(tmp_path / "m.pth", pickle))


def test_tuple_graph_as_version_of_legacy_file(tmp_path: Path) -> None:
    magic = PROTOCOL + number(MAGIC) + b"."
    (tmp_path / "m.pth").write_bytes(magic + PROTOCOL + TUPLES + b"." + PROTOCOL + b"}." + PROTOCOL + b"}.")
    with pytest.raises(DetectError, match="its format does not have version"):
        TorchFile(tmp_path / "m.pth")


@pytest.mark.parametrize("step", [2**61 - 1, 2**64 * (2**61 - 1)], ids=["just", "large"])
def test_colliding_keys_are_left_out(step: int) -> None:
    """All hashes are 0: a dictionary of 20,000 of them takes minutes."""
    pairs = b"".join(number(n * step) + b"N" for n in range(1, 20_000))
    assert Reader(PROTOCOL + b"}(" + pairs + b"u.").read() == {}


def test_colliding_floats_are_left_out() -> None:
    pairs = b"".join(b"G" + struct.pack(">d", 2.0 ** (61 * (n % 16))) + b"N" for n in range(100))
    assert Reader(PROTOCOL + b"}(" + pairs + b"u.").read() == {}


@pytest.mark.parametrize("code", [b"N", b"}", b"N0"])
def test_too_many_instructions(code: bytes) -> None:
    with pytest.raises(PickleError, match="more than 3000000 instructions"):
        Reader(PROTOCOL + code * 3_000_001 + b".").read()


def test_long_shape_shared_by_many_tensors(tmp_path: Path) -> None:
    shape = b"(" + b"K\x01" * 20_000 + b"tq\x00"
    storage = row(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(1)) + b"Q"
    rebuilt = name("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + number(0) + b"h\x00h\x00" + b"tR"
    with pytest.raises(DetectError, match="at most 32 numbers"):
        TorchFile(put_together(tmp_path / "m.pth", shape + b"0" + table({f"w{n}": rebuilt for n in range(1000)})))


def test_thousands_of_arguments(tmp_path: Path) -> None:
    pickle = name("torch._utils", "_rebuild_parameter") + b"(" + b"N" * 200 + b"tR"
    with pytest.raises(DetectError, match="200 arguments"):
        TorchFile(put_together(tmp_path / "m.pth", pickle))


def test_large_storage_shared_by_many_small_weights(tmp_path: Path) -> None:
    content = bytes(4 << 20)
    weights = {f"w{n}": tensor("0", [1], count=1 << 20) for n in range(100)}
    (tmp_path / "m.pth").write_bytes(zipped(table(weights), {"0": content}))
    with pytest.raises(DetectError, match="many times the bytes"):
        TorchFile(tmp_path / "m.pth")
