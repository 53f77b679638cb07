"""How detections are selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A non-maximum suppression.

    Attributes
    ----------
    score_above
        Candidates have more than this.
    iou
        Of two boxes of a class that overlap by more, the one with the lower score goes; with `from_iou` by as much already.
    candidates, total
        The most candidates of a class that are looked at, and detections of an image that are kept: the best ones.
    epsilon
        Added to the union's area.
    """

    score_above: float
    iou: float
    candidates: int
    total: int
    epsilon: float = 0.0
    from_iou: bool = False

    def with_metadata(self, metadata: Mapping[str, str]) -> Rule:
        """The rule with what the metadata of a file of weights says otherwise."""
        return Rule(
            float(metadata.get("score_above", self.score_above)),
            float(metadata.get("iou", self.iou)),
            int(metadata.get("candidates", self.candidates)),
            int(metadata.get("total", self.total)),
            float(metadata.get("epsilon", self.epsilon)),
            self.from_iou,
        )
