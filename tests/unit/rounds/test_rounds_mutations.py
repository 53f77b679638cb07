"""Mutations of a result in each round: our verdict and that of the round's own checker match the catalogue.

`nox -s rounds` does the same with every result of these trees and with published ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from round_mutations import Mutation, Site, catalogue
from round_trees import ROUNDS, Target, targets, write_round_tree

from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.round import load_round

CASES = [(name, mutation) for name in ROUNDS for mutation in catalogue(load_round(name))]
Trees = Callable[[str], Path]


@pytest.fixture(scope="module")
def round_tree(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    made: dict[str, Path] = {}

    def tree(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            write_round_tree(load_round(name), made[name])
        return made[name]

    return tree


def sites(mutation: Mutation, name: str, root: Path) -> list[Target]:
    """One result of each division that the mutation applies to."""
    found: dict[str, Target] = {}
    for target in targets(load_round(name)):
        if mutation.verdicts(Site(load_round(name), root, target)) is not None:
            found.setdefault(target.division, target)
    return list(found.values())


@pytest.mark.parametrize("name", ROUNDS)
def test_unchanged_trees_are_accepted(round_tree: Trees, name: str) -> None:
    report = check_tree(load_round(name), round_tree(name))
    assert len(report.results) == len(targets(load_round(name)))
    assert {row.status for row in report.results} == {row.official_status for row in report.results} == {"accepted"}
    assert [row.place.scenario for row in report.results if row.inferred] == ["Offline"]


def test_over_four_hundred_mutations() -> None:
    assert len(CASES) > 400
    assert len({(name, mutation.name) for name, mutation in CASES}) == len(CASES)


@pytest.mark.parametrize(("name", "mutation"), CASES, ids=[f"{name} {mutation.name}" for name, mutation in CASES])
def test_verdicts_after_mutation(round_tree: Trees, name: str, mutation: Mutation, tmp_path: Path) -> None:
    round_, base = load_round(name), round_tree(name)
    for target in sites(mutation, name, base):
        tree = tmp_path / target.division
        shutil.copytree(base / target.division, tree / target.division)
        site = Site(round_, tree, target)
        expected = mutation.verdicts(site)
        mutation.change(site)
        report = check_tree(round_, tree, skip_compliance=True)
        (row,) = [row for row in report.results if is_of(row.place, target)]
        assert (row.status, row.official_status) == expected, [str(each) for each in row.findings]
        if expected == ("rejected", "accepted"):
            assert any("own checker" in str(each) for each in row.findings)


def is_of(place: object, target: Target) -> bool:
    system, scenario = getattr(place, "system", ""), getattr(place, "scenario", "")
    return (system, scenario.lower()) == (target.system, target.scenario.lower())
