"""What the checker found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.rounds.round import Round
from ck_repo.rounds.submission import SMALL, Place
from ck_repo.rounds.submission_rules import REJECTED
from ck_repo.store.plain_file import flaw, shown


@dataclass(frozen=True)
class Finding:
    """A rule that is not kept.

    Attributes
    ----------
    severity
        ``rejected``: the round's checker rejects the result for it; ``reported``: it only says so.
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

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{self.severity} by {self.rule}: {where}: {self.expected} expected, {self.seen} seen; {self.mend}"


@dataclass
class Checked:
    """A result with what was found.

    Attributes
    ----------
    value, unit
        As in `Result`.
    mAP
        In percent.
    power
        Mean W (Offline, Server) or J a query (SingleStream, MultiStream); None if it was not measured.
    """

    round: Round
    place: Place
    benchmark: str = ""
    value: float | None = None
    unit: str = ""
    mAP: float | None = None
    power: float | None = None
    power_unit: str = ""
    system: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def status(self) -> str:
        """``accepted`` or ``rejected``."""
        return REJECTED if any(row.severity == REJECTED for row in self.findings) else "accepted"

    def add(self, rule: str, file: Path, expected: object, seen: object, line: int = 0) -> None:
        """Note a rule that is not kept."""
        self.findings.append(finding(self.round, rule, file, expected, seen, line))

    def needs(self, rule: str, file: Path) -> bool:
        """Note a text that is missing, or is not a plain file of the tree; return whether it is there."""
        why = flaw(self.place.root, file, most=SMALL)
        if why:
            self.add(rule, file, "the file", why)
        return not why

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        power = {"power": self.power, "power_unit": self.power_unit} if self.power is not None else {}
        return {
            **self.place.identity(), "status": self.status, "value": self.value, "unit": self.unit, "mAP": self.mAP, **power,
            "path": str(self.place.results), "findings": [row.as_data() for row in self.findings],
        }  # fmt: skip


def finding(round_: Round, rule: str, file: Path, expected: object, seen: object, line: int = 0) -> Finding:
    """A finding with the severity and the advice of its rule."""
    advice = round_.submission.advice[rule]
    return Finding(rule, advice.severity, shown(file), line, str(expected), shown(seen), advice.fix)
