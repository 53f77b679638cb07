"""Read annotation files in any encoding, and JSON documents piece by piece."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from object_detection.datasets.content import ENOUGH, sign_of
from object_detection.datasets.others import format_of
from object_detection.errors import HarnessError

_SPACE = re.compile(r"[ \t\n\r]*")
_LARGEST = 8 << 30  # maximum bytes of an annotation file; COCO's largest has 0.5 GB
_AT_ONCE = 1024  # elements between two calls of `progress`
_GZIP = b"\x1f\x8b"
_FALLBACK = "cp1252"  # what Windows programs write in western Europe and America


def read_text(file: Path) -> tuple[str, str]:
    """The text of a file, and a remark about its encoding; the remark is empty for UTF-8.

    UTF-8, UTF-16 and UTF-32 are recognized with or without a byte order mark. Text that is none of them is read as
    Windows-1252. A file that is compressed with gzip is unpacked in memory.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise HarnessError(f"{file} has more than {_LARGEST >> 30} GiB", "split the data set")
        content = file.read_bytes()
    except FileNotFoundError:
        raise HarnessError(f"{file} does not exist", "give the annotations with --annotations=") from None
    except OSError as error:
        raise HarnessError(f"{file} cannot be read: {error.strerror}", "check its permissions") from None
    if content.startswith(_GZIP):
        content = _unpacked(file)
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode(_FALLBACK, "replace"), f"{file.name} is not UTF-8; it is read as Windows-1252"
    return text, "" if encoding.startswith("utf-8") else f"{file.name} is encoded as {encoding}"


def _unpacked(file: Path) -> bytes:
    """The content of a file that is compressed with gzip."""
    try:
        with gzip.open(file) as packed:
            content = packed.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise HarnessError(f"{file} is compressed with gzip, and damaged: {error}", "copy it again") from None
    if len(content) > _LARGEST:
        raise HarnessError(f"{file} has more than {_LARGEST >> 30} GiB when it is unpacked", "split the data set")
    return content


def read_lists(
    file: Path, text: str, handlers: Mapping[str, Callable[[Any], None]], progress: Callable[[int], None]
) -> set[str]:
    """Pass the elements of some top-level lists of a JSON object to their handlers, one at a time.

    The parsed document is never completely in memory: annotations with polygons need several times the size of their text.

    Parameters
    ----------
    handlers
        Handlers for the elements of lists, by key. Other keys are skipped.
    progress
        Called with the position in the text.

    Returns
    -------
    set
        The keys of `handlers` whose value is a list.

    Raises
    ------
    HarnessError
        If the text is not JSON; the message has the line and column.
    """
    try:
        return _Lists(file, text, handlers, progress).read()
    except IndexError:
        raise _unreadable(file, text, "it ends in the middle", "copy it again") from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, text, str(error), "correct it there, or export the annotations again") from None


def _unreadable(file: Path, text: str, why: str, hint: str) -> HarnessError:
    what, todo = sign_of(text[:ENOUGH].encode(_FALLBACK, "replace"))
    if what:
        return HarnessError(f"{file} is not a COCO annotation file: it is {what}", todo)
    return HarnessError(f"{file} is not readable as JSON: {why}", hint)


class _Lists:
    """Reads the text of a JSON object. Past the end of the text it raises IndexError."""

    def __init__(
        self, file: Path, text: str, handlers: Mapping[str, Callable[[Any], None]], progress: Callable[[int], None]
    ) -> None:
        self._file, self._text, self._handlers, self._progress = file, text, handlers, progress
        self._decode = json.JSONDecoder().raw_decode

    def read(self) -> set[str]:
        """Read the object; return the keys of the lists whose elements were passed on."""
        text, found = self._text, set[str]()
        at = self._space(0)
        if text[at] != "{":
            self._refuse_other_document(at)
        at = self._space(at + 1)
        while text[at] != "}":
            key, at = self._key(at)
            if key in self._handlers and text[at] == "[":
                if key in found:
                    raise HarnessError(f"{self._file} has two lists of {key}", "merge them")
                found.add(key)
                at = self._elements(at, self._handlers[key])
            else:
                _, at = self._decode(text, at)
            at = self._space(at)
            if text[at] == ",":
                at = self._space(at + 1)
            elif text[at] != "}":
                raise json.JSONDecodeError("expected , or }", text, at)
        end = self._space(at + 1)
        if text[end:].strip("\0 \t\n\r"):  # some programs pad files with zeros
            raise HarnessError(
                f"{self._file} has more data after its JSON object, at character {end}",
                "a COCO annotation file is one object: files cannot be joined end to end, and JSON lines are not read",
            )
        if not found:
            self._refuse_other_document(self._space(0))
        return found

    def _key(self, at: int) -> tuple[str, int]:
        """A key, and the position of its value."""
        key, at = self._decode(self._text, at)
        at = self._space(at)
        if self._text[at] != ":" or not isinstance(key, str):
            raise json.JSONDecodeError("expected a key and :", self._text, at)
        return key, self._space(at + 1)

    def _elements(self, at: int, take: Callable[[Any], None]) -> int:
        """Pass on the elements of the list at a position; return the position after it."""
        text, decode, space = self._text, self._decode, self._space  # optimised for a million elements
        at = space(at + 1)
        if text[at] == "]":
            return at + 1
        for number in itertools.count():
            value, at = decode(text, at)
            take(value)
            if not number % _AT_ONCE:
                self._progress(at)
            if text[at] != ",":
                at = space(at)
                if text[at] == "]":
                    return at + 1
                if text[at] != ",":
                    raise json.JSONDecodeError("expected , or ]", text, at)
            at = space(at + 1)
        raise AssertionError  # the loop does not end by itself

    def _space(self, at: int) -> int:
        """The position after white space."""
        return _SPACE.match(self._text, at).end()  # type: ignore[union-attr]  # it also matches nothing

    def _refuse_other_document(self, at: int) -> NoReturn:
        document, _ = self._decode(self._text, at)  # text that is not JSON is another error
        known = format_of(document)
        raise HarnessError(
            f"{self._file} is not a COCO annotation file: it " + (f"looks like {known}" if known else "has no list of images"),
            "export the annotations in COCO's format" if known else "",
        )
