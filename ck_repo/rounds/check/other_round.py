"""Detect logs of another round than the one that a tree is checked against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from ck_repo.contract.logs import DETAIL, Detail
from ck_repo.rounds.check.finding import Checked, Finding, finding
from ck_repo.rounds.round import Round, load_round, round_names
from ck_repo.store.plain_file import UnreadableError


@dataclass
class RoundsSeen:
    """Counts results of each round, by their logs.

    Attributes
    ----------
    example
        An example result of each round.
    """

    count: Counter[str] = field(default_factory=Counter)
    example: dict[str, Checked] = field(default_factory=dict)

    def add(self, name: str, row: Checked) -> None:
        """Count a result."""
        self.count[name] += 1
        self.example.setdefault(name, row)

    def findings(self, round_: Round, results: int) -> list[Finding]:
        """Remarks on a tree with logs of other rounds.

        Parameters
        ----------
        round_
            The round that the tree is checked for.
        results
            Number of results of the tree: if another round has more than half of them, the tree is probably one of that round.
        """
        others = [(name, count) for name, count in self.count.most_common() if name != round_.name]
        if not others:
            return []
        name, count = others[0]
        if 2 * count > results:
            seen = f"{count} of {results} results with the seeds of round {name}: the tree looks like one of {name}"
        else:
            seen = "a tree of mixed rounds: " + ", ".join(f"{number} of {each}" for each, number in self.count.most_common())
        place = self.example[name].place
        return [finding(round_, "round", place.root, f"results of round {round_}", seen)]


def other_round(row: Checked, log: Detail | None, seen: RoundsSeen) -> None:
    """Report a log with the seeds or the format of another round."""
    if log and row.round.of_seeds(log.values):
        seen.add(row.round.name, row)
        return
    name = next((each.name for each in _others(row.round.name) if log and each.of_seeds(log.values)), "")
    name = name or _by_format(row)
    if name:
        seen.add(name, row)
        row.add("round", row.place.performance / (log.file if log else DETAIL), f"a log of round {row.round}", f"one of {name}")


def _by_format(row: Checked) -> str:
    """The other round whose seeds and log format this result has."""
    for each in _others(row.round.name):
        if (each.text_log is None) != (row.round.text_log is None):
            try:
                log = each.read_run(row.place.performance, row.place.root)
            except UnreadableError:
                return ""
            if each.of_seeds(log.values):
                return each.name
    return ""


@cache
def _others(name: str) -> tuple[Round, ...]:
    return tuple(load_round(each) for each in round_names() if each != name)
