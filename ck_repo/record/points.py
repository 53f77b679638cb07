"""The points of an experiment: its tests, or what another CK recorded in it."""

from __future__ import annotations

from ck_repo.store.entry import Entry

_POINT = "ckp-"  # beginning of the file names of a point in CK's experiments


def points_of(entry: Entry) -> list[str]:
    """The tests of a recorded run (``accuracy``, ``performance``); of CK's own experiments the UIDs of their points."""
    recorded = {path.name.removeprefix(_POINT).split(".")[0] for path in entry.path.glob(f"{_POINT}*")}
    spec = entry.meta().get("spec")
    tests = spec.get("modes", []) if isinstance(spec, dict) else []
    return [*tests, *sorted(recorded)]
