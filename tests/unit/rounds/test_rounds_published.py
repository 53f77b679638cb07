"""Published trees of other rounds: verdicts, results and power figures match the round's own checker."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.round import DEFAULT, load_round, round_names
from ck_repo.rounds.rules import rules_for
from ck_repo.rounds.user_conf import parse_conf

CHECKED = [name for name in round_names() if not load_round(name).import_only]
OTHERS = [name for name in CHECKED if name != DEFAULT]  # rounds with trees in the data


def official(path: Path) -> dict[str, list[dict[str, str]]]:
    """The lines of the official checker's summary by result folder; with power there are two."""
    found: dict[str, list[dict[str, str]]] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["Location"], []).append(row)
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_results_match_official_checker(data: Path, name: str) -> None:
    expected = official(data / "rounds" / f"{name}.official-checker.csv")
    report = check_tree(load_round(name), data / "rounds" / name)
    assert {str(row.place.results.relative_to(row.place.root)) for row in report.results if row.status == "accepted"} == set(
        expected
    )
    for row in report.results:
        figure, *power = expected[str(row.place.results.relative_to(row.place.root))]
        assert (row.value, row.accuracy) == (float(figure["Result"]), figure["Accuracy"])
        assert row.round.folder_scenario(row.place.scenario) == figure["Scenario"]
        assert int(row.inferred) == int(figure["inferred"])
        assert row.power == (float(power[0]["Result"]) if power else None)
        assert row.official_status == row.status


def test_v1_1_has_its_own_seeds_and_no_multistream() -> None:
    """Source: mlperf.conf and tools/submission/submission-checker.py of mlcommons/inference v1.1."""
    round_ = load_round("v1.1")
    assert round_.seeds == {
        "qsl_rng_seed": 1624344308455410291,
        "sample_index_rng_seed": 517984244576520566,
        "schedule_rng_seed": 10051496985653635065,
    }
    assert list(round_.scenarios()) == ["singlestream", "server", "offline"]
    edge = round_.submission.scenarios["edge"]["ssd-mobilenet"]
    assert (edge.required, edge.optional) == (("SingleStream", "Offline"), ())
    assert round_.submission.scenarios["datacenter,edge"]["ssd-resnet34"].optional == ("Server",)


@pytest.mark.parametrize("name", CHECKED)
def test_scenario_folders_are_case_insensitive(name: str) -> None:
    folders = ("offline", "Server", "OFFLINE", "other")
    assert [load_round(name).folder_scenario(folder) for folder in folders] == ["Offline", "Server", "OFFLINE", "other"]


def test_v1_1_user_conf_may_name_multistream() -> None:
    (line, unknown) = parse_conf("*.MultiStream.samples_per_query = 4\n*.Stream.target_qps = 4\n")
    rules = rules_for(load_round("v1.1"), "ssd-mobilenet")
    assert line.refusal(rules) == ""
    assert unknown.refusal(rules) == "a scenario of the round, or *"
