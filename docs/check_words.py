"""Report wording that the project does not use: ``python docs/check_words.py``.

`CHECKED` lists the files and folders that are checked, `WORDS` the expressions and what to write instead. Expressions are found
across line ends, too: in paragraphs of Markdown, and in docstrings, comments and adjacent strings of Python. Code blocks and
`code` are not checked in Markdown. A line that needs such a word ends with ``<!-- words: ok -->`` or ``# words: ok``.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKED = (
    "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs", "ck_repo",
    "program/object-detection/object_detection", "benchmarks", "tests", "module", "package", "soft", "env_templates",
    "noxfile.py",
)  # fmt: skip
SUFFIXES = (".md", ".py", ".h", ".json", ".yaml")
GENERATED = ("docs/commands.md",)  # its text is the code's
WORDS = {
    r"(is|are|was|be) told": "report, log",
    r"tells (which|whether|what)": "show",
    r"left out, and says? so": "skipped",
    r"(is|are|was|were|be|been|being) left out|leaves? out": "skip, exclude, omit",
    r"mend(s|ed|ing)?": "fix",
    r"whole numbers?": "integer",
    r"(is|are|was|were) whole": "is complete",
    r"the more so": "especially",
    r"other hands|another hand|touched by hand": "changed outside ck",
    r"as far as it tells": "as far as known",
    r"as far as (it|they|both)( \w+)? (go|goes)": "up to the end of the shorter one",
    r"(is|are) no (shell|prompt)'s": "not run through a shell",
    r"counts? as hanging": "read timeout",
    r"goes on|go on|going on|went on": "continue, resume",
    r"which everybody relies on": "protected",
    r"counts? to its digest": "is part of its digest",
    r"is at it": "locked by another process",
    r"that is none(?! of)": "invalid",
    r"least( query)? (duration|number|count|size)": "minimum",
    r"stand(s)? in the way": "prevent",
    r"led to it": "converted",
    r"what (was|is) whole": "complete",
    r"a word of (one's|its) own": "an option",
    r"beside (its|the) limit|stands? beside": "with its limit, next to",
    r"h(old|olds|eld|olding)( \S+){0,8}? against": "compare with",
    r"in the making": "unfinished",
    r"(made|makes?|clone \w+ \w+|start \w+ \w+) anew": "again",
    r"(is|are|was|were|be|been) made again": "is repeated",
    r"has vanished": "is missing",
    r"cut short": "truncated",
    r"exists already": "already exists",
    r"for a person": "as text, readable",
    r"somebody else('s)?|nobody else('s)?": "another user, no other",
    r"at hand": "available",
    r"tells? of": "report",
    r"half-made": "unfinished",
    r"goes by": "is named",
    r"stands for it": "is used for it",
    r"(bring|brings|brought)( \w+){0,2} back": "restore",
    r"(come|comes|came|taken|bring|brings|brought)( it| them)? home": "transfer",
    r"(is|are) warned of": "warn about",
    r"the time (is|was) over": "the time is up",
    r"otherwise than|(does?|did) (it )?otherwise|made otherwise": "differ, with other tools",
    r"is the place": "belongs in",
    r"bit by bit": "bitwise",
    r"(soon|easily) missed": "exceeds the bound",
    r"nothing (else )?(decides|is asked)": "does not prompt, no other property",
    r"you answer for": "you are responsible for",
    r"turned boxes|turns the image": "oriented boxes, rotate",
    r"(is|are|was|were) dealt": "distribute, assign",
    r"always so": "always the case",
    r"on (its|their) way": "during the transfer, in progress",
    r"too soon": "too early",
    r"(is|are|was|were) (both )?said": "print, report",
    r"(is|are|was|be) (not )?looked at": "check",
    r"under way": "in flight, in progress",
    r"takes? what|what waits": "takes the waiting samples",
    r"what to touch|rooms? (above|below)": "which files to edit, layer",
    r"hand(s|ed|ing)? (it|them|the \w+|\w+s) over": "pass to",
    r"puts? (\w+ ){0,3}together|put together": "combine, pack",
    r"come from elsewhere|comes from elsewhere|from elsewhere": "external",
    r"of equals": "among equals",
}
_ANY = [(re.compile(rf"\b(?:{pattern})\b".replace(" ", " +"), re.IGNORECASE), instead) for pattern, instead in WORDS.items()]
_ALLOWED = re.compile(r"(<!--|#|//) words: ok( -->)?$")
_CODE = re.compile(r"`[^`]*`")
_BLOCK = re.compile(r"#|\||[-*] |\d+\. |<!--")  # what begins a new block in Markdown
_OPENING = re.compile(r"#+ ?|//+ ?|[rf]{0,2}[\"']")  # what continues a comment or a string
_CLOSING = re.compile(r"[\"'],?$")


def files() -> list[Path]:
    """The files that are checked."""
    found: list[Path] = []
    for name in CHECKED:
        path = ROOT / name
        found += sorted(path.rglob("*")) if path.is_dir() else [path]
    skipped = {ROOT / name for name in GENERATED} | {Path(__file__).resolve()}
    return [path for path in found if path.is_file() and path.suffix in SUFFIXES and path not in skipped]


def lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    """The lines of a file that are checked, with their numbers, and whether each continues the text of the line before."""
    fenced, before = False, 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if path.suffix == ".md" and line.startswith("```"):
            fenced = not fenced
        elif text and not fenced and not _ALLOWED.search(line):
            follows = before == number - 1
            if path.suffix == ".md":
                yield number, _CODE.sub("", text), follows and not _BLOCK.match(text)
            else:
                yield number, _CLOSING.sub("", _OPENING.sub("", text, count=1)), follows
            before = number


def findings(path: Path) -> Iterator[str]:
    """What to change in a file, one message each."""
    text = ""
    starts: list[int] = []
    numbers: list[int] = []
    for number, line, follows in lines(path):
        text += " " if follows else "\n"
        starts.append(len(text))
        numbers.append(number)
        text += line
    for pattern, instead in _ANY:
        for found in pattern.finditer(text):
            number = numbers[bisect(starts, found.start()) - 1]
            yield f"{path.relative_to(ROOT)}:{number}: {found.group()!r}: write {instead}"


if __name__ == "__main__":
    messages = [message for path in files() for message in findings(path)]
    print("\n".join(messages) or f"the wording of {len(files())} files is good")
    sys.exit(bool(messages))
