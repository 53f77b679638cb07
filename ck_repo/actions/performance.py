"""Performance: find the highest target, check for regressions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.new_venv import confirm_new_venv
from ck_repo.actions.package import TRUST, VENV
from ck_repo.actions.request import Request
from ck_repo.actions.run_options import declared, declared_option, run_options
from ck_repo.contract.record import write
from ck_repo.errors import MismatchError, NotFoundError, UsageError
from ck_repo.run.options import DEFAULT_SECONDS
from ck_repo.store.entry import tag_list
from ck_repo.store.query import is_pattern
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.store.entry import Entry

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "find",
    "find the highest valid target of a scenario by short runs, and write it to user.conf",
    example="ck find performance --scenario=server --output=user.conf",
    usage="ck find performance --scenario=server|offline|singlestream|multistream [options]",
    options=[
        declared_option("scenario", help="the scenario (default server)", value="server"),
        *declared("model", "dataset", "backend", "device", "round"),
        declared_option("seconds", help="duration of a trial, in s (default 10)"),
        declared_option("target_latency", help="the latency bound, in ms (default: the round's)"),
        Option("output", "the user.conf to write the target into (default user.conf)", value="FILE"),
        VENV,
        TRUST,
    ],
)
def find(request: Request) -> Answer:
    """Search for a target."""
    from ck_repo.submit.targets import find_and_write

    options = replace(
        run_options(request),
        scenario=request.text("scenario") or "server",
        seconds=request.number("time") or DEFAULT_SECONDS,
        target_latency=None,  # the duration of trials; the latency of the request is the bound
        mode="performance",
    )
    path = Path(request.text("output") or "user.conf").expanduser().absolute()
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="give a file to write: --output=user.conf")
    confirm_new_venv(request)
    found, line = find_and_write(request.session, options, request.number("target_latency"), path)
    tries = [{"target": target, "valid": valid, f"{found.percentile}_ms": latency} for target, valid, latency in found.tries]
    table = [
        (f"{target:g}", "yes" if valid else "no", "-" if latency is None else f"{latency:.3f}")
        for target, valid, latency in found.tries
    ]
    data = {"key": found.key, "value": found.value, "path": str(path), "tries": tries, "results": write(found.confirmed)}
    return Answer(data, [*table_lines((found.key, "valid", f"{found.percentile}, ms"), table), "", line, f"written to {path}"])


@action(
    ACTIONS,
    "check",
    "check whether new runs are slower or less accurate than old ones, beyond noise; exit status 10 if so",
    example="ck check performance experiment:new --baseline=experiment:old --tolerance=5%",
    usage="ck check performance experiment:NEW [experiment:NEW2 …] --baseline=experiment:OLD[,experiment:OLD2 …] [options]",
    options=[
        Option("baseline", "the experiments to compare with, separated by commas; patterns are allowed", value="NAME"),
        Option("tolerance", "how much slower the new ones may be (default 5%)", value="5%"),
        Option("map-tolerance", "how much lower mAP may be, from 0 to 1 (default 0.001)", kind="number", minimum=0),
    ],
    more_entries=True,
)
def check(request: Request) -> Answer:
    """Check for a regression, for example in CI."""
    from ck_repo.report.regression import judge
    from ck_repo.report.subject import subject_of

    baseline = request.needed("baseline", "give the experiments to compare with: --baseline=experiment:OLD")
    new = [subject_of(entry) for target in request.more for entry in _experiments(request, target.text)]
    if not new:
        raise UsageError("no experiment was given", hint="`ck check performance experiment:NEW --baseline=experiment:OLD`")
    old = [subject_of(entry) for word in tag_list(baseline) for entry in _experiments(request, word)]
    tolerance, limit = _share(request.text("tolerance") or "5%"), request.number("map_tolerance")
    found = judge(new, old, tolerance, 0.001 if limit is None else limit)
    lines = []
    if found.ratio is not None:
        between = f", 95 % interval {found.interval[0]:.4f} to {found.interval[1]:.4f}" if found.interval else ""
        lines.append(f"speed   {found.ratio:.4f} of the baseline{between}")
    if found.accuracy is not None:
        lines.append(f"mAP     {100 * found.accuracy:+.3f} points")
    lines += [f"note    {text}" for text in found.remarks]
    data = {**found.as_data(), "new": [each.name for each in new], "baseline": [each.name for each in old]}
    if found.faults:
        reasons = "; ".join(found.faults)
        return Answer({"error": f"worse: {reasons}", **data}, [*lines, f"WORSE   {reasons}"], status=MismatchError.code)
    return Answer(data, [*lines, "OK      as fast and as accurate, within the tolerances"])


def _experiments(request: Request, word: str) -> list[Entry]:
    """The experiments for a word: ``experiment:NAME``, a name alone, or a pattern, with an optional repository before it."""
    from ck_repo.store.search import find as found_in
    from ck_repo.store.search import load

    *before, name = word.split(":")
    if before and before[-1] != "experiment":
        raise UsageError(f"{word} is not an experiment", hint="experiment:NAME")
    repository = before[0] if len(before) > 1 else ""
    if not is_pattern(name):
        return [load(request.session.repositories, "experiment", name, repository)]
    rows = found_in(request.session.repositories, "experiment", name, repository=repository)
    if not rows:
        raise NotFoundError(f"no experiment matches {name}", hint="`ck ls experiment` lists them")
    return rows


def _share(text: str) -> float:
    """Parse a share: ``5%`` or ``0.05``."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise UsageError(f"--tolerance={text} is not a share", hint="--tolerance=5%, or --tolerance=0.05")
    return value
