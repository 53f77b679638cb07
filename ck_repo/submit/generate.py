"""Create a submission tree from experiments."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ck_repo.contract.logs import DETAIL, SUMMARY
from ck_repo.contract.results import Results
from ck_repo.environment.lockfile import NAME as LOCK
from ck_repo.errors import ConfigError, ConflictError, MismatchError, NotFoundError
from ck_repo.experiments.meta import ExperimentMeta, read_experiment
from ck_repo.experiments.overview import precision
from ck_repo.experiments.round_subject import differences
from ck_repo.rounds.check.finding import Finding
from ck_repo.rounds.check.tree import Report, check_tree
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.round import Round
from ck_repo.rounds.submission import BASELINE, FALLBACK, Place
from ck_repo.rounds.submission_rules import REJECTED
from ck_repo.rounds.truncate import truncate_tree
from ck_repo.run.options import RunOptions, command_of
from ck_repo.session import Session
from ck_repo.store.atomic import publish_folder, storage_errors, write_json, write_text
from ck_repo.store.digest import of_file
from ck_repo.store.entry import Entry
from ck_repo.store.installed import Installed
from ck_repo.store.plain_file import walk
from ck_repo.store.repository import check_name
from ck_repo.store.work import scratch_folder
from ck_repo.submit.choose import Chosen, choose, with_inferred

_LOG, _TEXT = "mlperf_log_accuracy.json", "accuracy.txt"


@dataclass(frozen=True)
class Left:
    """A result that is not in the requested division.

    Attributes
    ----------
    where
        ``open`` if it was moved there; empty if it was skipped.
    why
        The findings for which it is rejected.
    """

    result: Chosen
    where: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class Generated:
    """A new tree, and the checker's report.

    Attributes
    ----------
    results
        In the order of the report's results.
    left
        Skipped and moved results.
    """

    path: Path
    results: Sequence[Chosen]
    report: Report
    left: Sequence[Left] = ()


def read_system(path: Path) -> dict[str, object]:
    """The description of the tree's system."""
    try:
        content = json.loads(read_text(path))
    except OSError:
        raise NotFoundError(f"{path} does not exist", hint=f"`ck describe system:{path.stem}` writes it") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not an object")
    return content


@dataclass(frozen=True)
class Layout:
    """The options of a tree.

    Attributes
    ----------
    system
        The system's JSON; the file's name is that of the system.
    output
        The folder to create, which will have the divisions.
    tags
        Only use experiments with these tags.
    draft
        Keep results that would be rejected.
    fallback_open
        Move results that the closed division would reject to the open one.
    infer
        Add the scenarios whose results the round infers from those that were run.
    """

    system: Path
    submitter: str
    division: str
    output: Path
    tags: str = ""
    draft: bool = False
    fallback_open: bool = False
    infer: bool = False


def generate(session: Session, round_: Round, wanted: Layout) -> Generated:
    """Create a tree of the results that the rules accept, with truncated logs. It appears when it is complete.

    Raises
    ------
    MismatchError
        If every result would be rejected; the message has the reasons. Nothing is written then.
    ConflictError
        If `output` exists.
    """
    output = wanted.output
    if output.exists():
        raise ConflictError(f"{output} already exists", hint="choose another folder with --output=")
    chosen = choose(session, round_, wanted.tags)
    if wanted.infer:
        chosen = with_inferred(round_, chosen)
    with scratch_folder(output.parent, output.name) as scratch:
        staging = _Staging(round_, wanted, scratch.resolve())
        others = []
        for row in chosen:
            why = _other_subject(row, round_) if wanted.division == "closed" and not wanted.draft else ()
            if why:
                others.append(Left(row, "open" if wanted.fallback_open else "", why))
            if not why or wanted.fallback_open:
                staging.add(row, "open" if why else wanted.division)
        if not staging.results:
            raise MismatchError(_all_rejected(others), hint="use --division=open, or keep the tree as a draft with --draft")
        left = others + ([] if wanted.draft else staging.settle())
        staging.root.chmod(0o755)
        if not publish_folder(staging.root, output):
            raise ConflictError(f"{output} already exists", hint="choose another folder with --output=")
    report = check_tree(round_, output)
    return Generated(output, [staging.results[str(row.place)] for row in report.results], report, left)


