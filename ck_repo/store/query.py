"""Queries for entries: names with wildcards, required and excluded tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.store.entry import tag_list


def is_pattern(text: str) -> bool:
    """Whether `text` has a wildcard (``*`` or ``?``), or is empty, which matches everything."""
    return not text or "*" in text or "?" in text


@dataclass(frozen=True)
class TagQuery:
    """Tags that an entry must have, and tags that it must not have."""

    required: frozenset[str]
    excluded: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str | Iterable[str]) -> TagQuery:
        """Parse ``a,b,-c``: a and b, without c. A dash alone is a tag.

        >>> TagQuery.parse("coco,-full").matches({"coco", "val"})
        True
        """
        words = tag_list(text)
        return cls(
            frozenset(word for word in words if not _excludes(word)),
            frozenset(word[1:] for word in words if _excludes(word)),
        )

    def matches(self, tags: Iterable[str]) -> bool:
        """Whether an entry with these tags matches."""
        have = set(tags)
        return self.required <= have and not (self.excluded & have)

    def __str__(self) -> str:
        return ",".join([*sorted(self.required), *("-" + tag for tag in sorted(self.excluded))])


def holds(content: Any, wanted: Any, *, ignore_case: bool = False) -> bool:
    """Whether JSON content contains what is wanted: keys of objects with their values, and items of lists.

    >>> holds({"a": {"b": [1, 2], "c": 3}, "d": 4}, {"a": {"b": [2]}})
    True
    """
    if isinstance(wanted, Mapping):
        return isinstance(content, Mapping) and all(
            key in content and holds(content[key], value, ignore_case=ignore_case) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(content, list) and all(
            any(holds(row, each, ignore_case=ignore_case) for row in content) for each in wanted
        )
    if ignore_case and isinstance(content, str) and isinstance(wanted, str):
        return content.casefold() == wanted.casefold()
    return isinstance(content, bool) == isinstance(wanted, bool) and bool(content == wanted)


def _excludes(word: str) -> bool:
    return word.startswith("-") and word != "-"
