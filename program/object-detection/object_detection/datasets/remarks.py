"""Remarks about a data set: each kind once, with a count and the first example."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Remarks:
    """Collects remarks.

    >>> remarks = Remarks()
    >>> remarks.add("annotations without iscrowd, taken as 0", "annotation 7")
    >>> remarks.add("annotations without iscrowd, taken as 0", "annotation 8")
    >>> remarks.say("no image has a box")
    >>> remarks.sentences()
    ('annotations without iscrowd, taken as 0: 2, the first annotation 7', 'no image has a box')
    """

    _found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, kind: str, where: str, count: int = 1) -> None:
        """Count a remark.

        Parameters
        ----------
        kind
            The text of the remark; equal texts are counted together.
        where
            What it refers to; the first one is an example in the sentence.
        count
            How many cases it has.
        """
        before, first = self._found.get(kind, (0, where))
        self._found[kind] = (before + count, first)

    def say(self, sentence: str) -> None:
        """Add a remark that is not counted."""
        if sentence:
            self._found[sentence] = (0, "")

    def sentences(self) -> tuple[str, ...]:
        """A sentence for each kind, of printable characters."""
        rows = (f"{kind}: {count}, the first {first}" if count else kind for kind, (count, first) in self._found.items())
        return tuple("".join(sign if sign.isprintable() else "?" for sign in row) for row in rows)
