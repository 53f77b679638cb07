"""LoadGen's logs of a run: mlperf_log_detail.txt, mlperf_log_summary.txt and mlperf_log_trace.json, parsed from their content.

The text logs of rounds before v1.0 are parsed by `ck_repo.rounds.text_log`, which only the engine needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

DETAIL, SUMMARY, TRACE = "mlperf_log_detail.txt", "mlperf_log_summary.txt", "mlperf_log_trace.json"
_MARK = ":::MLLOG"
_CUT = "a line that cannot be read: truncated, or edited"
# nearly all events, which have no error, have this form; matching it takes a third of the time of a JSON parser
_EVENT = re.compile(
    r':::MLLOG \{"key": "([^"\\\x00-\x1f]+)", '
    r'"value": ("[^"\\\x00-\x1f]*"|-?(?:0|[1-9]\d{0,39})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?|true|false), '
    r'"time_ms": \d{1,20}\.\d{1,20}, "namespace": "mlperf::logging", "event_type": "POINT_IN_TIME", '
    r'"metadata": \{"is_error": false, "is_warning": (?:true|false), "file": "[^"\\\x00-\x1f]*", '
    r'"line_no": \d{1,9}, "pid": \d{1,9}, "tid": \d{1,9}\}\}\s*',
    re.ASCII,
)
_FRACTION = re.compile("[.eE]")
_DECODE = json.JSONDecoder().raw_decode
_USUAL = 1000  # characters of an event
_TRACED = re.compile(
    rb'"name":"Sample".{0,200}?"ph": ?"b".{0,200}?"ts":(-?\d{1,15}(?:\.\d{1,9})?),"args":\{"sample_seq":(\d{1,18}),'
    rb'"query_seq":(\d{1,18}),"sample_idx":(\d{1,18}),"issue_start_ns":(-?\d{1,18}),"complete_ns":(-?\d{1,18})(?=[,}\s])'
)
_SUMMARY_LINE = re.compile(r"([^:]+):\s*(.+)$")


@dataclass
class Detail:
    """The figures and settings of a run: of mlperf_log_detail.txt, or of a text log under the same keys.

    Attributes
    ----------
    values
        By key; the first of equal keys counts, and of a text log the last.
    lines
        Number of the line that a key's value is from, from 1.
    errors
        (line, message) of each event that LoadGen marks as an error.
    no_value
        Keys whose event has no value.
    broken
        (line, reason) of what cannot be read: the log was truncated, or edited; line 0 for the complete file.
    file
        Name of the file that the values are from.
    """

    values: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
    no_value: set[str] = field(default_factory=set)
    broken: list[tuple[int, str]] = field(default_factory=list)
    file: str = DETAIL

    @property
    def cut(self) -> bool:
        """Whether a line cannot be read, so that values may be missing or wrong."""
        return any(why == _CUT for _, why in self.broken)

    def number(self, key: str) -> float | None:
        """A value as a number; None if it is missing or not a number."""
        value = self.values.get(key)
        try:
            return float(value) if isinstance(value, int | float | str) else None
        except (ValueError, OverflowError):
            return None

    def latency_key(self, percentile: float) -> str:
        """The key of a percentile, 0–1, of a query's latency: MultiStream has a name of its own."""
        names = [f"result_{100 * percentile:.2f}_percentile_{query}latency_ns" for query in ("per_query_", "")]
        return next((name for name in names if name in self.values), names[-1])

    def asked(self) -> dict[str, object]:
        """The settings that were in effect, by their names in TestSettings."""
        return {key.removeprefix("effective_"): row for key, row in self.values.items() if key.startswith("effective_")}


def lines_of(text: str) -> list[str]:
    """The lines of a text; only line feeds and carriage returns end one."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def parse_detail(text: str, parse: Callable[[str], Any] = json.loads) -> Detail:
    """Read the ``:::MLLOG`` events of a detail log; other lines are skipped, as some systems print between events.

    Parameters
    ----------
    text
        The content of mlperf_log_detail.txt.
    parse
        The JSON parser for events that are long or have escapes. It raises ValueError or RecursionError.
    """
    found = Detail()
    for number, line in enumerate(lines_of(text), 1):
        if not line.startswith(_MARK):
            continue
        if match := _EVENT.fullmatch(line):
            if match[1] not in found.values:
                found.values[match[1]], found.lines[match[1]] = _value(match[2]), number
            continue
        try:
            row = _event(line, parse)
            key = row["key"]
            hash(key)
        except (ValueError, KeyError, TypeError, RecursionError):
            found.broken.append((number, _CUT))
            continue
        about = row.get("metadata")
        if not isinstance(about, dict) or "is_error" not in about:
            found.broken.append((number, f"an event without metadata.is_error: {key}"))
        elif about["is_error"]:
            found.errors.append((number, str(row.get("value"))))
        if str(key) not in found.values:
            found.values[str(key)], found.lines[str(key)] = row.get("value"), number
            if "value" not in row:
                found.no_value.add(str(key))
    return found


def _value(text: str) -> Any:
    """The value of an event that is a text without escapes, a number, true or false."""
    if text[0] == '"':
        return text[1:-1]
    if text[0] in "tf":
        return text == "true"
    return float(text) if _FRACTION.search(text) else int(text)


def _event(line: str, parse: Callable[[str], Any]) -> Any:
    """The event of a line; `parse` reads one that is long or has escapes."""
    if len(line) > _USUAL or "\\u" in line:
        return parse(line[len(_MARK) :])
    content = line[len(_MARK) :].lstrip(" \t").rstrip()  # the space that JSON allows, and that may end a line
    row, end = _DECODE(content)
    if end != len(content):
        raise ValueError("more than one value in a line")
    return row


def parse_summary(text: str) -> dict[str, str]:
    """The lines ``key : value`` of a summary; the first of equal keys counts."""
    values: dict[str, str] = {}
    for line in lines_of(text):
        if match := _SUMMARY_LINE.match(line.strip()):
            values.setdefault(match[1].rstrip(), match[2].strip())
    return values


def parse_reasons(text: str) -> list[str]:
    """Why a run is not valid, from its summary: the constraints that are not met, and LoadGen's remarks, each as one line."""
    reasons: list[str] = []
    in_remark = False
    for line in lines_of(text):
        content = line.strip()
        if content.startswith("* "):
            reasons.append(content.removeprefix("* "))
            in_remark = True
        elif in_remark and line.startswith(" ") and content and " : " not in content:
            reasons[-1] += f" {content}"
        else:
            in_remark = False
            if content.endswith(": NO"):
                reasons.append(content)
    return reasons


class TracedSample(NamedTuple):
    """The event of a sample in a trace.

    Attributes
    ----------
    number, query, sample
        Of the sample in the order of issue, of its query, and of the sample in the data set.
    due_us
        When its query was due, µs from the start of the test.
    issued_ns, completed_ns
        When it was issued and answered, ns after that.
    """

    number: int
    query: int
    sample: int
    due_us: float
    issued_ns: int
    completed_ns: int


def parse_trace(content: bytes) -> Iterator[TracedSample]:
    """The samples in the content of mlperf_log_trace.json, or in lines of it. The file is not valid JSON."""
    for match in _TRACED.finditer(content):
        due, number, query, sample, issued, completed = match.groups()
        yield TracedSample(int(number), int(query), int(sample), float(due), int(issued), int(completed))
