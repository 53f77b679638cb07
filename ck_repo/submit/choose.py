"""Select the experiments for a submission tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ck_repo import progress
from ck_repo.contract.results import Results
from ck_repo.errors import NotFoundError
from ck_repo.experiments.figures import TRIAL, figures
from ck_repo.experiments.meta import ExperimentMeta, readable
from ck_repo.machine.platform import Platform
from ck_repo.rounds.round import Round
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.search import find


@dataclass(frozen=True)
class Chosen:
    """The experiments of a result.

    Attributes
    ----------
    performance, accuracy
        Often the same experiment.
    tests
        Compliance runs, by test.
    logged
        The scenario that was run, if `scenario` is inferred from its log; else empty.
    """

    benchmark: str
    scenario: str
    performance: Entry
    accuracy: Entry
    tests: Mapping[str, Entry]
    logged: str = ""

    def __str__(self) -> str:
        inferred = f", inferred from {self.logged}" if self.logged else ""
        return f"{self.benchmark} {self.scenario} ({self.performance.cid}{inferred})"


def choose(session: Session, round_: Round, tags: str = "") -> list[Chosen]:
    """The best experiment of each benchmark and scenario in a round, with its compliance runs.

    Runs of a search for targets are ignored. Runs without accuracy are skipped with a note.

    Raises
    ------
    NotFoundError
        If there are none.
    """
    rows = list(readable(find(session.repositories, "experiment", tags=tags)))
    runs = [(entry, meta) for entry, meta in rows if meta.results and _of_round(meta, round_)]
    runs = [(entry, meta) for entry, meta in runs if not _test_of(meta) and TRIAL not in meta.tags]
    tests = _tests_by_parent(session)  # whatever their tags: they belong to the experiment that they were compared with
    groups: dict[tuple[str, str], list[tuple[Entry, ExperimentMeta]]] = {}
    for entry, meta in runs:
        found = figures(meta)
        groups.setdefault((found.benchmark, found.scenario), []).append((entry, meta))
    chosen = []
    for (benchmark, scenario), group in sorted(groups.items()):
        if not benchmark or round_.find_scenario(scenario) is None:
            continue
        performance = _best(group, "performance", tests)
        if performance is None:
            continue
        accuracy = performance
        if not _has(performance[1], "accuracy"):
            alike = [row for row in group if _same_system(row[1], performance[1])]
            accuracy = _best(alike, "accuracy", tests) or performance
        if not _has(accuracy[1], "accuracy"):
            text = "it has no accuracy run of the same model and backend; run it with --mode=both"
            progress.say(f"note: {performance[0].cid} ({benchmark}, {scenario}) is skipped: {text}")
            continue
        chosen.append(Chosen(benchmark, scenario, performance[0], accuracy[0], tests.get(performance[0].uid, {})))
    if not chosen:
        raise NotFoundError(
            f"no experiment with performance and accuracy in round {round_}" + (f" has the tags {tags}" if tags else ""),
            hint="`ck run program:object-detection --official` records one",
        )
    return chosen


def _of_round(meta: ExperimentMeta, round_: Round) -> bool:
    return meta.options.round == round_.name


def _test_of(meta: ExperimentMeta) -> str:
    """The compliance test of a run; empty if it is none."""
    return meta.options.compliance


def _has(meta: ExperimentMeta, part: str) -> bool:
    """Whether a run has `accuracy` or `performance`."""
    return bool(meta.results and getattr(meta.results, part))


def _tests_by_parent(session: Session) -> dict[str, dict[str, Entry]]:
    """The compliance runs, the latest of each test, by the UID of their reference experiment."""
    found: dict[str, dict[str, Entry]] = {}
    rows = list(readable(find(session.repositories, "experiment", tags="compliance")))
    for entry, meta in sorted(rows, key=lambda row: row[1].recorded):
        if meta.results and _test_of(meta):
            found.setdefault(meta.parent.uid if meta.parent else "", {})[_test_of(meta)] = entry
    return found


def _best(
    rows: Sequence[tuple[Entry, ExperimentMeta]], part: str, tests: Mapping[str, Any]
) -> tuple[Entry, ExperimentMeta] | None:
    """The best of some runs: official, valid and complete ones, those with the other part of the results, and those with an
    audit are preferred; among equals the latest.
    """

    def rank(row: tuple[Entry, ExperimentMeta]) -> tuple[bool, bool, bool, bool, bool, str]:
        entry, meta = row
        results = meta.results or Results()
        return (
            bool(results.official),
            part == "accuracy" or bool(results.performance and results.performance.valid),
            meta.options.count is None,
            _has(meta, "accuracy") and _has(meta, "performance"),
            entry.uid in tests,
            meta.recorded,
        )

    having = [row for row in rows if _has(row[1], part)]
    return max(having, key=rank) if having else None


def _same_system(one: ExperimentMeta, other: ExperimentMeta) -> bool:
    """Whether two runs have the same model, backend and machine."""
    machines = [meta.platform or Platform() for meta in (one, other)]
    found = [meta.results or Results() for meta in (one, other)]
    systems = [
        (row.model, row.backend, row.device, machine.cpu, machine.cores_logical, machine.memory)
        for row, machine in zip(found, machines, strict=True)
    ]
    return systems[0] == systems[1]


def with_inferred(round_: Round, chosen: Sequence[Chosen]) -> list[Chosen]:
    """The selection, plus scenarios without a run whose result the round infers from another scenario's log.

    Returns
    -------
    list of Chosen
        The added ones refer to the run of the other scenario, and name it in `logged`.
    """
    found = list(chosen)
    for benchmark in dict.fromkeys(row.benchmark for row in chosen):
        have = {row.scenario: row for row in chosen if row.benchmark == benchmark}
        for key, scenario in round_.scenarios(benchmark).items():
            if key in have:
                continue
            sources = (inference.source.lower() for inference in scenario.inferred)
            source = next((have[name] for name in sources if name in have), None)
            if source is not None:
                found.append(replace(source, scenario=key, logged=source.scenario))
    return found
