"""The description of a system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ck_repo.rounds.logs import read_utf8
from ck_repo.rounds.submission import SMALL
from ck_repo.rounds.submission_rules import SubmissionRules
from ck_repo.store.entry import parse_json
from ck_repo.store.plain_file import UnreadableError

Add = Callable[[str, Path, object, object, int], None]  # rule, file, expected, found, line
_COUNTS = ("number_of_nodes", "host_processors_per_node", "host_processor_core_count", "accelerators_per_node")


def check_system(rules: SubmissionRules, path: Path, root: Path, division: str, submitter: str, add: Add) -> dict[str, object]:
    """Check a system's JSON.

    Parameters
    ----------
    path
        The file.
    root
        The tree, which the file must not lead out of.
    division, submitter
        From the path in the tree: the content has to agree.
    add
        Called with rule, file, expected and actual value, and line of each finding.

    Returns
    -------
    dict
        The content; empty if it is unreadable.
    """
    try:
        text, why = read_utf8(path, root, SMALL)
    except UnreadableError as error:
        add("system", path, "the description of the system", error.why, 0)
        return {}
    if why:
        add("system", path, "UTF-8 without a byte order mark", why, 0)
    try:
        content = parse_json(text)
    except (ValueError, RecursionError) as error:
        add("system", path, "JSON", error, getattr(error, "lineno", 0))
        return {}
    if not isinstance(content, dict):
        add("system", path, "an object", type(content).__name__, 1)
        return {}

    def wrong(key: str, expected: object, seen: object, rule: str = "system") -> None:
        add(rule, path, f"{key}: {expected}", seen, line_of(text, key))

    for key in (*rules.system_required, *rules.system_keys):
        if key not in content:
            wrong(key, "a value", "no such key")
        elif key in rules.system_required and key not in _MAY_BE_EMPTY and _is_empty(content[key]):
            wrong(key, "a value", repr(content[key]), "system-value")
        elif str(content[key]).startswith("ADD:"):  # marker of `ck describe system`
            wrong(key, "a completed value", content[key], "system-draft")
    for key in rules.system_texts:
        if not (isinstance(content.get(key, ""), str) or (key == "sw_notes" and not content[key])):
            wrong(key, "a text", repr(content[key]))
    for key in _COUNTS:
        if key in content and not _is_count(content[key]):
            wrong(key, "a number", repr(content[key]), "system-value")
    _identity(rules, content, division, submitter, wrong)
    return content


def _identity(
    rules: SubmissionRules,
    content: Mapping[str, Any],
    division: str,
    submitter: str,
    wrong: Callable[[str, object, object], None],
) -> None:
    """Check the spelling of division and system type; status and submitter may have any case."""
    if "division" in content and content["division"] != division:
        wrong("division", division, content["division"])
    if "submitter" in content and str(content["submitter"]).lower() != submitter.lower():
        wrong("submitter", submitter, content["submitter"])
    status = str(content.get("status", "")).lower()
    if "status" in content and not status.startswith("add:") and status not in rules.system_status:
        wrong("status", " or ".join(rules.system_status), content["status"])
    if content.get("system_type") not in rules.system_types:
        wrong("system_type", " or ".join(rules.system_types), content.get("system_type", "no such key"))


# values for systems without an accelerator, and for missing information
_MAY_BE_EMPTY = frozenset(
    {"accelerator_model_name", "accelerator_memory_capacity", "host_storage_type", "host_storage_capacity"}
)


def _is_empty(value: object) -> bool:
    return not isinstance(value, str | int | float) or str(value).strip() == ""


def _is_count(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(str(value).split()[0]) >= 0
    except (ValueError, IndexError):
        return False


def system_type(content: Mapping[str, Any]) -> str:
    """``edge``, ``datacenter`` or ``datacenter,edge``, in any order and with any spaces."""
    words = sorted(word.strip().lower() for word in str(content.get("system_type", "")).split(","))
    return ",".join(word for word in words if word)


def line_of(text: str, key: str) -> int:
    """The line of a key in a JSON text; 0 if it is missing."""
    at = text.find(f'"{key}"')
    return 0 if at < 0 else text.count("\n", 0, at) + 1
