"""Pickles are read without running them: names and calls have no effect."""

from __future__ import annotations

import builtins
import os
import pickle
import subprocess
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_pickles import PROTOCOL, call, name, number, row, table, text

from ck_repo.models.pickled import Inert, Name, PickleError, Reader

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=12,
)


class Runs:
    """Unpickling this with Python calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


@given(PLAIN, st.sampled_from([2, 3, 4]))
def test_plain_values_match_python(value: Any, protocol: int) -> None:
    if protocol > 2 or not _has_bytes(value):  # protocol 2 writes bytes as a call
        assert Reader(pickle.dumps(value, protocol)).read() == value


def _has_bytes(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return isinstance(value, bytes) or any(_has_bytes(each) for each in inner)


def test_ordered_dictionaries_and_sets_become_plain() -> None:
    assert Reader(pickle.dumps(OrderedDict(a=1), 2)).read() == {"a": 1}
    assert Reader(pickle.dumps({"a": {1}}, 2)).read() == {"a": [1]}
    assert Reader(pickle.dumps({"a": {1}}, 4)).read() == {"a": [1]}


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch {mark}",)),
        (subprocess.check_output, (["touch", "{mark}"],)),
        (builtins.eval, ("open('{mark}', 'w')",)),
        (builtins.exec, ("open('{mark}', 'w')",)),
        (builtins.open, ("{mark}", "w")),
        (builtins.__import__, ("os",)),
        (builtins.getattr, (Name, "read")),
        (Path, ("{mark}",)),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("nested", [False, True])
def test_executable_pickle_is_rejected_by_name(
    tmp_path: Path, function: Any, arguments: tuple[Any, ...], protocol: int, nested: bool
) -> None:
    mark = tmp_path / "mark"

    def fill(part: Any) -> Any:
        if isinstance(part, list):
            return [fill(each) for each in part]
        return part.format(mark=mark) if isinstance(part, str) else part

    filled = [fill(part) for part in arguments]
    malicious: Any = Runs(function, *filled)
    if nested:
        malicious = Runs(OrderedDict, [("weight", malicious)])
    with pytest.raises(PickleError, match="nothing of it was run") as caught:
        Reader(pickle.dumps({"state": malicious}, protocol)).read()
    assert "do not use this file" in caught.value.hint
    assert not mark.exists()


def test_nested_call_is_rejected() -> None:
    """A harmless name could give access to a harmful one."""
    inner = call(name("torch.hub", "load"), text("x"))
    with pytest.raises(PickleError, match="calls something that is not a name"):
        Reader(PROTOCOL + call(inner, text("y")) + b".").read()


def test_unknown_functions_are_rejected_and_classes_are_inert() -> None:
    with pytest.raises(PickleError, match=r"calls somebody\.elses\.run"):
        Reader(PROTOCOL + call(name("somebody.elses", "run")) + b".").read()
    found = Reader(PROTOCOL + name("somebody.elses", "Net") + b")\x81" + table({"size": number(3)}) + b"b.").read()
    assert found == Inert(Name("somebody.elses", "Net"), (), {"size": 3})


@pytest.mark.parametrize(
    "body",
    [
        b"B" + b"\xff\xff\xff\x7f" + b"x",  # claims 2 GB of bytes
        b"X\xff\xff\xff\x7f",
        b"T\xff\xff\xff\x7f",
        b"\x95" + b"\xff" * 8,  # a frame of 16 EB, without content
        b"\x96" + b"\xff" * 8,  # a bytearray
        b"\x8b\xff\xff\xff\x7f",  # an integer of 2 GB
    ],
)
def test_huge_declared_size_allocates_nothing(body: bytes) -> None:
    with pytest.raises(PickleError):
        Reader(PROTOCOL + body).read()


def test_huge_memo_index_allocates_nothing() -> None:
    assert Reader(PROTOCOL + b"N" + b"r\xff\xff\xff\xff" + b".").read() is None


def test_keys_with_slow_hashes_are_skipped() -> None:
    """The hash of a tuple of two references to itself, nested sixty times, takes 2^60 steps."""
    body = b")"
    for step in range(60):
        body += b"q" + bytes([step]) + b"h" + bytes([step]) + b"\x86"
    assert Reader(PROTOCOL + b"}" + body + number(1) + b"s.").read() == {}


@given(st.binary(max_size=200))
def test_random_bytes_are_always_an_error(noise: bytes) -> None:
    with suppress(PickleError):
        Reader(PROTOCOL + noise).read()


@given(st.integers(0, 200))
def test_every_truncated_pickle_is_an_error(cut: int) -> None:
    whole = pickle.dumps({"a": [1, 2.5, "text", (None, True)]}, 2)
    with pytest.raises(PickleError):
        Reader(whole[: min(cut, len(whole) - 1)]).read()


def test_persistent_id_needs_a_reader() -> None:
    with pytest.raises(PickleError, match="outside itself"):
        Reader(PROTOCOL + row(text("storage")) + b"Q.").read()
