"""Check the links between the Markdown files of the repository, without a network: ``python docs/check_links.py``.

Every relative link leads to a file, and every fragment to a heading. mkdocs checks the
links of the site; this checks those of the checkout.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (".", ".github", "benchmarks", "docs")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def pages() -> list[Path]:
    """The Markdown files."""
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))


def anchors(page: Path) -> set[str]:
    """The fragments that lead into a page: its headings in lower case, words joined by hyphens."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere, each with the reason."""
    for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: {link}: no such file"
        elif fragment and target.suffix == ".md" and fragment not in anchors(target):
            yield f"{page.relative_to(ROOT)}: {link}: no such heading"


if __name__ == "__main__":
    messages = [message for page in pages() for message in broken(page)]
    print("\n".join(messages) or f"the links of {len(pages())} pages are good")
    sys.exit(bool(messages))
