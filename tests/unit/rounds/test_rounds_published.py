"""Published trees of other rounds: the verdicts, results and power figures are those of the round's own checker."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.round import DEFAULT, load_round, round_names
from ck_repo.rounds.rules import rules_for
from ck_repo.rounds.user_conf import parse_conf

OTHERS = [name for name in round_names() if name != DEFAULT]


def official(path: Path) -> dict[str, list[dict[str, str]]]:
    """The lines of the official checker's summary, by the folder of the result; with power there are two."""
    found: dict[str, list[dict[str, str]]] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["Location"], []).append(row)
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_results_are_those_of_the_official_checker(data: Path, name: str) -> None:
    expected = official(data / "rounds" / f"{name}.official-checker.csv")
    report = check_tree(load_round(name), data / "rounds" / name)
    assert {str(row.place.results.relative_to(row.place.root)) for row in report.results if row.status == "accepted"} == set(
        expected
    )
    for row in report.results:
        figure, *power = expected[str(row.place.results.relative_to(row.place.root))]
        assert (row.value, row.mAP) == (pytest.approx(float(figure["Result"]), abs=1e-8), float(figure["Accuracy"]))
        assert row.round.folder_scenario(row.place.scenario) == figure["Scenario"]
        assert row.power == (pytest.approx(float(power[0]["Result"]), rel=1e-6) if power else None)
        assert [each.rule for each in row.findings if each.rule != "code"] == []  # code is left out of the data


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


def test_v1_1_takes_scenario_folders_in_any_case_and_v1_0_as_loadgen_spells_them() -> None:
    assert [load_round("v1.1").folder_scenario(name) for name in ("offline", "Server", "other")] == [
        "Offline",
        "Server",
        "other",
    ]
    assert load_round("v1.0").folder_scenario("offline") == "offline"


def test_a_user_conf_may_name_multistream_in_v1_1() -> None:
    (line, unknown) = parse_conf("*.MultiStream.samples_per_query = 4\n*.Stream.target_qps = 4\n")
    rules = rules_for(load_round("v1.1"), "ssd-mobilenet")
    assert line.refusal(rules) == ""
    assert unknown.refusal(rules) == "a scenario of the round, or *"
