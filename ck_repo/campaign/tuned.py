"""Settings from a search on this machine, for `ck run --tuned`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import MODULE, TUNE, Campaign, read_campaign
from ck_repo.campaign.conditions import changes, conditions_of
from ck_repo.campaign.goal import GOALS
from ck_repo.campaign.matrix import Cell, cell_of
from ck_repo.errors import CKError, NotFoundError
from ck_repo.machine.platform import same_machine
from ck_repo.run.options import AUTO, MEASURED, RunOptions
from ck_repo.run.prepare import RunPlan, prepare
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.search import find

# what a search is about: a run that differs in one of these has no settings from it
_SUBJECT = ("model", "dataset", "device", "target_latency", "added_tags", "reference_faults")
# what a search finds, or its user fixed: a run gets these
_SETTINGS = ("backend", "backend_options", "calibration", "visible_devices", *MEASURED)


@dataclass(frozen=True)
class Settings:
    """Settings and their search.

    Attributes
    ----------
    fixed
        The options of the search: what a run shares with them, it leaves to the search.
    values
        Values of run options, by the names of `RunOptions`; always with the backend.
    conditions
        What they hold for, besides the machine.
    beats
        Whether they are faster than the default choice; otherwise they are those of the default choice.
    """

    campaign: Entry
    fixed: RunOptions
    values: Mapping[str, Any]
    conditions: Mapping[str, Any]
    beats: bool
    ratio: float

    def contradiction(self, options: RunOptions) -> str:
        """Why the settings are not for a run: it gives another model, data set or backend than they have; empty if they are."""
        given = _given(options, self.fixed)
        for name in ("model", "dataset", "backend"):
            if name in given and name in self.values and given[name] != self.values[name]:
                return f"its settings are for {name} {self.values[name]}"
        return ""

    def applied(self, options: RunOptions) -> RunOptions:
        """The options of a run with the settings; what the run gives takes precedence, also each option of the backend."""
        given = _given(options, self.fixed)
        own = {**(self.values.get("backend_options") or {}), **options.backend_options}
        values = {name: value for name, value in self.values.items() if name not in given}
        return options.with_values({**values, "backend_options": own})

    def outdated(self, session: Session, program: Entry, options: RunOptions) -> str:
        """What has changed since the search, so that the settings do not hold any more; empty if nothing has."""
        names = (*_SUBJECT, "scenario", "round", "venv")
        searched = self.applied(RunOptions.of({name: getattr(options, name) for name in names}))
        try:
            now = conditions_of(prepare(session, program, searched))
        except CKError as error:
            return error.what
        return "; ".join(changes(self.conditions, now))


def settings_of(cell: Cell, plan: RunPlan) -> dict[str, object]:
    """The options of a search's cell that a run gets: what was searched, and what the user fixed.

    Parameters
    ----------
    plan
        The cell's. It has the backend also if that is the model's default, and absolute paths.
    """
    names = {*_SETTINGS, *(name.partition(".")[0] for name in cell.values)}
    return {name: value for name, value in plan.options.as_data().items() if name in names} | {"backend": plan.backend}


def tuned_options(session: Session, program: Entry, options: RunOptions) -> RunOptions:
    """Options with the settings of the latest matching search on this machine; the user's options take precedence.

    Raises
    ------
    NotFoundError
        If there was no search for the program, model, data set, device, backend and scenario on this machine, or all of them
        are outdated.
    """
    found = settings_for(session, program, options)
    if found is None:
        asked = {"model": options.model, "backend": "" if options.backend == AUTO else options.backend}
        named = " and ".join(f"the {name} {value}" for name, value in asked.items() if value)
        raise NotFoundError(
            f"there are no tuned settings for {program.cid}, {options.scenario}, on this machine{named and f', with {named}'}",
            hint=f"`ck tune {program.cid} --goal=throughput|latency|server` searches for them, with the same options",
        )
    if not found.beats:
        progress.say(f"note: {found.campaign.cid} found nothing faster than its default choice, which is used", always=True)
    else:
        progress.say(f"settings of {found.campaign.cid}, {found.ratio:.3g} times as fast as the default choice")
    return found.applied(options)


def settings_for(session: Session, program: Entry, options: RunOptions) -> Settings | None:
    """The latest settings for a run on this machine that hold for the installed software, the model and the data set.

    Parameters
    ----------
    options
        The run's: model, backend and other options that were fixed in the search have to agree.

    Returns
    -------
    Settings or None
        None if there are none. Campaigns that cannot be read, and settings that do not hold any more, are skipped with a
        warning.
    """
    found = sorted(_of_machine(session, program, options), key=lambda row: row[0], reverse=True)
    for _, settings in found:
        if why := settings.contradiction(options):
            progress.say(f"{settings.campaign.cid} is not used: {why}")
        elif why := settings.outdated(session, program, options):
            progress.warn(f"the settings of {settings.campaign.cid} are not used: {why}. Repeat its search for new ones")
        else:
            return settings
    return None


def _of_machine(session: Session, program: Entry, options: RunOptions) -> Iterator[tuple[str, Settings]]:
    """The settings of searches on this machine for what a run is about, with the time of each."""
    for entry in find(session.repositories, MODULE, tags=f"{MODULE},{TUNE}"):
        try:
            campaign, meta = read_campaign(entry), entry.meta()
        except CKError as error:
            progress.warn(f"{entry.cid} is skipped: {error.what}")
            continue
        kept = meta.get("settings") or {}
        if meta.get("verdicts") and not meta.get("settings"):
            progress.warn(f"{entry.cid} is skipped: an earlier version of ck recorded it. Repeat its search")
        goal = next((name for name in kept if name in GOALS and GOALS[name].scenario == options.scenario), "")
        if not goal or campaign.definition.machine != same_machine() or not _is_for(campaign, program, options):
            continue
        row, verdict, fixed = kept[goal], meta["verdicts"][goal], cell_of(campaign.definition.matrix.fixed, {}).options
        beats, ratio = bool(verdict["beats_default"]), float(verdict["ratio"])
        yield str(meta.get("ended", "")), Settings(entry, fixed, row["options"], row["conditions"], beats, ratio)


def _is_for(campaign: Campaign, program: Entry, options: RunOptions) -> bool:
    if campaign.definition.program != program.uid:
        return False
    fixed = cell_of(campaign.definition.matrix.fixed, {}).options
    searched = campaign.definition.matrix.axes
    return all(getattr(fixed, name) == getattr(options, name) for name in _SUBJECT if name not in searched)


def _given(options: RunOptions, fixed: RunOptions) -> dict[str, object]:
    """What a run gives, without what the search had as well: that was the search's to decide."""
    usual, shared = replace(RunOptions(), backend=AUTO).as_data(), fixed.as_data()
    return {
        name: value
        for name, value in options.as_data().items()
        if name not in ("backend_options", "scenario") and value not in (usual.get(name), shared.get(name))
    }
