"""Targets: find the highest that a system holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ck_repo.actions.declare import Actions, Answer, Option, action, table_lines
from ck_repo.actions.package import TRUST, VENV
from ck_repo.actions.request import Request
from ck_repo.actions.run_options import declared, declared_option, run_options
from ck_repo.errors import UsageError
from ck_repo.run.options import DEFAULT_SECONDS

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "find",
    "the highest valid target of a scenario, by short runs; written to user.conf",
    example="ck find performance --scenario=server --output=user.conf",
    usage="ck find performance --scenario=server|offline|singlestream|multistream [options]",
    options=[
        declared_option("scenario", help="the scenario (default server)", value="server"),
        *declared("model", "dataset", "backend", "device", "round"),
        declared_option("seconds", help="duration of a try, in s (default 10)"),
        declared_option("target_latency", help="the bound, in ms (default: the round's)"),
        Option("output", "the user.conf to write the target into (default user.conf)", value="FILE"),
        VENV,
        TRUST,
    ],
)
def find(request: Request) -> Answer:
    """Search a target: nobody has to guess it."""
    from ck_repo.submit.targets import find_and_write

    options = replace(
        run_options(request),
        scenario=request.text("scenario") or "server",
        seconds=request.number("time") or DEFAULT_SECONDS,
        target_latency=None,  # that of the tries; the request's is the bound
        mode="performance",
    )
    path = Path(request.text("output") or "user.conf").expanduser().absolute()
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name the file to write: --output=user.conf")
    found, line = find_and_write(request.session, options, request.number("target_latency"), path)
    tries = [{"target": target, "valid": valid, f"{found.percentile}_ms": latency} for target, valid, latency in found.tries]
    table = [
        (f"{target:g}", "yes" if valid else "no", "-" if latency is None else f"{latency:.3f}")
        for target, valid, latency in found.tries
    ]
    data = {"key": found.key, "value": found.value, "path": str(path), "tries": tries, "results": found.confirmed}
    return Answer(data, [*table_lines((found.key, "valid", f"{found.percentile}, ms"), table), "", line, f"written to {path}"])
