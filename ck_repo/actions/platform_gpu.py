"""The GPUs, as CK's `ck detect platform.gpu` describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "detect",
    "show name, memory, clock and driver of each GPU",
    example="ck detect platform.gpu",
    options=[Option("type", "the kind of GPU; only CUDA is supported", choices=("cuda",), value="cuda")],
)
def detect(request: Request) -> Answer:
    """Describe the GPUs; having none is not an error."""
    from ck_repo.machine.features import gpu_features

    found = gpu_features()
    return Answer({"features": {"gpu": found[0] if found else {}, "gpus": found}}, gpu_lines(found))


def gpu_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A description of the GPUs as text."""
    if not found:
        return ["no NVIDIA GPU"]
    lines = []
    for row in found:
        about = [f"{row['memory'] / 2**30:.0f} GiB"] if row.get("memory") else []
        about += [f"up to {row['max_freq']:.0f} MHz"] if row.get("max_freq") else []
        about += [f"driver {row['driver']}"] if row.get("driver") else []
        about += [f"compute capability {row['compute_capability']}"] if row.get("compute_capability") else []
        lines.append(f"GPU {row['gpu_id']}: ".replace(" :", ":") + ", ".join([str(row["name"]), *about]))
    return lines
