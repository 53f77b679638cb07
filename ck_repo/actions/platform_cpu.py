"""The CPU, as CK's `ck detect platform.cpu` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.actions.declare import Actions, Answer, action
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(ACTIONS, "detect", "show name, cores, instruction sets and frequencies of the CPU", example="ck detect platform.cpu")
def detect(request: Request) -> Answer:
    """Describe the CPU."""
    from ck_repo.machine.features import cpu_features

    found = cpu_features()
    return Answer({"features": {"cpu": found}}, cpu_lines(found))


def cpu_lines(found: Mapping[str, Any]) -> list[str]:
    """A description of the CPU as text."""
    lines = [
        f"CPU name: {found['name']}",
        f"logical processors: {found['num_proc']}, cores: {found['num_cores']}, sockets: {found['sockets']}",
        f"CPU ABI: {found['cpu_abi']}",
        f"CPU features: {found['cpu_features'] or 'unknown'}",
    ]
    for name, key in (("current frequency", "current_freq"), ("maximum frequency", "max_freq")):
        values = found[key].values()
        if values:
            span = f"{min(values):.0f}" if min(values) == max(values) else f"{min(values):.0f} to {max(values):.0f}"
            lines.append(f"{name}: {span} MHz")
    return [*lines, f"frequency governor: {found['governor']}"]
