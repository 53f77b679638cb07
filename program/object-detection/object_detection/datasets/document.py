"""The text of an annotation file, whatever its encoding, and the parts of a JSON document one by one."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from object_detection.errors import HarnessError

_SPACE = re.compile(r"[ \t\n\r]*")
_LARGEST = 8 << 30  # bytes of an annotation file; COCO's largest has 0.5 GB
_AT_ONCE = 1024  # elements between two calls of `progress`
_FALLBACK = "cp1252"  # what Windows programs write in western Europe and America


def read_text(file: Path) -> tuple[str, str]:
    """The text of a file, and a remark about its encoding; the remark is empty for UTF-8.

    UTF-8, UTF-16 and UTF-32 are recognized with or without a byte order mark. Text that is none of them is read as
    Windows-1252.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise HarnessError(f"{file} has more than {_LARGEST >> 30} GiB", "split the data set")
        content = file.read_bytes()
    except FileNotFoundError:
        raise HarnessError(f"{file} does not exist", "name the annotations with --annotations=") from None
    except OSError as error:
        raise HarnessError(f"{file} cannot be read: {error.strerror}", "check its permissions") from None
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode(_FALLBACK, "replace"), f"{file.name} is not UTF-8; it is read as Windows-1252"
    return text, "" if encoding.startswith("utf-8") else f"{file.name} is encoded as {encoding}"


def read_lists(
    file: Path, text: str, handlers: Mapping[str, Callable[[Any], None]], progress: Callable[[int], None]
) -> set[str]:
    """Pass the elements of some top-level lists of a JSON object to their handlers, one at a time.

    The document is never in memory as a whole: annotations with polygons take several times the size of their text.

    Parameters
    ----------
    handlers
        What takes the elements of the list, by key. Values of other keys are skipped.
    progress
        Is called with the position in the text.

    Returns
    -------
    set
        The keys of `handlers` whose value is a list.
    """
    decode = json.JSONDecoder().raw_decode
    found: set[str] = set()

    def space(position: int) -> int:
        return _SPACE.match(text, position).end()  # type: ignore[union-attr]  # it also matches nothing

    def elements(position: int, take: Callable[[Any], None]) -> int:
        position = space(position + 1)
        if text[position] == "]":
            return position + 1
        for number in itertools.count():
            value, position = decode(text, position)
            take(value)
            if not number % _AT_ONCE:
                progress(position)
            position = space(position)
            if text[position] == "]":
                return position + 1
            if text[position] != ",":
                raise json.JSONDecodeError("expected , or ]", text, position)
            position = space(position + 1)
        raise AssertionError  # the loop has no end

    try:
        at = space(0)
        if text[at] != "{":
            decode(text, at)
            raise HarnessError(
                f"{file} is not a COCO annotation file: it has no list of images",
                "a JSON list is COCO's format of results, not of annotations" if text[at] == "[" else "",
            )
        at = space(at + 1)
        while text[at] != "}":
            key, at = decode(text, at)
            at = space(at)
            if text[at] != ":" or not isinstance(key, str):
                raise json.JSONDecodeError("expected a key and :", text, at)
            at = space(at + 1)
            if key in handlers and text[at] == "[":
                if key in found:
                    raise HarnessError(f"{file} has two lists of {key}", "merge them")
                found.add(key)
                at = elements(at, handlers[key])
            else:
                _, at = decode(text, at)
            at = space(at)
            if text[at] == ",":
                at = space(at + 1)
            elif text[at] != "}":
                raise json.JSONDecodeError("expected , or }", text, at)
    except IndexError:
        raise HarnessError(f"{file} is not readable as JSON: it ends in the middle", "copy it again") from None
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{file} is not readable as JSON: {error}", "copy it again") from None
    return found
