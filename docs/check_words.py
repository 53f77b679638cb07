"""Report wording that the project does not use: ``python docs/check_words.py``.

`CHECKED` lists the files and folders that are checked, `WORDS` the expressions and what to write instead. Code blocks and
`code` are not checked in Markdown. A line that needs such a word ends with ``<!-- words: ok -->`` or ``# words: ok``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKED = (
    "README.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "ck_repo", "program/object-detection/object_detection", "benchmarks",
)  # fmt: skip
SUFFIXES = (".md", ".py")
GENERATED = ("docs/commands.md",)  # its text is the code's
WORDS = {
    r"(is|are|was|be) told": "report, log",
    r"tells (which|whether|what)": "show",
    r"left out, and says? so": "skipped",
    r"mend(s|ed|ing)?": "fix",
    r"whole numbers?": "integer",
    r"the more so": "especially",
    r"other hands|another hand": "changed outside ck",
    r"as far as it tells": "as far as known",
    r"(is|are) no (shell|prompt)'s": "not run through a shell",
    r"counts? as hanging": "read timeout",
    r"goes on next time|go on next time": "resume",
    r"which everybody relies on": "protected",
    r"counts? to its digest": "is part of its digest",
    r"is at it": "locked by another process",
    r"that is none(?! of)": "invalid",
    r"least (duration|number|count|size)": "minimum",
    r"stand(s)? in the way": "prevent",
    r"led to it": "converted",
    r"what (was|is) whole": "complete",
    r"a word of (one's|its) own": "an option",
    r"beside (its|the) limit": "with its limit",
    r"held? against": "compare with",
    r"in the making": "unfinished",
    r"(made|makes?|clone \w+ \w+|start \w+ \w+) anew": "again",
    r"has vanished": "is missing",
    r"cut short": "truncated",
    r"exists already": "already exists",
    r"for a person": "as text, readable",
    r"somebody else('s)?": "another user",
    r"at hand": "available",
    r"tells? of": "report",
    r"half-made": "unfinished",
    r"goes by": "is named",
    r"stands for it": "is used for it",
}
_ANY = [(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), instead) for pattern, instead in WORDS.items()]
_ALLOWED = re.compile(r"(<!--|#) words: ok( -->)?$")
_CODE = re.compile(r"`[^`]*`")


def files() -> list[Path]:
    """The files that are checked."""
    found: list[Path] = []
    for name in CHECKED:
        path = ROOT / name
        found += sorted(path.rglob("*")) if path.is_dir() else [path]
    skipped = {ROOT / name for name in GENERATED} | {Path(__file__).resolve()}
    return [path for path in found if path.is_file() and path.suffix in SUFFIXES and path not in skipped]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are checked, with their numbers."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if path.suffix == ".md" and line.startswith("```"):
            fenced = not fenced
        elif not fenced and not _ALLOWED.search(line):
            yield number, _CODE.sub("", line) if path.suffix == ".md" else line


def findings(path: Path) -> Iterator[str]:
    """What to change in a file, one message each."""
    for number, line in lines(path):
        for pattern, instead in _ANY:
            for found in pattern.finditer(line):
                yield f"{path.relative_to(ROOT)}:{number}: {found.group()!r}: write {instead}"


if __name__ == "__main__":
    messages = [message for path in files() for message in findings(path)]
    print("\n".join(messages) or f"the wording of {len(files())} files is good")
    sys.exit(bool(messages))
