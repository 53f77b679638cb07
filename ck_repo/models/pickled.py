"""Read a pickle without running it.

A pickle is a program for a small machine that may call anything. This module implements that machine safely: it only supports
the instructions of model files, and names stay names. Nothing is imported, no object of a class is created, and nothing that
the file names is called. Anything except containers, tensors and inert objects is refused.

Source of the instructions: pickletools in Python's library.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ck_repo.errors import CKError

# modules whose names may be called; the results are inert objects
_HARMLESS = ("torch", "numpy", "collections", "copyreg", "copy_reg", "_codecs")
_BUILTINS = ("builtins", "__builtin__")
_MAX_COPIED = 10_000  # maximum number of values; a network has some hundred weights
_MAX_STEPS = 3_000_000  # maximum number of instructions; each weight needs about thirty
_MAX_BYTES = 256 << 20  # maximum total of names and numbers
_LONGEST_LINE = 4096  # maximum bytes of a name
_MAX_ARGUMENTS = 100  # maximum arguments of a call
_LARGEST_KEY = 1 << 60  # larger numbers can have the same hashes as small ones
_CONTAINERS = {
    ("collections", "OrderedDict"): dict,
    **{(module, name): list for module in _BUILTINS for name in ("set", "frozenset", "list")},
    **{(module, "dict"): dict for module in _BUILTINS},
}
# names that no model needs, not even as a class
_HOSTILE = frozenset({
    "builtins", "__builtin__", "os", "posix", "nt", "sys", "subprocess", "importlib", "runpy", "shutil", "socket", "ctypes",
    "pty", "code", "codeop", "webbrowser", "operator", "functools", "types", "commands", "multiprocessing", "threading",
    "asyncio", "signal", "pickle", "marshal", "tempfile", "pathlib", "io", "urllib", "http",
})  # fmt: skip


class PickleError(CKError):
    """A pickle is damaged, or has content that no file of weights has."""

    code = 9


@dataclass(frozen=True)
class Name:
    """A name in the pickle. It is not resolved."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass
class Inert:
    """An object whose class is only a name, with its state."""

    kind: Name
    arguments: Sequence[Any] = ()
    state: Any = None


@dataclass
class _Stack:
    rows: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)

    def since_mark(self) -> list[Any]:
        mark = self.marks.pop()
        found = self.rows[mark:]
        del self.rows[mark:]
        return found


