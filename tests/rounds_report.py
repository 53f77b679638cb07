"""Compare the checker with the rounds' own: on published trees, and on trees with every mutation of the catalogue.

Run by ``nox -s rounds``. The folder of published trees is ``CK_TEST_DATA``, or ../shared/data next to the checkout; without
it only the generated trees are checked.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from round_mutations import ACCEPTED, Site, catalogue
from round_trees import ROUNDS, Target, targets, write_round_tree

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.check.system import system_type
from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.round import DEFAULT, Round, load_round

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("CK_TEST_DATA") or HERE.parent.parent / "shared" / "data")
_MAXIMUM = 3  # published results of a round and system type that are changed


@dataclass
class Count:
    """The number of equal items."""

    equal: int = 0
    all: int = 0

    def add(self, equal: bool) -> None:
        self.equal += equal
        self.all += 1

    def __str__(self) -> str:
        return f"{self.equal} of {self.all}"


@dataclass
class Comparison:
    """The outcome of a published tree."""

    results: int = 0
    verdicts: Count = field(default_factory=Count)
    official: Count = field(default_factory=Count)
    values: Count = field(default_factory=Count)
    accuracies: Count = field(default_factory=Count)
    inferred: Count = field(default_factory=Count)
    power: Count = field(default_factory=Count)

    @property
    def counts(self) -> list[Count]:
        return [self.verdicts, self.official, self.values, self.accuracies, self.inferred, self.power]

    def __str__(self) -> str:
        return (
            f"{self.results} results; equal: verdicts {self.verdicts}, with --as-official {self.official}, "
            f"values {self.values}, mAP {self.accuracies}, inferred {self.inferred}, power {self.power}"
        )


def compare(round_: Round, tree: Path, summary: Path) -> Comparison:
    """Compare our results of a tree with the official checker's summary of it."""
    expected: dict[str, list[dict[str, str]]] = {}
    with open(summary, encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            expected.setdefault(line["Location"], []).append(line)
    found = Comparison()
    for row in check_tree(round_, tree, skip_compliance=True).results:
        lines = expected.pop(str(row.place.results.relative_to(row.place.root)), [])
        found.results += 1
        found.verdicts.add((row.status == ACCEPTED) == bool(lines))
        found.official.add((row.official_status == ACCEPTED) == bool(lines))
        if lines:
            _figures(found, row, lines)
    for _ in expected:  # in the summary, and not found here
        found.verdicts.add(False)
    return found


def _figures(found: Comparison, row: Checked, lines: list[dict[str, str]]) -> None:
    found.values.add(row.value == float(lines[0]["Result"]))
    found.accuracies.add((row.accuracy or "None") == lines[0]["Accuracy"])
    found.inferred.add(int(row.inferred) == int(lines[0]["inferred"]))
    if len(lines) > 1 or row.power is not None:
        found.power.add(len(lines) > 1 and row.power == float(lines[1]["Result"]))


def compare_table(round_: Round, tree: Path, table: Path) -> Comparison:
    """Compare our results of a tree with a table of published results."""
    expected: dict[tuple[str, ...], dict[str, str]] = {}
    with open(table, encoding="utf-8", newline="") as file:
        for each in csv.DictReader(file):
            key = (each["division"], each["organisation"], each["system"], each["model"], each["scenario"].lower())
            expected[key] = each
    found = Comparison()
    for row in check_tree(round_, tree, skip_compliance=True).results:
        place = row.place
        line = expected.get((place.division, place.submitter, place.system, place.model, place.scenario.lower()))
        scenario = round_.scenario(place.scenario)
        found.results += 1
        found.verdicts.add((row.status == ACCEPTED) == (line is not None))
        found.official.add((row.official_status == ACCEPTED) == (line is not None))
        if line:
            found.values.add(scenario.figure(float(line["result_raw"])) == round(row.value or 0, scenario.digits))
            found.accuracies.add(row.mAP == float(line["mAP"]))
            found.inferred.add(not row.inferred)
    return found


def mutated(round_: Round, base: Path, rows: list[Target], *, made: bool) -> tuple[Count, Counter[str]]:
    """Apply every mutation of the catalogue to results of a tree, and count the expected verdicts."""
    count, wrong = Count(), Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        for mutation in catalogue(round_):
            for target in rows:
                tree = Path(scratch) / "tree"
                expected = mutation.verdicts(Site(round_, base, target))
                if expected is None:
                    continue
                shutil.rmtree(tree, ignore_errors=True)
                _copy_system(base, tree, target)
                site = Site(round_, tree, target)
                try:
                    mutation.change(site)
                except (KeyError, AssertionError, OSError, ValueError):
                    if made:
                        raise
                    continue  # a published file has nothing to change
                report = check_tree(round_, tree, skip_compliance=True)
                verdicts = {
                    (row.status, row.official_status)
                    for row in report.results
                    if row.place.scenario.lower() == target.scenario.lower()
                }
                count.add(verdicts == {expected})
                if verdicts != {expected}:
                    wrong[f"{mutation.name} ({target}): {sorted(verdicts)} instead of {expected}"] += 1
    return count, wrong


def _copy_system(base: Path, tree: Path, target: Target) -> None:
    """A tree of one model of one system."""
    for kind in ("results", "measurements"):
        part = target.submission / kind / target.system / target.model
        if (base / part).is_dir():
            shutil.copytree(base / part, tree / part)
    for part in (target.description, *(target.submission / "code" / name for name in _code(base, target))):
        if (base / part).is_dir():
            shutil.copytree(base / part, tree / part)
        elif (base / part).exists():
            (tree / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(base / part, tree / part)
    (tree / target.submission / "code").mkdir(exist_ok=True)


def _code(base: Path, target: Target) -> list[str]:
    folder = base / target.submission / "code"
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def published_targets(round_: Round, tree: Path) -> Iterator[Target]:
    """Some accepted results of a published tree: a few of each kind of system and scenario."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in check_tree(round_, tree, skip_compliance=True).results:
        kind = system_type(row.system)
        scenario = round_.folder_scenario(row.place.scenario)
        if row.status != ACCEPTED or row.inferred or scenario != row.place.scenario or seen[kind, scenario] >= _MAXIMUM:
            continue
        if json.loads(row.place.system_file.read_text(encoding="utf-8")).get("division") != row.place.division:
            continue
        seen[kind, scenario] += 1
        yield Target(row.place.division, row.place.system, kind, row.place.model, scenario, scenario, row.place.submitter)


def main() -> int:
    """Print what is equal; return 1 if anything is not."""
    bad = 0
    for name in [word for word in sys.argv[1:] if word in ROUNDS] or ROUNDS:
        round_ = load_round(name)
        tree, summary = DATA / "rounds" / name, DATA / "rounds" / f"{name}.official-checker.csv"
        found = None
        if name == DEFAULT and (DATA / "results_v1.0").is_dir():
            tree = DATA / "results_v1.0"
            found = compare_table(round_, tree, DATA / "published_v1.0_object_detection.csv")
        elif summary.is_file():
            found = compare(round_, tree, summary)
        print(f"{name}: {found or 'no published tree here'}", flush=True)
        bad += sum(count.all - count.equal for count in found.counts) if found else 0
        with tempfile.TemporaryDirectory() as made:
            write_round_tree(round_, Path(made))
            bad += _print_mutated(round_, Path(made), targets(round_), made=True)
        if found and "--published" in sys.argv:
            bad += _print_mutated(round_, tree, list(published_targets(round_, tree)), made=False)
    return 1 if bad else 0


def _print_mutated(round_: Round, base: Path, rows: list[Target], *, made: bool) -> int:
    count, wrong = mutated(round_, base, rows, made=made)
    what = "a made tree" if made else "the published tree"
    print(f"{round_}: {what} changed in {count.all} ways: {count.equal} verdicts as expected", flush=True)
    for text in wrong:
        print(f"  {text}", flush=True)
    return count.all - count.equal


if __name__ == "__main__":
    sys.exit(main())
