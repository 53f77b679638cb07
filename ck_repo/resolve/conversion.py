"""Find the shortest chain of conversions between formats of models or data sets."""

from __future__ import annotations

from collections.abc import Sequence

from ck_repo.errors import NotFoundError
from ck_repo.resolve.component import Component
from ck_repo.resolve.plan import Choice

DATASET_FORMAT = "coco"  # format of a data set without one


def way(known: Sequence[Component], wanted: str, choice: Choice, asker: str) -> list[Component]:
    """The shortest chain of conversions; of equally short ones the first by name.

    Parameters
    ----------
    known
        Every conversion.

    Raises
    ------
    NotFoundError
        If there is no chain of conversions.
    """
    of_data = bool(choice.dataset) or "dataset" in choice.tags  # a recipe may only add the section when it has run
    have = str(choice.dataset.get("format") or DATASET_FORMAT if of_data else choice.model.get("format", ""))
    ways: dict[str, list[Component]] = {have: []}
    waiting = [have]
    conversions = sorted(known, key=lambda row: row.entry.alias)
    network = str(choice.model.get("network", ""))
    refused = [row for row in conversions if row.conversion and not row.conversion.takes(network)]
    conversions = [row for row in conversions if row not in refused]
    for now in waiting:  # extended during the loop: by one more conversion each time
        for row in conversions:
            if row.conversion and row.conversion.source == now and row.conversion.target not in ways:
                ways[row.conversion.target] = [*ways[now], row]
                waiting.append(row.conversion.target)
    if wanted not in ways:
        reachable = sorted(name for name in ways if name != have)
        hints = [f"it can be converted to {', '.join(reachable)}" if reachable else "there is no conversion for it"]
        hints += [f"{row.entry.alias} is not for the network {network}" for row in refused]
        kind = "data set" if of_data else "model"
        raise NotFoundError(
            f"{choice.label} is a {kind} in the format {have or '(unknown)'}, and no conversions lead to {wanted}, "
            f"requested by {asker}",
            hint="\n".join(hints),
        )
    return ways[wanted]