class Reader:
    """Executes the instructions of one pickle.

    Parameters
    ----------
    data
        The buffer.
    at
        Its start; `end` is its end after reading.
    load
        Converts a persistent id, a tuple of plain values, to an object.
    rebuild
        Functions by module and name that are executed here: they create an object from the name and arguments.
    """

    def __init__(
        self,
        data: Any,
        at: int = 0,
        load: Callable[[Any], Any] | None = None,
        rebuild: Mapping[tuple[str, str], Callable[..., Any]] | None = None,
    ) -> None:
        self._data, self._at = data, at
        self._load, self._rebuild = load, rebuild or {}
        self._stack = _Stack()
        self._memo: dict[int, Any] = {}
        self._left = _MAX_BYTES

    @property
    def end(self) -> int:
        """The end of the pickle."""
        return self._at

    def read(self) -> Any:
        """The object in the pickle.

        Raises
        ------
        PickleError
            If it is truncated, damaged, or has unsupported content.
        """
        try:
            for _ in range(_MAX_STEPS):
                code = self._take(1)
                if code == b".":
                    return self._stack.rows.pop()
                instruction = _INSTRUCTIONS.get(code)
                if instruction is None:
                    raise PickleError(f"the instruction {code!r} at byte {self._at - 1} does not occur in files of weights")
                instruction(self)
            raise PickleError(f"it has more than {_MAX_STEPS} instructions")
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError, struct.error, RecursionError) as error:
            raise PickleError(f"it is damaged at byte {self._at} ({type(error).__name__})") from None

    def _take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            left = len(self._data) - self._at
            raise PickleError(f"it is truncated: {count} bytes are expected at byte {self._at}, and {left} are available")
        self._left -= count
        if self._left < 0:
            raise PickleError(f"it has more than {_MAX_BYTES} bytes of names and numbers")
        found = bytes(self._data[self._at : self._at + count])
        self._at += count
        return found

    def _skip(self, count: int) -> None:
        self._take(count)

    def _drop(self) -> None:
        self._pop()

    def _line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + _LONGEST_LINE)
        if end < 0:
            raise PickleError("it is truncated within a name")
        return self._take(end - self._at + 1)[:-1].decode("utf-8", "replace")

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _push(self, value: Any) -> None:
        self._stack.rows.append(value)

    def _pop(self) -> Any:
        return self._stack.rows.pop()

    def _name(self, module: str, name: str) -> Name:
        known = (module, name) in _CONTAINERS
        if module.partition(".")[0] in _HOSTILE and not known:
            raise PickleError(
                f"it names {module}.{name}, which files of weights do not need; nothing of it was run",
                hint="do not use this file; download the model from its publisher",
            )
        return Name(module, name)

    def _call(self, target: Any, arguments: Any) -> Any:
        """The inert result of a call."""
        if not isinstance(target, Name):
            raise PickleError(f"it calls something that is not a name ({type(target).__name__})")
        key = (target.module, target.name)
        if key in self._rebuild:
            if len(arguments) > _MAX_ARGUMENTS:
                raise PickleError(f"it calls {target} with {len(arguments)} arguments")
            return self._rebuild[key](*arguments)
        if key in _CONTAINERS:
            return _contained(_CONTAINERS[key], arguments)
        if target.module.partition(".")[0] not in _HARMLESS:
            raise PickleError(
                f"it calls {target}, which is not a tensor or a plain container; nothing of it was run",
                hint="do not use this file; download the model from its publisher",
            )
        return Inert(target, arguments)

    def _build(self) -> None:
        state = self._pop()
        target = self._stack.rows[-1]
        if isinstance(target, Inert):
            target.state = state
        elif isinstance(target, dict) and isinstance(state, dict):  # an OrderedDict with attributes, which are not weights
            pass
        else:
            raise PickleError(f"it sets the state of {type(target).__name__}")

    def _set_items(self, rows: list[Any]) -> None:
        target = self._stack.rows[-1]
        if isinstance(target, Inert):  # a subclass of dict
            return
        for key, value in zip(rows[::2], rows[1::2], strict=True):
            if _is_key(key):
                target[key] = value

    def _append(self, rows: list[Any]) -> None:
        target = self._stack.rows[-1]
        if isinstance(target, list):
            target.extend(rows)
        elif not isinstance(target, Inert):
            raise PickleError(f"it appends to {type(target).__name__}")

    def _tuple(self, count: int) -> None:
        rows = self._stack.rows[len(self._stack.rows) - count :]
        if len(rows) < count:
            raise PickleError("the items of a tuple are missing")
        del self._stack.rows[len(self._stack.rows) - count :]
        self._push(tuple(rows))

    def _persistent(self) -> None:
        if self._load is None:
            raise PickleError("it has a reference to something outside itself")
        self._push(self._load(self._pop()))

    def _new(self) -> None:
        arguments, kind = self._pop(), self._pop()
        if not isinstance(kind, Name) or not isinstance(arguments, tuple):
            raise PickleError(f"it creates an object of {type(kind).__name__}")
        container = _CONTAINERS.get((kind.module, kind.name))
        self._push(_contained(container, arguments) if container else Inert(kind, arguments))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("it has a name that is not text")
        self._push(self._name(module, name))

    def _reduce(self) -> None:
        arguments, target = self._pop(), self._pop()
        if not isinstance(arguments, tuple):
            called = str(target) if isinstance(target, Name) else type(target).__name__
            raise PickleError(f"it calls {called} with {type(arguments).__name__}")
        self._push(self._call(target, arguments))


