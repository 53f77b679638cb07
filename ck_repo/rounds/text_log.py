"""LoadGen's logs before v1.0: a summary and a detail log in plain text, read with the keys of later logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.contract.logs import DETAIL, SUMMARY, Detail, lines_of
from ck_repo.rounds.logs import MARKED, read_utf8
from ck_repo.store.fields import Fields
from ck_repo.store.plain_file import UnreadableError

_SUMMARY_LINE = re.compile(r"([\w\s.()/]+):\s*([\w+.][\w+.\s]*)")
_VALID = re.compile(r"Result\s+is\s*:\s+VALID")
_DETAIL_LINE = re.compile(r'"pid": \d+, "tid": \d+, "ts": \d+ns : (?:([^:"]+):\s*(.*)|.*)$')
_SET = re.compile(r'"set" : "\[([\d, ]*)\]"')
_INDEX = re.compile(r"\d{1,18}")
_WHOLE = re.compile(r"\d+")
_WORDS = {
    "true": True,
    "false": False,
    "Performance": "PerformanceOnly",
    "Accuracy": "AccuracyOnly",
    "Submission": "SubmissionRun",
}


@dataclass(frozen=True)
class TextLog:
    """The names in a round's text logs.

    Attributes
    ----------
    summary, detail
        Keys of later logs by the beginning of a line in either file.
    ignored_errors
        Parts of lines with ``ERROR`` that the round's checker ignores.
    needs
        Keys that must be numbers in a performance run.
    """

    summary: Mapping[str, str] = field(default_factory=dict)
    detail: Mapping[str, str] = field(default_factory=dict)
    ignored_errors: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def read_names(row: Fields) -> TextLog:
    """Read the names from a round's data file."""
    return TextLog(
        {key: str(value) for key, value in row.table("summary").items()},
        {key: str(value) for key, value in row.table("detail").items()},
        row.texts("ignored_errors"),
        row.texts("needs"),
    )


def read_text_run(folder: Path, names: TextLog, inside: Path | None = None, *, figures: bool = True) -> Detail:
    """The figures of a run: from the summary, where the last of equal lines counts; its errors are in the detail log.

    Parameters
    ----------
    figures
        Whether to read the summary; without it the values are those of the detail log.

    Raises
    ------
    UnreadableError
        If the detail log is not a regular file of the tree.
    """
    found = Detail(file=SUMMARY if figures else DETAIL)
    _read_detail(found, folder / DETAIL, names, inside)
    if not figures:
        return found
    try:
        text, flaw = read_utf8(folder / SUMMARY, inside)
    except (UnreadableError, OSError):
        return found
    if flaw and flaw != MARKED:
        found.broken.append((0, flaw))
    for number, line in enumerate(lines_of(text), 1):
        if _VALID.match(line):
            found.values["result_validity"], found.lines["result_validity"] = "VALID", number
            continue
        match = _SUMMARY_LINE.match(line)
        key = names.summary.get(match[1].strip()) if match else None
        if match and key and not (key == "result_validity" and key in found.values):
            found.values[key], found.lines[key] = _value(key, match[2].strip()), number
    return found


def _read_detail(found: Detail, path: Path, names: TextLog, inside: Path | None) -> None:
    text, flaw = read_utf8(path, inside)
    if flaw and flaw != MARKED:
        found.broken.append((0, flaw))
    for number, line in enumerate(lines_of(text), 1):
        if "ERROR" in line and not any(part in line for part in names.ignored_errors):
            found.errors.append((number, line[:200]))
        match = _DETAIL_LINE.match(line)
        if match and match[1] and (key := names.detail.get(match[1].rstrip())) and key not in found.values:
            found.values[key] = _value(key, match[2].strip())


def _value(key: str, text: str) -> Any:
    if key == "loaded_qsl_set":
        match = _SET.search(text)
        return [int(each) for each in _INDEX.findall(match[1])] if match else []
    if key == "effective_scenario":
        return text.replace(" ", "")
    if _WHOLE.fullmatch(text):
        return int(text) if len(text) < 40 else text
    return _WORDS.get(text, text)
