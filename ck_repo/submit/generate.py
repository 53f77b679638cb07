"""Lay out a submission tree from experiments."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.contract.results import Results
from ck_repo.environment.lockfile import NAME as LOCK
from ck_repo.errors import ConfigError, ConflictError, NotFoundError, NotTheSameError
from ck_repo.experiments.figures import TRIAL, figures
from ck_repo.experiments.meta import ExperimentMeta, read_experiment, readable
from ck_repo.machine.platform import Platform
from ck_repo.rounds.check.tree import Report, check_tree
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.round import Round
from ck_repo.rounds.submission import BASELINE, DETAIL, FALLBACK, SUMMARY, Place
from ck_repo.rounds.truncate import truncate_tree
from ck_repo.run.options import RunOptions, command_of
from ck_repo.session import Session
from ck_repo.store.atomic import publish_folder, storage_errors, write_json, write_text
from ck_repo.store.digest import of_file
from ck_repo.store.entry import Entry
from ck_repo.store.installed import Installed
from ck_repo.store.repository import check_name
from ck_repo.store.search import find
from ck_repo.store.work import scratch_folder

_LOG, _TEXT = "mlperf_log_accuracy.json", "accuracy.txt"


@dataclass(frozen=True)
class Chosen:
    """What a result of the tree is made from.

    Attributes
    ----------
    performance, accuracy
        Experiments; often one and the same.
    tests
        Compliance runs, by test.
    """

    benchmark: str
    scenario: str
    performance: Entry
    accuracy: Entry
    tests: Mapping[str, Entry]


@dataclass(frozen=True)
class Generated:
    """A tree that was laid out, and what the checker says of it."""

    path: Path
    results: Sequence[Chosen]
    report: Report


def choose(session: Session, round_: Round, tags: str = "") -> list[Chosen]:
    """The best experiment of each benchmark and scenario in a round, with the compliance runs that belong to it.

    The runs of a search for targets do not count. One without accuracy is left out, and that is told.

    Raises
    ------
    NotFoundError
        If nothing is left.
    """
    rows = list(readable(find(session.repositories, "experiment", tags=tags)))
    runs = [(entry, meta) for entry, meta in rows if meta.results and _of_round(meta, round_)]
    runs = [(entry, meta) for entry, meta in runs if not _test_of(meta) and TRIAL not in meta.tags]
    tests = _tests_by_parent(session)  # whatever their tags: they belong to what they were held against
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
            progress.say(f"note: {performance[0].cid} ({benchmark}, {scenario}) is left out: {text}")
            continue
        chosen.append(Chosen(benchmark, scenario, performance[0], accuracy[0], tests.get(performance[0].uid, {})))
    if not chosen:
        raise NotFoundError(
            f"no experiment with performance and accuracy in round {round_}" + (f" has the tags {tags}" if tags else ""),
            hint="`ck run program:object-detection --official` makes one",
        )
    return chosen


def _of_round(meta: ExperimentMeta, round_: Round) -> bool:
    return meta.options.round == round_.name


def _test_of(meta: ExperimentMeta) -> str:
    """The compliance test that a run was; empty if it was none."""
    return meta.options.compliance


def _has(meta: ExperimentMeta, part: str) -> bool:
    """Whether a run has `accuracy` or `performance`."""
    return bool(meta.results and getattr(meta.results, part))


def _tests_by_parent(session: Session) -> dict[str, dict[str, Entry]]:
    """The compliance runs, the latest of each test, by the UID of the experiment that they are held against."""
    found: dict[str, dict[str, Entry]] = {}
    rows = list(readable(find(session.repositories, "experiment", tags="compliance")))
    for entry, meta in sorted(rows, key=lambda row: row[1].recorded):
        if meta.results and _test_of(meta):
            found.setdefault(meta.parent.uid if meta.parent else "", {})[_test_of(meta)] = entry
    return found


def _best(
    rows: Sequence[tuple[Entry, ExperimentMeta]], part: str, tests: Mapping[str, Any]
) -> tuple[Entry, ExperimentMeta] | None:
    """The run to submit of those that have a part of the results: official before others, valid before others, over the whole
    data set, with the other part, with an audit; of equals the latest.
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
    """Whether two runs are of the same model, backend and machine."""
    machines = [meta.platform or Platform() for meta in (one, other)]
    found = [meta.results or Results() for meta in (one, other)]
    systems = [
        (row.model, row.backend, row.device, machine.cpu, machine.cores_logical, machine.memory)
        for row, machine in zip(found, machines, strict=True)
    ]
    return systems[0] == systems[1]


def read_system(path: Path) -> dict[str, Any]:
    """The description of the system that the tree is of."""
    try:
        content = json.loads(read_text(path))
    except OSError:
        raise NotFoundError(f"{path} is not there", hint=f"`ck describe system:{path.stem}` writes it") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not an object")
    return content


