"""The operating system, as CK's `ck detect platform.os` describes it."""

from __future__ import annotations

from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.request import Request
from ck_repo.contract.record import write

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "detect",
    "show the machine: CPU, cores, memory, operating system",
    example="ck detect platform.os",
    options=[Option("platform_init_uoa", "accepted for compatibility: platforms need no preparation", value="NAME")],
)
def detect(request: Request) -> Answer:
    """Describe the machine."""
    from ck_repo.machine.features import os_features
    from ck_repo.machine.platform import describe_platform

    found = write(describe_platform())
    return Answer({"platform": found, "features": {"os": os_features()}}, [f"{key}: {value}" for key, value in found.items()])
