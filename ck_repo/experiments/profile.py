"""The time of a sample by stage, as a table, for a run with ``--profile``."""

from __future__ import annotations

from collections.abc import Sequence

from ck_repo.contract.results import Profile

COLUMNS = ("stage", "µs a sample", "share of the sessions' time")
_STAGES = (
    ("batch", "batch_us"),
    ("framework", "framework_us"),
    ("packing", "packing_us"),
    ("LoadGen", "loadgen_us"),
    ("rest of the harness", "harness_us"),
    ("waiting for samples", "idle_us"),
)


def profile_rows(profile: Profile) -> list[tuple[str, str, str]]:
    """Stage, time of a sample, and share of all sessions' time, which does not include the time in the queue."""
    values = [(name, float(getattr(profile, key))) for name, key in _STAGES]
    total = sum(value for _, value in values)
    rows = [(name, f"{value:.1f}", f"{value / total:.1%}" if total else "") for name, value in values]
    return [("queue", f"{profile.queue_us:.1f}", ""), *rows]


def profile_lines(profile: Profile) -> Sequence[str]:
    """The table as text, with a heading."""
    rows = profile_rows(profile)
    wide = max(len(name) for name, _, _ in rows)
    digits = max(len(value) for _, value, _ in rows)
    sizes = f"{profile.samples} samples in {profile.batches} batches, {profile.sessions} session{'s' * (profile.sessions != 1)}"
    return [
        f"µs a sample, and share of the sessions' time ({sizes})",
        *(f"{name.ljust(wide)}  {value.rjust(digits)}  {share.rjust(6)}".rstrip() for name, value, share in rows),
    ]
