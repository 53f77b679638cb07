"""Compare a replay with the recorded results."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ck_repo.contract.record import write
from ck_repo.experiments.compare import SETTINGS
from ck_repo.experiments.detections import Agreement, agreement
from ck_repo.experiments.experiment_table import setting_text
from ck_repo.experiments.figures import figures
from ck_repo.experiments.interval import geometric_interval
from ck_repo.experiments.meta import ExperimentMeta
from ck_repo.reproduce.difference import Difference
from ck_repo.store.plain_file import UnreadableError, flaw, read_plain
from ck_repo.table import pair_lines

_LOG = "accuracy/mlperf_log_accuracy.json"
_ORDER = ("accuracy", "performance")


@dataclass(frozen=True)
class Tolerances:
    """The tolerances.

    Attributes
    ----------
    mAP
        Absolute, 0–1.
    share
        Minimum share of equal detections, 0–1.
    """

    mAP: float = 0.001  # 0.1 percentage points
    share: float = 0.99


USUAL = Tolerances()


@dataclass(frozen=True)
class Speed:
    """Performance relative to the recorded one.

    Attributes
    ----------
    recorded, here
        The scenario's metric; `here` is the geometric mean of the repetitions.
    ratio
        Above 1: faster.
    interval
        95 % confidence interval of the ratio (`geometric_interval`); None for a single run.
    """

    unit: str
    recorded: float
    here: float
    ratio: float
    values: tuple[float, ...]
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Verdict:
    """The outcome of a replay.

    Attributes
    ----------
    reproduced
        Whether the accuracy is equal, within the tolerances. Nothing else is considered.
    why
        One sentence.
    mAP
        ``(recorded, here)``; None if it was not recorded.
    agreement
        Of the detections; None if a log is missing.
    same_order
        By test, whether the same samples were loaded and issued in the same order, up to the end of the shorter list; None if
        it was not recorded.
    """

    reproduced: bool
    why: str
    mAP: tuple[float, float] | None
    agreement: Agreement | None
    same_order: Mapping[str, bool | None]
    speed: Speed | None
    differences: Sequence[Difference] = field(default_factory=list)

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return {**asdict(self), "differences": [row.as_data() for row in self.differences]}


def judge(
    recorded: tuple[Path, ExperimentMeta],
    replays: Sequence[tuple[Path, ExperimentMeta]],
    differences: Sequence[Difference],
    tolerances: Tolerances,
) -> Verdict:
    """Compare replays with the recorded results.

    Parameters
    ----------
    recorded
        Folder and meta of the experiment.
    replays
        The same of each repetition; accuracy is from the first.
    """
    first, here = figures(recorded[1]), figures(replays[0][1])
    one, other = recorded[0], replays[0][0]
    whole = not flaw(one, _LOG) and not flaw(other, _LOG)
    found = agreement(one / _LOG, other / _LOG, (one, other)) if whole else None
    both = (first.mAP, here.mAP) if first.mAP is not None and here.mAP is not None else None
    reproduced, why = _accuracy(both, found, tolerances)
    order = {mode: _same_order(recorded[0], replays[0][0], mode) for mode in _ORDER}
    settings = [*differences, *_settings(recorded[1], replays[0][1])]
    return Verdict(reproduced, why, both, found, order, _speed(recorded[1], [meta for _, meta in replays]), settings)


def _accuracy(both: tuple[float, float] | None, found: Agreement | None, limit: Tolerances) -> tuple[bool, str]:
    if both is None:
        return False, "the experiment was recorded without accuracy, so there is nothing to compare with"
    gap = abs(both[0] - both[1])
    if gap > limit.mAP:
        return False, f"mAP {both[1]:.4f} differs by {gap:.4f} from the recorded {both[0]:.4f}; the tolerance is {limit.mAP:g}"
    if found is None:
        return True, "mAP is equal; the detections could not be compared, because an accuracy log is missing"
    if not found.same_samples:
        return False, "the accuracy logs have different samples"
    if found.share < limit.share:
        return (
            False,
            f"mAP is equal, but only {100 * found.share:.2f} % of the detections are; {100 * limit.share:g} % are required",
        )
    return True, f"mAP differs by {gap:.5f}, and {100 * found.share:.2f} % of the detections are equal"


def _same_order(one: Path, other: Path, mode: str) -> bool | None:
    """Whether the samples are equal up to the end of the shorter list; a faster run issues more of them."""
    try:
        rows = [json.loads(read_plain(folder, f"{mode}/samples.json")) for folder in (one, other)]
        common = min(len(row["issued"]) for row in rows)
        issued = rows[0]["issued"][:common] == rows[1]["issued"][:common]
        return issued and (mode == "accuracy" or rows[0]["loaded"] == rows[1]["loaded"])
    except (UnreadableError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _speed(recorded: ExperimentMeta, replays: Sequence[ExperimentMeta]) -> Speed | None:
    before = figures(recorded)
    values = [found.value for found in map(figures, replays) if found.value and found.value > 0]
    if not before.value or before.value < 0 or not values:
        return None
    ratios = [before.value / value if before.lower_is_better else value / before.value for value in values]
    return Speed(
        before.unit,
        before.value,
        statistics.geometric_mean(values),
        statistics.geometric_mean(ratios),
        tuple(values),
        geometric_interval(ratios),
    )


def _settings(one: ExperimentMeta, other: ExperimentMeta) -> list[Difference]:
    """What a run measured or selected itself: sessions, threads, batch, versions."""
    names = (*SETTINGS, "loadgen_version", "scenario")
    left, right = (write(meta.results) if meta.results else {} for meta in (one, other))
    return [
        Difference("setting", name, setting_text(left.get(name, "")), setting_text(right.get(name, "")))
        for name in names
        if left.get(name) != right.get(name)
    ]


def verdict_lines(verdict: Verdict) -> list[str]:
    """The verdict as text."""
    rows = [("verdict", ("REPRODUCED: " if verdict.reproduced else "NOT REPRODUCED: ") + verdict.why)]
    if verdict.mAP:
        rows.append(("mAP", f"{verdict.mAP[0]:.5f} recorded, {verdict.mAP[1]:.5f} here"))
    if verdict.agreement:
        found = verdict.agreement
        rows.append(("detections", f"{100 * found.share:.2f} % equal, of {found.one} recorded and {found.other} here"))
    words = {True: "the same", False: "ANOTHER", None: "not recorded"}
    rows += [(f"order, {mode}", words[same]) for mode, same in verdict.same_order.items()]
    if speed := verdict.speed:
        spread = ", no interval from a single run (--repetitions=3 gives one)"
        if speed.interval:
            spread = f", 95 % interval {speed.interval[0]:.3f} to {speed.interval[1]:.3f}"
        text = f"{speed.ratio:.3f} times the recorded speed{spread} ({speed.recorded:.5g} → {speed.here:.5g} {speed.unit}"
        rows.append(("performance", text + f", {len(speed.values)} run{'s' if len(speed.values) > 1 else ''})"))
    rows += [("differs" if number == 0 else "", str(row)) for number, row in enumerate(verdict.differences)]
    return pair_lines(rows)