class _Staging:
    """An unfinished tree: the experiments of each result."""

    def __init__(self, round_: Round, wanted: Layout, root: Path) -> None:
        self.root = root
        self.results: dict[str, Chosen] = {}
        self._round, self._wanted = round_, wanted

    def add(self, row: Chosen, division: str) -> None:
        """Write a result, and the description of its system."""
        wanted = self._wanted
        name = self._round.scenario(row.scenario).name
        place = Place(self.root, division, wanted.submitter, wanted.system.stem, row.benchmark, name)
        with storage_errors(f"writing {wanted.output}"):
            content = {**read_system(wanted.system), "division": division, "submitter": wanted.submitter}
            write_text(place.system_file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
            _lay_out(self._round, row, place)
            truncate_tree(self._round, self.root, backup=self.root / ".whole")
            shutil.rmtree(self.root / ".whole", ignore_errors=True)  # the experiments have the complete logs
        self.results[str(place)] = row

    def settle(self) -> list[Left]:
        """Remove rejected results, or move them to the open division, until all are accepted.

        Raises
        ------
        MismatchError
            If nothing remains.
        """
        left: list[Left] = []
        while True:
            report = check_tree(self._round, self.root)
            if not report.rejected:
                return left
            for row in report.rejected:
                why = tuple(self._text(each) for each in dict.fromkeys(row.findings) if each.severity == REJECTED)
                chosen = self.results.pop(str(row.place))
                self._remove(row.place)
                moved = self._wanted.fallback_open and row.place.division == "closed"
                left.append(Left(chosen, "open" if moved else "", why))
                if moved:
                    self.add(chosen, "open")
            if not self.results:
                raise MismatchError(_all_rejected(left), hint="fix them, or keep the tree as a draft with --draft")

    def _text(self, found: Finding) -> str:
        return str(found).replace(f"{self.root}/", "")

    def _remove(self, place: Place) -> None:
        """Remove a result; with the last one of a model its folders, and with the last one of a division the division."""
        for folder in (place.results, place.measurements, place.compliance):
            shutil.rmtree(folder, ignore_errors=True)
        code = place.submission / "code" / place.model
        for lock in code.glob(f"*/{place.scenario}.lock.json"):
            lock.unlink()
        if not any(place.results.parent.iterdir()):
            for folder in (place.results.parent, place.measurements.parent, place.compliance.parent, code):
                shutil.rmtree(folder, ignore_errors=True)
        if not any(place.results.parents[1].iterdir()):  # a tree has one submitter and one system
            shutil.rmtree(self.root / place.division)


def _all_rejected(left: Sequence[Left]) -> str:
    out = [row for row in left if not row.where]
    listed = "\n".join(f"  {text}" for text in dict.fromkeys(text for row in out for text in row.why))
    return f"{len(out)} of {len(out)} results would be rejected\n{listed}"


def _other_subject(row: Chosen, round_: Round) -> tuple[str, ...]:
    """How a result differs from the round's model or data set, which the closed division requires."""
    entries = dict.fromkeys((row.performance, row.accuracy))
    return tuple(f"{entry.cid}: {text}" for entry in entries for text in differences(read_experiment(entry), round_))


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
    """Copy a file if it exists; the checker reports missing ones."""
    if source.is_file() and not source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _power(source: Path, place: Place) -> None:
    """Copy the regular files of a meter from the run folder to the places that the rules require."""
    for name in ("power", "ranging"):
        if (source / name).is_dir() and not (source / name).is_symlink():
            target = place.results / "performance" / name
            target.mkdir(parents=True)
            for found in walk(source / name):
                _copy(source / name / found.name, target / found.name)
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
    """The description of a measurement that the rules require."""
    model = meta.model or Installed()
    maker = model.component.alias if model.component else ""
    return {
        "input_data_types": meta.spec.model.dtype if meta.spec and meta.spec.model else "fp32",
        "retraining": "N",
        "starting_weights_filename": Path(model.file).name,
        "weight_data_types": precision(meta),
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
        "The lock next to the code lists every package, file and recipe. To create the environment and run it again:\n\n"
        f"    ck create venv:again --lock=code/{place.model}/{implementation}/{place.scenario}.lock.json\n"
        f"    {command_of(options)}\n"
    )


_CODE = """# The benchmark

It is run by the command `ck`, whose harness and recipes are in its repository. Each scenario has a lock here: interpreter,
Python packages, recipes with their commits, files with their digests. The README.md of each scenario in measurements/ has the
commands.
"""
