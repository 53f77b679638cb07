"""Comparison of experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.errors import NotFoundError
from ck_repo.experiments.detections import compared, read_detections
from ck_repo.experiments.experiment_table import setting_text
from ck_repo.experiments.figures import Figures, figures
from ck_repo.experiments.meta import ExperimentMeta, read_experiment
from ck_repo.experiments.published import all_published, matching
from ck_repo.experiments.published_figure import Published
from ck_repo.rounds.comparable import compare_rules
from ck_repo.rounds.round import find_round
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.plain_file import MISSING, flaw, shown

# what a run chose or measured itself, by its name in the results
SETTINGS = (
    "backend", "backend_version", "device", "sessions", "threads", "batch_size", "processes", "images", "backend_options",
)  # fmt: skip
_LOG = "accuracy/mlperf_log_accuracy.json"


@dataclass(frozen=True)
class Row:
    """One property of every experiment.

    Attributes
    ----------
    values
        In the order of the experiments; empty for experiments without it.
    """

    name: str
    values: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all values are equal."""
        return len(set(self.values)) == 1


def side_by_side(entries: Sequence[Entry]) -> list[Row]:
    """Common and different properties of experiments: results, settings, machine, versions of Python packages."""
    columns = [properties(entry) for entry in entries]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [Row(name, tuple(column.get(name, "") for column in columns)) for name in names]
    return _with_ratios(rows, entries)


def properties(entry: Entry) -> dict[str, str]:
    """The properties of an experiment: results, settings, machine, versions of Python packages."""
    meta = read_experiment(entry)
    found = figures(meta)
    column = {"model": found.model, "scenario": found.scenario, **_figures(found)}
    results = write(meta.results) if meta.results else {}
    for name in ("dataset", *SETTINGS, "official"):
        if name in results and results[name] != {}:
            column[name.replace("_", " ")] = setting_text(results[name])
    column["LoadGen"] = str(results.get("loadgen_version") or meta.settings.get("loadgen_version", ""))
    column |= _machine(meta)
    for name, version in (meta.venv.packages if meta.venv else {}).items():
        column[f"package {name}"] = version
    return column


def _figures(found: Figures) -> dict[str, str]:
    text = "" if found.value is None else f"{found.value:.6g} {found.unit}{'' if found.valid else ' (INVALID)'}"
    latency = "" if found.latency_ms is None else f"{found.latency_ms:.6g} ms"
    return {"mAP": "" if found.mAP is None else f"{found.mAP:.5f}", "performance": text, "p99": latency}


def _machine(meta: ExperimentMeta) -> dict[str, str]:
    machine, system = meta.platform, meta.system
    if machine is None:
        return {
            "CPU": str(system.get("host_processor_model_name", "")),
            "accelerator": str(system.get("accelerator_model_name", "")),
            "framework": str(system.get("framework", "")),
            "OS": str(system.get("operating_system", "")),
        }
    campaign = meta.data.get("campaign")
    name = campaign.get("machine") if isinstance(campaign, Mapping) else ""
    return {
        **({"machine": str(name)} if name else {}),
        "CPU": machine.cpu,
        "cores": "" if machine.cores_usable is None else str(machine.cores_usable),
        "OS": machine.os,
        "governor": machine.governor,
        "Python": meta.venv.python if meta.venv else "",
    }


def _with_ratios(rows: list[Row], entries: Sequence[Entry]) -> list[Row]:
    """Speed relative to the first experiment, and the share of detections equal to those of the first."""
    ratios = ["" if ratio is None else f"{ratio:.3f}" for ratio in speeds(entries)]
    shares = ["" if share is None else f"{100 * share:.2f} %" for share in equal_detections(entries)]
    at = next(number for number, row in enumerate(rows) if row.name == "p99") + 1
    more = [Row("speed relative to the first", tuple(ratios)), Row("equal detections", tuple(shares))]
    return [*rows[:at], *(row for row in more if any(row.values)), *rows[at:]]


def speeds(entries: Sequence[Entry]) -> list[float | None]:
    """Speed of each experiment relative to the first, above 1 if faster; None where the results cannot be compared."""
    found = [figures(read_experiment(entry)) for entry in entries]
    return [_ratio(row.value, found[0]) if row.unit == found[0].unit else None for row in found]


def equal_detections(entries: Sequence[Entry]) -> list[float | None]:
    """The share of detections equal to those of the first experiment, 0–1; None without an accuracy log."""
    comparable = [_has_log(entry) for entry in entries]
    if not comparable[0]:
        return [None] * len(entries)
    first = read_detections(entries[0].path / _LOG, entries[0].path)
    return [
        compared(first, read_detections(entry.path / _LOG, entry.path)).share if there else None
        for entry, there in zip(entries, comparable, strict=True)
    ]


def _has_log(entry: Entry) -> bool:
    """Whether an experiment has a complete accuracy log; those of published results are truncated."""
    why = flaw(entry.path, _LOG)
    if why not in ("", MISSING):
        progress.say(f"not compared: {shown(entry.path / _LOG)} is {why}")
    return not why and read_experiment(entry).published is None


@dataclass(frozen=True)
class Beside:
    """A published result compared with an experiment.

    Attributes
    ----------
    speed
        Speed relative to the experiment, above 1 if the published result is faster; None where the rules do not allow a
        comparison.
    note
        How the rules of its round differ from those of the experiment; empty if they do not.
    """

    published: Published
    speed: float | None
    note: str


def beside_published(session: Session, found: Figures, round_: str = "") -> list[Beside]:
    """The published results of the same model and scenario: those of the experiment's round first, then the best first.

    Parameters
    ----------
    round_
        Only results of this round; all if empty.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    model = found.benchmark or found.model
    rows = matching(all_published(session), model=model, scenario=found.scenario, round_=round_)
    if not rows:
        which = f" in round {round_}" if round_ else ""
        raise NotFoundError(
            f"there are no published results of {model}, {found.scenario}{which}",
            hint="`ck import results --path=FILE.csv`, or `ck import submission --path=TREE`",
        )
    return sorted((_beside(row, found) for row in rows), key=lambda row: _order(row, found))


def _beside(row: Published, found: Figures) -> Beside:
    one, other = find_round(found.round), find_round(row.round)
    if one is None or other is None:
        return Beside(row, None, f"round {found.round if one is None else row.round} is not supported")
    rules = compare_rules(one, other, row.scenario, found.benchmark)
    notes = [*rules.notes, *(["inferred from another scenario"] if row.inferred else [])]
    return Beside(row, _ratio(row.value, found) if rules.comparable else None, "; ".join(notes))


def _order(row: Beside, found: Figures) -> tuple[bool, bool, float]:
    return (row.published.round != found.round, row.speed is None, -(row.speed or 0.0))


def _ratio(value: float | None, found: Figures) -> float | None:
    if not value or not found.value:
        return None
    return found.value / value if found.lower_is_better else value / found.value
