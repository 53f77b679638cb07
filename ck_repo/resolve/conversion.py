"""The way from the format of a model or data set to another: the fewest conversions that lead there."""

from __future__ import annotations

from collections.abc import Sequence

from ck_repo.errors import NotFoundError
from ck_repo.resolve.component import Component
from ck_repo.resolve.plan import Choice

DATASET_FORMAT = "coco"  # of a data set that names none


def way(known: Sequence[Component], wanted: str, choice: Choice, asker: str) -> list[Component]:
    """The conversions from a format to another, the fewest; of equally few those whose names sort first.

    Parameters
    ----------
    known
        Every conversion.

    Raises
    ------
    NotFoundError
        If no conversions lead there.
    """
    of_data = bool(choice.dataset) or "dataset" in choice.tags  # a recipe may leave the section only when it has run
    have = str(choice.dataset.get("format") or DATASET_FORMAT if of_data else choice.model.get("format", ""))
    ways: dict[str, list[Component]] = {have: []}
    waiting = [have]
    conversions = sorted(known, key=lambda row: row.entry.alias)
    network = str(choice.model.get("network", ""))
    refused = [row for row in conversions if row.conversion and not row.conversion.takes(network)]
    conversions = [row for row in conversions if row not in refused]
    for now in waiting:  # grows while it is gone through: by one conversion more each time
        for row in conversions:
            if row.conversion and row.conversion.source == now and row.conversion.target not in ways:
                ways[row.conversion.target] = [*ways[now], row]
                waiting.append(row.conversion.target)
    if wanted not in ways:
        reachable = sorted(name for name in ways if name != have)
        hints = [f"it can be converted to {', '.join(reachable)}" if reachable else "there is no conversion of it at all"]
        hints += [f"{row.entry.alias} is not for the network {network}" for row in refused]
        kind = "data set" if of_data else "model"
        raise NotFoundError(
            f"{choice.label} is a {kind} in the format {have or '(unknown)'}, and no conversion leads to {wanted}, "
            f"which {asker} asked for",
            hint="\n".join(hints),
        )
    return ways[wanted]
