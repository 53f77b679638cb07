"""The machine, as CK's `ck detect platform` describes it."""

from __future__ import annotations

from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.platform_cpu import cpu_lines
from ck_repo.actions.platform_gpu import gpu_lines
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "detect",
    "show operating system, CPU, GPUs and the machine's manufacturer",
    example="ck detect platform",
    options=[Option("platform_init_uoa", "accepted for compatibility: platforms need no preparation", value="NAME")],
)
def detect(request: Request) -> Answer:
    """Describe the machine."""
    from ck_repo.machine import features

    system, cpu, gpus, machine = (
        features.os_features(),
        features.cpu_features(),
        features.gpu_features(),
        features.machine_features(),
    )
    described = {"os": system, "cpu": cpu, "gpu": gpus[0] if gpus else {}, "gpus": gpus, "platform": machine}
    lines = [f"OS name: {system['name']}", f"OS long name: {system['name_long']}", f"OS bits: {system['bits']}", ""]
    lines += [*cpu_lines(cpu), "", *gpu_lines(gpus), ""]
    lines += [f"platform name: {machine['name']}", f"platform vendor: {machine['vendor'] or 'unknown'}"]
    lines += [f"platform model: {machine['model'] or 'unknown'}"]
    return Answer({"features": described}, lines)
