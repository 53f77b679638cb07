"""What the checker found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ck_repo.rounds.round import Round
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.submission import SMALL, Place
from ck_repo.rounds.submission_rules import FOLDER, REJECTED, REPORTED
from ck_repo.store.plain_file import flaw, shown

ACCEPTED = "accepted"
_OFFICIAL = {
    REPORTED: "the round's own checker accepts it",
    FOLDER: "the round's own checker counts the folder as without results",
}


@dataclass(frozen=True)
class Finding:
    """A rule that is broken.

    Attributes
    ----------
    severity
        ``rejected`` or ``reported``.
    official
        What the round's own checker does: ``rejected``, ``reported`` (or nothing), or ``folder``: it keeps the result in its
        summary and counts the folder as one without results.
    file, line
        Where; line 0 if it is the whole file, or a file that is not there.
    mend
        What to do.
    """

    rule: str
    severity: str
    file: str
    line: int
    expected: str
    seen: str
    mend: str
    official: str

    def as_data(self) -> dict[str, Any]:
        """For JSON; `official` is there where it differs from the severity."""
        row = dict(vars(self))
        return row if row["official"] != row["severity"] else {key: each for key, each in row.items() if key != "official"}

    def text(self, official: bool) -> str:
        """The finding, with the severity that the round's own checker gives it, or with ours."""
        return str(replace(self, severity=REPORTED if self.official != REJECTED else REJECTED)) if official else str(self)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        parted = _OFFICIAL.get(self.official, "") if self.severity == REJECTED else ""
        text = f"{self.severity} by {self.rule}: {where}: {self.expected} expected, {self.seen} seen; {self.mend}"
        return f"{text} ({parted})" if parted else text


@dataclass
class Checked:
    """A result with what was found.

    Attributes
    ----------
    value, unit
        As in `Result`, with all digits.
    inferred
        Whether the result follows from the log of another scenario.
    mAP, accuracy
        In percent, as a number and as accuracy.txt writes it.
    power
        Mean W (Offline, Server) or J a query (SingleStream, MultiStream); None if it was not measured.
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
    system: dict[str, Any] = field(default_factory=dict)
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
        """``accepted`` or ``rejected``: the verdict of the round's own checker, or ours."""
        return self.official_status if official else self.status

    @property
    def open(self) -> bool:
        """Whether it is of the open division."""
        return self.place.division == "open"

    @property
    def scenario(self) -> Scenario | None:
        """The scenario of the folder; None if the round has none of the name."""
        return self.round.find_scenario(self.round.folder_scenario(self.place.scenario))

    def add(self, rule: str, file: Path, expected: object, seen: object, line: int = 0, *, official: str = "") -> None:
        """Note a broken rule.

        Parameters
        ----------
        official
            What the round's own checker does in this case, if it is not what the rule's entry says.
        """
        self.findings.append(finding(self.round, rule, file, expected, seen, line, official=official))

    def needs(self, rule: str, file: Path, *, official: str = "") -> bool:
        """Note a text that is missing, or is not a plain file of the tree; return whether it is there."""
        why = flaw(self.place.root, file, most=SMALL)
        if why:
            self.add(rule, file, "the file", why, official=official)
        return not why

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
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
    """A finding with the severity and the advice of its rule."""
    advice = round_.submission.advice[rule]
    return Finding(
        rule, advice.severity, shown(file), line, str(expected), shown(seen), advice.fix, official or advice.official
    )
