"""Campaigns: compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError
from ck_repo.store.search import load
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.campaign.comparison import Comparison, Side
    from ck_repo.session import Session
    from ck_repo.store.entry import Entry

ACTIONS: Actions = {}
_COMPARED = ("campaign", "experiment")


@action(
    ACTIONS,
    "compare",
    "compare the machines and cells of a campaign, or campaigns with the first: settings that differ, speeds with intervals",
    example="ck compare campaign:before campaign:after",
    usage="ck compare campaign:A [--machine=NAME] [--cell=OPTION=VALUE,…] | ck compare campaign:A campaign:B|experiment:B …",
    options=[
        Option("machine", "the machine of the first campaign to compare with (default: the first by name)", value="NAME"),
        Option(
            "cell",
            "with one campaign, the cell to compare with (default: the first that is complete)",
            value="batch_size=1,threads=2",
        ),
        Option("all", "also show equal settings", kind="flag"),
    ],
    more_entries=True,
)
def compare(request: Request) -> Answer:
    """Compare campaigns."""
    return compared(request)


def compared(request: Request) -> Answer:
    """Compare what a request names: campaigns, and experiments with campaigns."""
    from ck_repo.campaign.compare import compare_sides, compare_within

    entries = _entries(request)
    first, *others = [_side(request.session, entry) for entry in entries]
    machine = request.text("machine")
    if others and request.text("cell"):
        raise UsageError("--cell= is for one campaign: campaigns are compared cell by cell", hint="omit it")
    found = [each for other in others for each in compare_sides(first, other, machine)]
    if not others:
        found = compare_within(first, machine, _cell(request))
        if not found:
            raise UsageError(
                f"{first.name} has one result, which there is nothing to compare with",
                hint=f"name another campaign or an experiment: `ck compare {first.name} campaign:B`",
            )
    data = {"lst": [row_of(entry) for entry in entries], "comparisons": [each.as_data() for each in found]}
    return Answer(data, _lines(found, every=request.flag("all")))


def _cell(request: Request) -> dict[str, tuple[Any, ...]]:
    """The values of ``--cell=``, by the names of axes."""
    from ck_repo.campaign.definition import read_conditions

    return read_conditions(request.text("cell"), "--cell") if request.text("cell") else {}


def _entries(request: Request) -> list[Entry]:
    """The entries that a request names; a word without a colon is an entry of the first one's module."""
    found = []
    for row in (request.target, *request.more):
        module, name = (row.module, row.entry) if row.entry else (request.module, row.module)
        if row is request.target:
            name = row.entry
        if module not in _COMPARED:
            raise UsageError(f"{row.text} is neither a campaign nor an experiment")
        if not name:
            raise UsageError(f"`ck compare {module}` needs the name of one entry", hint=f"`ck ls {module}` lists them")
        found.append(load(request.session.repositories, module, name, row.repository))
    return found


def _side(session: Session, entry: Entry) -> Side:
    from ck_repo.campaign.campaign import TUNE, read_campaign
    from ck_repo.campaign.comparison import Side
    from ck_repo.campaign.matrix import Cell
    from ck_repo.campaign.recorded import campaign_of
    from ck_repo.campaign.results import result_of, results
    from ck_repo.experiments.meta import own_experiment, read_experiment
    from ck_repo.run.options import RunOptions

    if entry.module == "experiment":
        machine = str(campaign_of(read_experiment(own_experiment(entry, "compared"))).get("machine") or "")
        return Side(entry.cid, (result_of(Cell("", {}, RunOptions()), machine, [entry]),), single=True)
    campaign = read_campaign(entry)
    if campaign.kind == TUNE:
        raise UsageError(
            f"{entry.cid} is a search for settings, whose trials are not comparable runs",
            hint=f"`ck show {entry.cid}` compares the best settings with the default choice",
        )
    return Side(entry.cid, tuple(results(session, campaign)))


def _lines(found: Sequence[Comparison], *, every: bool) -> list[str]:
    from ck_repo.campaign.comparison_table import (
        SPARE,
        heading,
        pairs_table,
        remarks,
        settings_table,
        summary,
        without_pairs,
    )

    lines: list[str] = []
    for each in found:
        lines += ["", heading(each)]
        settings = settings_table(each, every=every)
        if settings:
            lines += ["", *table_lines(("setting", each.first, each.other), settings)]
        elif each.settings:
            lines.append(f"all {len(each.settings)} settings are equal")
        if not each.pairs:
            lines.append(without_pairs(each))
            continue
        header, rows = pairs_table(each)
        lines += ["", *table_lines(header, rows, SPARE)]
        if total := summary(each):
            lines += ["", total]
        if any(each.alone):
            lines.append(f"without a counterpart: {each.alone[0]} results of {each.first}, {each.alone[1]} of {each.other}")
    more = remarks(found)
    return [*lines[1:], *(["", *more] if more else [])]
