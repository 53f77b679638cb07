"""Findings of the checker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ck_repo.rounds.round import Round
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission import SMALL, Place
from ck_repo.rounds.submission_rules import FOLDER, REJECTED, REPORTED
from ck_repo.store.plain_file import flaw, shown

ACCEPTED = "accepted"
_OFFICIAL = {
    REPORTED: "the round's own checker accepts it",
    FOLDER: "the round's own checker treats the folder as one without results",
}


@dataclass(frozen=True)
class Finding:
    """A violated rule.

    Attributes
    ----------
    severity
        ``rejected`` or ``reported``.
    official
        The behaviour of the round's own checker: ``rejected``, ``reported`` (or nothing), or ``folder``: the result stays in
        its summary and the folder counts as one without results.
    file, line
        Where; line 0 for the complete file, or for a missing one.
    fix
        A hint.
    """

    rule: str
    severity: str
    file: str
    line: int
    expected: str
    seen: str
    fix: str
    official: str

    def as_data(self) -> dict[str, object]:
        """As JSON; it has `official` if that differs from the severity."""
        row = dict(vars(self))
        return row if row["official"] != row["severity"] else {key: each for key, each in row.items() if key != "official"}

    def text(self, official: bool) -> str:
        """The finding, with the severity of the round's own checker, or with ours."""
        return str(replace(self, severity=REPORTED if self.official != REJECTED else REJECTED)) if official else str(self)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        parted = _OFFICIAL.get(self.official, "") if self.severity == REJECTED else ""
        text = f"{self.severity} by {self.rule}: {where}: expected {self.expected}, found {self.seen}; {self.fix}"
        return f"{text} ({parted})" if parted else text


@dataclass
class Checked:
    """A result and its findings.

    Attributes
    ----------
    value, unit
        As in `Result`, without rounding.
    inferred
        Whether the result is inferred from the log of another scenario.
    mAP, accuracy
        In percent, as a number and as written in accuracy.txt.
    power
        Mean power in W (Offline, Server) or energy of a query in J (SingleStream, MultiStream); None if it was not measured.
    """

    round: Round
    place: Place
    benchmark: str = ""
    value: float | None = None
    unit: str = ""
    inferred: bool = False
    mAP: float | None = None
    accuracy: str = ""
    power: float | None = None
    power_unit: str = ""
    system: Mapping[str, object] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def status(self) -> str:
        """``accepted`` or ``rejected``."""
        return REJECTED if any(row.severity == REJECTED for row in self.findings) else ACCEPTED

    @property
    def official_status(self) -> str:
        """The verdict of the round's own checker: whether the result is in its summary."""
        return REJECTED if any(row.official == REJECTED for row in self.findings) else ACCEPTED

    def verdict(self, official: bool) -> str:
        """``accepted`` or ``rejected``, by the round's own checker or by ours."""
        return self.official_status if official else self.status

    @property
    def open(self) -> bool:
        """Whether it belongs to the open division."""
        return self.place.division == "open"

    @property
    def scenario(self) -> Scenario | None:
        """The scenario of the folder; None if the round has none of that name."""
        return self.round.find_scenario(self.round.folder_scenario(self.place.scenario))

    def add(self, rule: str, file: Path, expected: object, seen: object, line: int = 0, *, official: str = "") -> None:
        """Report a violated rule.

        Parameters
        ----------
        official
            The behaviour of the round's own checker in this case, if it differs from the rule's entry.
        """
        self.findings.append(finding(self.round, rule, file, expected, seen, line, official=official))

    def needs(self, rule: str, file: Path, *, official: str = "") -> bool:
        """Report a missing text, or one that is not a regular file of the tree.

        Parameters
        ----------
        rule
            The rule that the finding names.
        official
            The verdict of the round's own checker, if it differs from ours.

        Returns
        -------
        bool
            Whether the file exists.
        """
        why = flaw(self.place.root, file, maximum=SMALL)
        if why:
            self.add(rule, file, "the file", why, official=official)
        return not why

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        power = {"power": self.power, "power_unit": self.power_unit} if self.power is not None else {}
        value = self.value if self.value is None or math.isfinite(self.value) else None
        return {
            **self.place.identity(), "status": self.status, "official_status": self.official_status, "value": value,
            "unit": self.unit, "inferred": self.inferred, "mAP": self.mAP, **power, "path": str(self.place.results),
            "findings": [row.as_data() for row in self.findings],
        }  # fmt: skip


def finding(
    round_: Round, rule: str, file: Path, expected: object, seen: object, line: int = 0, *, official: str = ""
) -> Finding:
    """A finding with the severity and the hint of its rule.

    Parameters
    ----------
    rule
        A key of the advice in the round's data file.
    expected, seen
        What the rule requires, and what the file has; control characters and long texts are made printable.
    line
        Line of the file, from 1; 0 for the whole file.
    official
        The verdict of the round's own checker, if it differs from the rule's.

    Raises
    ------
    KeyError
        If the round has no advice for the rule.
    """
    advice = round_.submission.advice[rule]
    return Finding(
        rule, advice.severity, shown(file), line, str(expected), shown(seen), advice.fix, official or advice.official
    )
