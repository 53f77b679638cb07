"""Settings from a search on this machine, for `ck run --tuned`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo import progress
from ck_repo.campaign.campaign import MODULE, TUNE, Campaign, read_campaign
from ck_repo.campaign.goal import GOALS
from ck_repo.campaign.matrix import cell_of
from ck_repo.errors import CKError, NotFoundError
from ck_repo.machine.platform import same_machine
from ck_repo.run.options import RUN_OPTIONS, RunOptions
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.search import find

# what has to be the same for settings to be of use
_SUBJECT = ("model", "dataset", "device", "target_latency", "added_tags")


@dataclass(frozen=True)
class Settings:
    """Settings and their search.

    Attributes
    ----------
    beats
        Whether they are faster than the default choice; otherwise the default is used.
    """

    campaign: Entry
    values: Mapping[str, Any]
    beats: bool
    ratio: float


def tuned_options(session: Session, program: Entry, options: RunOptions) -> RunOptions:
    """Options with the settings of the latest matching search on this machine; the user's options take precedence.

    Raises
    ------
    NotFoundError
        If there was no search for the program, model, data set, device and scenario on this machine.
    """
    found = settings_for(session, program, options)
    if found is None:
        raise NotFoundError(
            f"there are no tuned settings for {program.cid}, {options.scenario}, on this machine"
            + (f", with the model {options.model}" if options.model else ""),
            hint=f"`ck tune {program.cid} --goal=throughput|latency|server` searches for them, with the same options",
        )
    if not found.beats:
        progress.say(f"note: {found.campaign.cid} found nothing faster than the default choice, which is used", always=True)
        return options
    progress.say(f"settings of {found.campaign.cid}, {found.ratio:.3g} times as fast as the default choice")
    given = options.as_data()
    default = RunOptions().as_data()
    fresh = {name for name, value in given.items() if default.get(name) != value}
    values = {name: value for name, value in found.values.items() if name.partition(".")[0] not in fresh}
    return cell_of({row.name: getattr(options, row.name) for row in RUN_OPTIONS}, values).options


def settings_for(session: Session, program: Entry, options: RunOptions) -> Settings | None:
    """The latest settings for a run on this machine.

    Parameters
    ----------
    options
        The run's: model, backend and other options that were fixed in the search have to agree.

    Returns
    -------
    Settings or None
        None if there are none. Campaigns that cannot be read are skipped with a warning.
    """
    latest: tuple[str, Settings] | None = None
    for entry in find(session.repositories, MODULE, tags=f"{MODULE},{TUNE}"):
        try:
            campaign, meta = read_campaign(entry), entry.meta()
        except CKError as error:
            progress.warn(f"{entry.cid} is skipped: {error.what}")
            continue
        verdict = _verdict(meta, options.scenario)
        if verdict is None or meta.get("machine") != same_machine() or not _is_for(campaign, program, options):
            continue
        settings = Settings(entry, verdict.get("values") or {}, bool(verdict.get("beats_default")), float(verdict["ratio"]))
        if latest is None or str(meta.get("ended", "")) > latest[0]:
            latest = (str(meta.get("ended", "")), settings)
    return latest[1] if latest else None


def _verdict(meta: Mapping[str, Any], scenario: str) -> Mapping[str, Any] | None:
    """The verdict of the goal that a scenario measures."""
    verdicts = meta.get("verdicts")
    for name, verdict in verdicts.items() if isinstance(verdicts, Mapping) else ():
        if name in GOALS and GOALS[name].scenario == scenario and isinstance(verdict, Mapping):
            return verdict
    return None


def _is_for(campaign: Campaign, program: Entry, options: RunOptions) -> bool:
    if campaign.definition.program != program.uid:
        return False
    fixed = cell_of(campaign.definition.matrix.fixed, {}).options
    searched = campaign.definition.matrix.axes
    return all(getattr(fixed, name) == getattr(options, name) for name in _SUBJECT if name not in searched)