def generate(
    session: Session,
    round_: Round,
    system: Path,
    submitter: str,
    division: str,
    output: Path,
    *,
    tags: str = "",
    draft: bool = False,
) -> Generated:
    """Lay out a tree, truncate its logs, and hold it against the rules. It appears when it is whole.

    Parameters
    ----------
    system
        The system's JSON; its name is that of the system.
    output
        The folder to make; the divisions are below it.
    tags
        Only experiments with these tags.
    draft
        Keep a tree in which a result would be rejected, too.

    Raises
    ------
    NotTheSameError
        If a result would be rejected; the message tells why. Nothing is left then.
    ConflictError
        If `output` exists.
    """
    if output.exists():
        raise ConflictError(f"{output} exists already", hint="give another folder with --output=")
    description = {**read_system(system), "division": division, "submitter": submitter}
    chosen = choose(session, round_, tags)
    with scratch_folder(output.parent, output.name) as scratch:
        staging = scratch.resolve()
        with storage_errors(f"writing {output}"):
            root = staging / division / submitter
            write_text(root / "systems" / f"{system.stem}.json", json.dumps(description, indent=2, ensure_ascii=False) + "\n")
            for row in chosen:
                scenario = round_.scenario(row.scenario).name
                _lay_out(round_, row, Place(staging, division, submitter, system.stem, row.benchmark, scenario))
            truncate_tree(round_, staging, backup=staging / ".whole")
            shutil.rmtree(staging / ".whole", ignore_errors=True)  # the experiments have the whole logs
        report = check_tree(round_, staging)
        if report.rejected and not draft:
            findings = [each for row in report.rejected for each in row.findings if each.severity == "rejected"]
            listed = "\n".join(f"  {each}".replace(f"{staging}/", "") for each in dict.fromkeys(findings))
            raise NotTheSameError(
                f"{len(report.rejected)} of {len(report.results)} results would be rejected\n{listed}",
                hint="fix them, or keep the tree as a draft with --draft",
            )
        staging.chmod(0o755)
        if not publish_folder(staging, output):
            raise ConflictError(f"{output} exists already", hint="give another folder with --output=")
    return Generated(output, chosen, check_tree(round_, output))


def _lay_out(round_: Round, row: Chosen, place: Place) -> None:
    meta = read_experiment(row.performance)
    for name in (SUMMARY, DETAIL):
        _copy(row.performance.path / "performance" / name, place.performance / name)
    for name in (SUMMARY, DETAIL, _TEXT, _LOG):
        _copy(row.accuracy.path / "accuracy" / name, place.accuracy / name)
    implementation = meta.results.backend if meta.results else ""
    check_name(implementation)
    for name in ("mlperf.conf", "user.conf"):
        _copy(row.performance.path / "performance" / name, place.measurements / name)
    write_text(place.measurements / "README.md", _readme(row, meta, place, implementation))
    write_json(place.measurements / f"{place.system}_{implementation}_{place.scenario}.json", _measurement(meta))
    code = place.submission / "code" / place.model / implementation
    write_text(code / "README.md", _CODE)
    _copy(row.performance.path / LOCK, code / f"{place.scenario}.lock.json")
    _power(row.performance.path / "performance", place)
    for test, entry in row.tests.items():
        _compliance(round_, entry, place.compliance / test, test)


def _copy(source: Path, target: Path) -> None:
    """Copy a file if it is there; what is missing the checker tells."""
    if source.is_file() and not source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _power(source: Path, place: Place) -> None:
    """What a meter left in the run folder, where the rules want it."""
    for name in ("power", "ranging"):
        if (source / name).is_dir() and not (source / name).is_symlink():
            shutil.copytree(source / name, place.results / "performance" / name)
    _copy(source / "spl.txt", place.performance / "spl.txt")


def _compliance(round_: Round, entry: Entry, folder: Path, test: str) -> None:
    for name in (SUMMARY, DETAIL):
        _copy(entry.path / "performance" / name, folder / "performance" / "run_1" / name)
    for name in ("verify_performance.txt", "verify_accuracy.txt"):
        _copy(entry.path / name, folder / name)
    log = entry.path / "performance" / _LOG
    if round_.submission.tests[test].verifies_accuracy and log.is_file():
        _copy(log, folder / "accuracy" / _LOG)
        for name in (BASELINE, FALLBACK):
            _copy(entry.path / name, folder / "accuracy" / name)
        write_text(folder / "accuracy" / _TEXT, f"hash={of_file(log)}\n")


def _measurement(meta: ExperimentMeta) -> dict[str, str]:
    """What the rules ask for of a measurement."""
    model = meta.model or Installed()
    precision = str(model.section("model").get("precision") or ("int8" if {"int8", "uint8"} & set(model.tags) else "fp32"))
    maker = model.component.alias if model.component else ""
    return {
        "input_data_types": meta.spec.model.dtype if meta.spec and meta.spec.model else "fp32",
        "retraining": "N",
        "starting_weights_filename": Path(model.file).name,
        "weight_data_types": precision,
        "weight_transformations": f"converted by {maker}" if maker.startswith("convert-") else "none",
    }


def _readme(row: Chosen, meta: ExperimentMeta, place: Place, implementation: str) -> str:
    results = meta.results or Results()
    known = {field.name for field in fields(RunOptions)}
    kept = {name: value for name, value in (meta.data.get("options") or {}).items() if name in known}
    options = RunOptions(**{**kept, "venv": "again"})
    return (
        f"# {results.model}, {place.scenario}\n\n"
        f"Backend {results.backend} {results.backend_version} on {results.device}; sessions: "
        f"{results.sessions}, threads of each: {results.threads}, batches of up to {results.batch_size}; "
        f"LoadGen {results.loadgen_version}.\n\n"
        "The lock beside the code names every package, file and recipe. To make the environment and run it again:\n\n"
        f"    ck create venv:again --lock=code/{place.model}/{implementation}/{place.scenario}.lock.json\n"
        f"    {command_of(options)}\n"
    )


_CODE = """# The benchmark

It is run by the command `ck`, whose harness and recipes are in its repository. For each scenario there is a lock here:
interpreter, Python packages, recipes with their commits, files with their digests. The README.md of each scenario in
measurements/ has the commands.
"""
