"""Published results: import, list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import REPOSITORY, Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.request import Request
from ck_repo.actions.round import ROUND, round_of
from ck_repo.contract.record import write
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.experiments.published_figure import Published

ACTIONS: Actions = {}
_FILTERS = [
    Option("model", "ssd-mobilenet (also ssd-small) or ssd-resnet34 (also ssd-large)", value="NAME"),
    Option("scenario", "offline, server, singlestream or multistream", value="offline"),
    Option("system", "a part of the system's name", value="NAME"),
    Option("submitter", "a part of the submitter's name", value="NAME"),
    Option("division", "closed or open", choices=("closed", "open"), value="closed"),
    Option("round", "only this round (default all)", choices=ROUND.choices, value=ROUND.value),
]


def _filters(request: Request) -> dict[str, str]:
    """The options of `_FILTERS`, as `matching` takes them."""
    names = ("model", "scenario", "system", "submitter", "division")
    return {name: request.text(name) for name in names} | {"round_": request.text("round")}


def _sorts() -> tuple[str, ...]:
    from ck_repo.experiments.published import SORTS

    return SORTS


@action(
    ACTIONS,
    "import",
    "import published results from a table or a submission tree into the local index",
    example="ck import results --path=published.csv",
    options=[Option("path", "a table (CSV), or the root of a submission tree", value="FILE"), ROUND],
)
def take(request: Request) -> Answer:
    """Import results; `ck compare experiment:X --published` compares a run with them."""
    from ck_repo.experiments.published import import_results

    entry, rows = import_results(
        request.session, round_of(request), Path(request.needed("path", "give a table or a tree: --path=FILE"))
    )
    return Answer(
        {**row_of(entry), "count": len(rows), "lst": [write(row) for row in rows]},
        [f"imported {len(rows)} results; `ck ls result` lists them, `ck rm result:{entry.alias}` removes them"],
    )


@action(
    ACTIONS,
    "ls",
    "list published results, from tables and imported submissions",
    example="ck ls result --scenario=offline",
    options=[
        *_FILTERS,
        Option("sort", "the order (default round); for value and mAP the best first", choices=_sorts, value="value"),
        REPOSITORY,
    ],
)
def ls(request: Request) -> Answer:
    """List results; mAP is in percent, as published."""
    from ck_repo.experiments.published import all_published, matching, sort_results, unread_results

    wanted = _filters(request)
    rows = matching(all_published(request.session, request.repository), **wanted)
    rows = sort_results(rows, request.text("sort") or "round")
    table = [(row.round, *row.key, row.value_text, "VALID" if row.valid else "INVALID", row.map_text) for row in rows]
    header = ("round", "division", "submitter", "system", "model", "scenario", "result", "valid", "mAP")
    empty = ["there are no published results here: `ck import results --path=FILE`, or `ck import submission --path=TREE`"]
    lines = table_lines(header, table) if rows else empty
    others = [] if any(wanted.values()) else unread_results(request.session, request.repository)
    if others:
        lines = [*lines, "", "results of other CK modules, which are not published results of this benchmark:"]
        lines += [f"  {entry.repository}:{entry.cid}: {what}" for entry, what in others]
    other = [{**row_of(entry), "what": what} for entry, what in others]
    return Answer({"lst": [write(row) for row in rows], "others": other}, lines)


@action(
    ACTIONS,
    "find",
    "list the published systems most similar to this machine, or to the system of a JSON file, with their results",
    example="ck find result --like=systems/my-server.json --model=ssd-resnet34",
    options=[
        Option("like", "a system's JSON, as in a submission (default: this machine)", value="FILE"),
        *_FILTERS,
        Option("top", "how many systems (default 5)", kind="integer", minimum=1, value="N"),
    ],
)
def find(request: Request) -> Answer:
    """Find the systems with the most similar processors, accelerators and counts."""
    from ck_repo.errors import NotFoundError
    from ck_repo.experiments.nearest_system import hardware_of_machine, hardware_of_system, nearest_systems
    from ck_repo.experiments.published import all_published, matching
    from ck_repo.machine.hardware import describe_hardware
    from ck_repo.machine.platform import describe_platform

    if request.text("like"):
        like = hardware_of_system(_system(Path(request.text("like")).expanduser()))
    else:
        found = describe_hardware()
        like = hardware_of_machine(
            describe_platform(), str(found.get("accelerator", "")), int(found.get("accelerators", 0) or 0)
        )
    rows = matching(all_published(request.session), **_filters(request))
    if not rows:
        raise NotFoundError(
            "no published result matches",
            hint="`ck import results --path=FILE`, or `ck import submission --path=TREE`",
        )
    systems = nearest_systems(rows, like, request.integer("top") or 5)
    accelerator = f"{like.accelerators or 0:g} × {like.accelerator}" if like.accelerator else "no accelerator"
    lines, data = [f"like {like.processors or 0:g} × {like.processor or 'unknown processor'}, {accelerator}:"], []
    for row in systems:
        first = row.results[0]
        lines += ["", f"{row.likeness:.2f}  {first.round} {first.division} {first.submitter}/{first.system}: {_parts(first)}"]
        lines += [f"      {each.model} {each.scenario}: {each.value_text}, mAP {each.map_text}" for each in row.results]
        data.append({"likeness": row.likeness, "results": [write(each) for each in row.results]})
    return Answer({"like": vars(like), "lst": data}, lines)


def _parts(row: Published) -> str:
    accelerator = f", {row.accelerators or 0:g} × {row.accelerator}" if row.accelerators else ""
    return f"{row.processors or 0:g} × {row.processor}{accelerator}, {row.framework}"


def _system(path: Path) -> dict[str, object]:
    from ck_repo.submit.generate import read_system

    return read_system(path)