def _contained(kind: type, arguments: Any) -> Any:
    """A plain container instead of a named one.

    A list is used without copying, and the items of a dictionary are counted: otherwise a short pickle could request a thousand
    copies of a long list.
    """
    rows = arguments[0] if arguments else []
    if not isinstance(rows, list | tuple | dict):
        raise PickleError(f"it creates a container of {type(rows).__name__}")
    if kind is list and isinstance(rows, list):
        return rows
    if len(rows) > _MAX_COPIED:
        raise PickleError(f"it copies {len(rows)} values into a container")
    if kind is list:
        return list(rows)
    pairs = rows.items() if isinstance(rows, dict) else rows
    return {key: value for key, value in pairs if _is_key(key)}


def _is_key(key: Any) -> bool:
    """Whether a value may be a key: other types name no weights, and could make hashing or lookups extremely slow."""
    return isinstance(key, str | None) or (isinstance(key, int) and abs(key) < _LARGEST_KEY)


def _text(reader: Reader, size: int) -> None:
    reader._push(reader._take(reader._number(size)).decode("utf-8", "surrogatepass"))


def _bytes(reader: Reader, size: int) -> None:
    reader._push(reader._take(reader._number(size)))


def _long(reader: Reader, size: int) -> None:
    reader._push(int.from_bytes(reader._take(reader._number(size)), "little", signed=True))


def _global(reader: Reader) -> None:
    module = reader._line()
    reader._push(reader._name(module, reader._line()))


def _mark(reader: Reader) -> None:
    reader._stack.marks.append(len(reader._stack.rows))


def _from_mark(reader: Reader) -> list[Any]:
    return reader._stack.since_mark()


def _memoize(reader: Reader) -> None:
    reader._memo[len(reader._memo)] = reader._stack.rows[-1]


def _put(reader: Reader, size: int) -> None:
    reader._memo[reader._number(size)] = reader._stack.rows[-1]


_INSTRUCTIONS: dict[bytes, Callable[[Reader], None]] = {
    b"\x80": lambda r: _check_protocol(r._number(1)),
    b"\x95": lambda r: r._skip(8),  # the length of a frame, which is not needed
    b"(": _mark,
    b"N": lambda r: r._push(None),
    b"\x88": lambda r: r._push(True),
    b"\x89": lambda r: r._push(False),
    b"K": lambda r: r._push(r._number(1)),
    b"M": lambda r: r._push(r._number(2)),
    b"J": lambda r: r._push(struct.unpack("<i", r._take(4))[0]),
    b"G": lambda r: r._push(struct.unpack(">d", r._take(8))[0]),
    b"\x8a": lambda r: _long(r, 1),
    b"X": lambda r: _text(r, 4),
    b"\x8c": lambda r: _text(r, 1),
    b"U": lambda r: _text(r, 1),
    b"T": lambda r: _text(r, 4),
    b"C": lambda r: _bytes(r, 1),
    b"B": lambda r: _bytes(r, 4),
    b"}": lambda r: r._push({}),
    b"]": lambda r: r._push([]),
    b")": lambda r: r._push(()),
    b"\x8f": lambda r: r._push([]),  # a set
    b"t": lambda r: r._push(tuple(_from_mark(r))),
    b"\x85": lambda r: r._tuple(1),
    b"\x86": lambda r: r._tuple(2),
    b"\x87": lambda r: r._tuple(3),
    b"a": lambda r: r._append([r._pop()]),
    b"e": lambda r: r._append(_from_mark(r)),
    b"\x90": lambda r: r._append(_from_mark(r)),
    b"s": lambda r: r._set_items([r._stack.rows.pop(-2), r._stack.rows.pop()]),
    b"u": lambda r: r._set_items(_from_mark(r)),
    b"q": lambda r: _put(r, 1),
    b"r": lambda r: _put(r, 4),
    b"\x94": _memoize,
    b"h": lambda r: r._push(r._memo[r._number(1)]),
    b"j": lambda r: r._push(r._memo[r._number(4)]),
    b"c": _global,
    b"\x93": lambda r: r._stack_global(),
    b"R": lambda r: r._reduce(),
    b"\x81": lambda r: r._new(),
    b"b": lambda r: r._build(),
    b"Q": lambda r: r._persistent(),
    b"0": lambda r: r._drop(),
}


def _check_protocol(number: int) -> None:
    if number not in (2, 3, 4, 5):
        raise PickleError(f"its protocol {number} is not supported")
