"""The accuracy of the choices of a search, and the minimum that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ck_repo.campaign.goal import Keep
from ck_repo.campaign.matrix import cell_of
from ck_repo.errors import RunError
from ck_repo.run.options import MEASURED, RunOptions

_NOT_OF_ACCURACY = ("scenario", "seconds", *MEASURED)


@dataclass
class Accuracy:
    """The accuracy of choices, and the minimum of today's --keep: whether a choice keeps it is not recorded, but compared.

    Attributes
    ----------
    minimum
        By metric.
    known
        The metrics that were measured, by the key of a choice; see `choice_key`.
    """

    minimum: Mapping[str, float] = field(default_factory=dict)
    known: dict[str, dict[str, float]] = field(default_factory=dict)

    def violation(self, choice: str) -> float | None:
        """How far a choice is below the minimum: above 0 is too far; None if its accuracy was not measured."""
        if choice not in self.known:
            return None
        found = self.known[choice]
        return max((minimum - found.get(metric, 0.0) for metric, minimum in self.minimum.items()), default=0.0)


def minimum_of(keep: Sequence[Keep], reference: Mapping[str, float]) -> dict[str, float]:
    """The minimum of each metric that is kept.

    Raises
    ------
    RunError
        If the reference has no such metric.
    """
    for row in keep:
        if row.figure not in reference:
            raise RunError(
                f"--keep.{row.figure}: the accuracy run has no {row.figure}",
                hint=f"it has {', '.join(reference) or 'no metric'}",
            )
    return {row.figure: row.bound(reference[row.figure]) for row in keep}


def choice_key(options: RunOptions) -> str:
    """Identifies what accuracy depends on: the layout, the scenario and the duration do not affect it."""
    return cell_of({}, {name: value for name, value in options.as_data().items() if name not in _NOT_OF_ACCURACY}).key


def read_accuracy(meta: Mapping[str, Any]) -> Accuracy:
    """The accuracy that the meta of a campaign has, of its latest search."""
    known = meta.get("accuracy") or {}
    return Accuracy(dict(meta.get("minimum") or ()), dict(known.get(meta.get("conditions")) or {}))
