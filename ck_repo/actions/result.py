"""Published figures: import, list."""

from __future__ import annotations

from pathlib import Path

from ck_repo.actions.declare import REPOSITORY, Actions, Answer, Option, action, table_lines
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.request import Request
from ck_repo.actions.round import ROUND, round_of
from ck_repo.contract.record import write

ACTIONS: Actions = {}
_FILTERS = [
    Option("model", "ssd-mobilenet (also ssd-small) or ssd-resnet34 (also ssd-large)", value="NAME"),
    Option("scenario", "offline, server, singlestream or multistream", value="offline"),
    Option("system", "part of the system's name", value="NAME"),
    Option("submitter", "part of the submitter's name", value="NAME"),
    Option("division", "closed or open", choices=("closed", "open"), value="closed"),
    Option("round", "only this round (default all)", choices=ROUND.choices, value=ROUND.value),
]


@action(
    ACTIONS,
    "import",
    "take published figures into the local index, from a table or a submission tree",
    example="ck import results --path=published.csv",
    options=[Option("path", "a table (CSV), or the root of a submission tree", value="FILE"), ROUND],
)
def take(request: Request) -> Answer:
    """Import figures; `ck compare experiment:X --published` sets a run beside them."""
    from ck_repo.experiments.published import import_results

    entry, rows = import_results(
        request.session, round_of(request), Path(request.needed("path", "name a table or a tree: --path=FILE"))
    )
    return Answer(
        {**row_of(entry), "count": len(rows), "lst": [write(row) for row in rows]},
        [f"imported {len(rows)} results; `ck ls result` lists them, `ck rm result:{entry.alias}` forgets them"],
    )


@action(
    ACTIONS,
    "ls",
    "published figures, of tables and of imported submissions",
    example="ck ls result --scenario=offline",
    options=[*_FILTERS, REPOSITORY],
)
def ls(request: Request) -> Answer:
    """List figures; mAP is in percent, as published."""
    from ck_repo.experiments.published import all_published, matching, unread_results

    names = ("model", "scenario", "system", "submitter", "division")
    wanted = {name: request.text(name) for name in names} | {"round_": request.text("round")}
    rows = matching(all_published(request.session, request.repository), **wanted)
    table = [(row.round, *row.key, row.value_text, "VALID" if row.valid else "INVALID", row.map_text) for row in rows]
    header = ("round", "division", "submitter", "system", "model", "scenario", "result", "valid", "mAP")
    empty = ["no published result here: `ck import results --path=FILE`, or `ck import submission --path=TREE`"]
    lines = table_lines(header, table) if rows else empty
    others = [] if any(wanted.values()) else unread_results(request.session, request.repository)
    if others:
        lines = [*lines, "", "results of other CK modules, which are not published figures of this benchmark:"]
        lines += [f"  {entry.repository}:{entry.cid}: {what}" for entry, what in others]
    other = [{**row_of(entry), "what": what} for entry, what in others]
    return Answer({"lst": [write(row) for row in rows], "others": other}, lines)
