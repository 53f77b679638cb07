"""Targets: find the highest that a system holds."""

from __future__ import annotations

from pathlib import Path

from ck_repo.actions.declare import Actions, Answer, Option, action, table_lines
from ck_repo.actions.package import TRUST, VENV
from ck_repo.actions.request import Request
from ck_repo.actions.round import ROUND
from ck_repo.errors import UsageError
from ck_repo.rounds.round import DEFAULT
from ck_repo.run.options import DEVICES, SCENARIOS, RunOptions

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "find",
    "the highest valid target of a scenario, by short runs; written to user.conf",
    example="ck find performance --scenario=server --output=user.conf",
    usage="ck find performance --scenario=server|offline|singlestream|multistream [options]",
    options=[
        Option("scenario", "the scenario (default server)", choices=SCENARIOS, value="server"),
        ROUND,
        Option("model", "alias or tags of the model (default: the embedded demo model)", value="TAGS"),
        Option("dataset", "alias or tags of the data set (default: the one made for the model)", value="TAGS"),
        Option("backend", "the framework (default: the model's own)", value="NAME"),
        Option("device", "where it runs (default cpu)", choices=DEVICES, value="cpu"),
        Option("time", "duration of a try, in s (default 10)", kind="number", least=0, above=True),
        Option("target-latency", "the bound, in ms (default: the round's)", kind="number", least=0, above=True),
        Option("output", "the user.conf to write the target into (default user.conf)", value="FILE"),
        VENV,
        TRUST,
    ],
)
def find(request: Request) -> Answer:
    """Search a target: nobody has to guess it."""
    from ck_repo.store.repositories import Repositories
    from ck_repo.submit.targets import find_and_write

    options = RunOptions(
        model=request.text("model"),
        dataset=request.text("dataset"),
        backend=request.text("backend"),
        venv=request.text("venv"),
        device=request.text("device") or "cpu",
        scenario=request.text("scenario") or "server",
        round=request.text("round") or DEFAULT,
        seconds=request.number("time") or 10.0,
        mode="performance",
    )
    path = Path(request.text("output") or "user.conf").expanduser().absolute()
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name the file to write: --output=user.conf")
    bound, trust = request.number("target_latency"), request.flag("trust")
    found, line = find_and_write(Repositories(), options, bound, path, trust=trust)
    tries = [{"target": target, "valid": valid, f"{found.percentile}_ms": latency} for target, valid, latency in found.tries]
    table = [
        (f"{target:g}", "yes" if valid else "no", "-" if latency is None else f"{latency:.3f}")
        for target, valid, latency in found.tries
    ]
    data = {"key": found.key, "value": found.value, "path": str(path), "tries": tries, "results": found.confirmed}
    return Answer(data, [*table_lines((found.key, "valid", f"{found.percentile}, ms"), table), "", line, f"written to {path}"])
