"""The names of categories: a file with one name in each line, or the `names` of a YOLO data.yaml."""

from __future__ import annotations

import re
from pathlib import Path

from object_detection.datasets.document import read_text
from object_detection.errors import HarnessError

_LONGEST = 1 << 20  # maximum characters of a data.yaml
_KEY = re.compile(r"(?P<key>[A-Za-z_][\w-]*)\s*:\s*(?P<value>.*)")
_ITEM = re.compile(r"(?:-\s*|(?P<number>\d+)\s*:\s*)(?P<value>.*)")
_INSIDE = re.compile(r"""\s*(?:(?P<number>\d+)\s*:\s*)?(?P<value>'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)""")


def read_names(file: Path) -> list[str]:
    """Names, one in each line; empty lines at the end are ignored."""
    names = [line.strip() for line in read_text(file)[0].splitlines()]
    while names and not names[-1]:
        names.pop()
    if not names or "" in names:
        raise HarnessError(f"{file} is not a list of names: it is empty, or has an empty line", "write one name in each line")
    return names


def read_yaml(file: Path) -> tuple[dict[str, str], list[str]]:
    """The strings at the top level of a data.yaml, and its list of names.

    Only the forms that YOLO's tools write are supported: ``key: value``, and ``names`` as a list or an object in either style.
    """
    texts: dict[str, str] = {}
    names: dict[int, str] = {}
    key = ""
    text = read_text(file)[0]
    if len(text) > _LONGEST:
        raise HarnessError(f"{file} has more than {_LONGEST} characters", "it is not a data.yaml")
    for line in _joined(text):
        content = line.strip()
        if not content or content.startswith(("#", "---")):
            continue
        if not line[0].isspace() and (found := _KEY.fullmatch(content)):
            key, value = found["key"], found["value"]
            if key == "names" and value[:1] in ("[", "{"):
                names = _inside(value)
            elif value:
                texts[key] = _plain(value)
        elif key == "names" and (found := _ITEM.fullmatch(content)):
            names[int(found["number"]) if found["number"] else len(names)] = _plain(found["value"])
        elif key and key not in texts and (found := _ITEM.fullmatch(content)):
            texts[key] = _plain(found["value"])  # the first of a list of folders
    if sorted(names) != list(range(len(names))):
        raise HarnessError(f"{file}: the numbers of names are not 0 to {len(names) - 1}", "give each class a name")
    return texts, [names[number] for number in range(len(names))]


def _joined(text: str) -> list[str]:
    """The lines; brackets that span several lines are joined."""
    rows: list[str] = []
    opened = ""
    for line in text.splitlines():
        line = re.sub(r"\s+#.*$", "", line)
        opened = f"{opened} {line.strip()}" if opened else line
        if opened.count("[") + opened.count("{") > opened.count("]") + opened.count("}"):
            continue
        rows.append(opened)
        opened = ""
    return [*rows, opened] if opened else rows


def _inside(value: str) -> dict[int, str]:
    """``[a, 'b']`` or ``{0: a, 1: b}``."""
    names: dict[int, str] = {}
    content = value.strip()[1:-1].strip().rstrip(",")
    at = 0
    while at < len(content) and (found := _INSIDE.match(content, at)):
        names[int(found["number"]) if found["number"] else len(names)] = _plain(found["value"])
        at = found.end()
    return names


def _plain(value: str) -> str:
    value = value.strip()
    quoted = len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]
    return value[1:-1].replace("''", "'") if quoted else value
