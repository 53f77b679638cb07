"""A published result."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.rounds.round import DEFAULT


@dataclass(frozen=True)
class Published:
    """A published figure.

    Attributes
    ----------
    value, unit
        ms (SingleStream), samples/s (Offline), queries/s (Server) or samples/query (MultiStream).
    mAP
        In percent, as published; None if unknown.
    processor, accelerator, framework, system_type
        The submitter's description of the system.
    inferred
        Whether the result was inferred from the log of another scenario.
    processors, cores, accelerators
        Processors of a node, cores of a processor, accelerators of a node; None if unknown.
    path
        The source: the imported experiment, or the table.
    round
        The round in which it was published.
    """

    division: str
    submitter: str
    system: str
    model: str
    scenario: str
    value: float | None = None
    unit: str = ""
    valid: bool = False
    mAP: float | None = None
    p99_ms: float | None = None
    processor: str = ""
    accelerator: str = ""
    framework: str = ""
    system_type: str = ""
    path: str = ""
    round: str = DEFAULT
    inferred: bool = False
    processors: float | None = None
    cores: float | None = None
    accelerators: float | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Identifies a result within a round."""
        return (self.division, self.submitter, self.system, self.model, self.scenario)

    @property
    def identity(self) -> tuple[str, ...]:
        """The key with the round."""
        return (*self.key, self.round)

    @property
    def value_text(self) -> str:
        """The figure with its unit."""
        return "-" if self.value is None else f"{self.value:.9g} {self.unit}"

    @property
    def map_text(self) -> str:
        """mAP with its unit."""
        return "-" if self.mAP is None else f"{self.mAP:.3f} %"
