"""The checker's command in each round, trees of another round, invalid input, and results across rounds."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from round_trees import BOX, OPEN_BOX, OPEN_MODEL, ROUNDS, SERVER, SUBMITTER, write_round_tree

from ck_repo.errors import UsageError
from ck_repo.rounds.check.summary import summary_csv
from ck_repo.rounds.check.tree import Report, check_tree
from ck_repo.rounds.comparable import compare_rules
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import find_results, read_result
from ck_repo.submit.final_report import final_report
from ck_repo.submit.spreadsheet import xlsx

Ck = Callable[..., Any]


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    """The generated tree of a round."""

    def make(name: str) -> Path:
        root = tmp_path / f"tree-{name}"
        write_round_tree(load_round(name), root)
        return root

    return make


def check(ck: Ck, root: Path, name: str, *words: str) -> Any:
    return ck("check", "submission", f"--path={root}", f"--round={name}", *words, "--out=json")


# the command


@pytest.mark.parametrize("name", ROUNDS)
def test_log_of_other_scenario_is_rejected_unless_official_verdict_is_requested(
    ck: Ck, tree: Callable[[str], Path], name: str
) -> None:
    root = tree(name)
    results = root / "closed" / SUBMITTER / "results" / SERVER / "ssd-large"
    for run in (results / "Server/performance").iterdir():
        for file in run.iterdir():
            shutil.copy(results / "Offline/performance/run_1" / file.name, file)
    ours, official = check(ck, root, name), check(ck, root, name, "--as-official")
    assert (ours.code, official.code) == (10, 0)
    (row,) = [row for row in ours.json["results"] if row["status"] == "rejected"]
    assert (row["scenario"], row["official_status"]) == ("Server", "accepted")
    found = [each for each in row["findings"] if each["severity"] == "rejected"]
    assert {(each["rule"], each["official"]) for each in found} == {("scenario", "reported")}
    assert "the round's own checker accepts it" in ck("check", "submission", f"--path={root}", f"--round={name}").out


def test_official_checker_drops_model_with_missing_scenario(ck: Ck, tree: Callable[[str], Path]) -> None:
    root = tree("v1.1")
    shutil.rmtree(root / "closed" / SUBMITTER / "results" / BOX / "ssd-small/SingleStream")
    official = check(ck, root, "v1.1", "--as-official")
    assert official.code == 10
    assert {row["status"] for row in official.json["results"]} == {"accepted"}
    assert [Path(path).name for path in official.json["folders_without_results"]] == ["SingleStream"]
    ours = check(ck, root, "v1.1").json["results"]
    assert [row["scenario"] for row in ours if row["status"] == "rejected"] == ["Offline"]


def test_one_submitter_is_checked(ck: Ck, tree: Callable[[str], Path]) -> None:
    root = tree("v2.0")
    shutil.copytree(root / "open" / SUBMITTER, root / "open/Other")
    assert {row["submitter"] for row in check(ck, root, "v2.0", f"--submitter={SUBMITTER}").json["results"]} == {SUBMITTER}
    assert check(ck, root, "v2.0", "--submitter=Nobody").code == 16


def test_compliance_is_skipped_on_request(ck: Ck, tree: Callable[[str], Path], tmp_path: Path) -> None:
    root, table = tree("v2.0"), tmp_path / "s.csv"
    answer = check(ck, root, "v2.0", "--skip-compliance", f"--csv={table}")
    rules = {each["rule"] for row in answer.json["results"] for each in row["findings"]}
    assert not any(rule.startswith("compliance") for rule in rules)
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert {row["compilance"] for row in rows if row["Division"] == "closed"} == {"0"}


def test_extra_model_names_are_mapped(ck: Ck, tree: Callable[[str], Path]) -> None:
    root = tree("v1.0")
    for kind in ("results", "measurements"):
        base = next((root / "open" / SUBMITTER / kind).iterdir())
        (base / OPEN_MODEL).rename(base / "detector-9")
    assert {row["status"] for row in check(ck, root / "open", "v1.0").json["results"]} == {"rejected"}
    mapped = check(ck, root / "open", "v1.0", "--extra-model-benchmark-map=detector-9:ssd-small;other:ssd-large")
    assert {row["status"] for row in mapped.json["results"]} == {"accepted"}
    assert check(ck, root, "v1.0", "--extra-model-benchmark-map=detector-9").code == 2
    assert check(ck, root, "v1.0", "--extra-model-benchmark-map=detector-9:bert").code == 2


@pytest.mark.parametrize(
    ("name", "ending", "lines"),
    [
        ("v0.7", ["inferred", "has_power", "Units"], 0),
        ("v1.0", ["version", "infered", "power"], 0),
        ("v1.1", ["infered", "has_power", "Units"], 2),
        ("v2.0", ["inferred", "has_power", "Units"], 2),
    ],
)
def test_summary_has_columns_of_its_round(tree: Callable[[str], Path], name: str, ending: list[str], lines: int) -> None:
    round_, root = load_round(name), tree(name)
    report = check_tree(round_, root)
    rows = list(csv.DictReader(io.StringIO(summary_csv(round_, report.results))))
    assert list(rows[0])[-3:] == ending
    assert len(rows) == len(report.results) + lines  # a second line with the power
    powered = [row for row in report.results if row.power is not None]
    if "power" in rows[0]:
        shown = {float(row["power"]) for row in rows if float(row["power"])}
        assert shown == {row.power for row in powered}
    elif lines:
        assert {float(row["Result"]) for row in rows if row["Units"] in ("Joules", "Watts")} == {row.power for row in powered}


# invalid input


@pytest.mark.parametrize(("logs", "rules"), [("v1.1", "v1.0"), ("v0.7", "v2.0"), ("v1.0", "v0.7")])
def test_tree_of_another_round_is_named(tree: Callable[[str], Path], logs: str, rules: str) -> None:
    (found,) = [each for each in check_tree(load_round(rules), tree(logs)).stray if each.rule == "round"]
    assert f"the tree looks like one of {logs}" in found.seen


def test_tree_of_mixed_rounds_is_named(tree: Callable[[str], Path]) -> None:
    root = tree("v1.0")
    shutil.copytree(tree("v1.1") / "open" / SUBMITTER, root / "open/Later")
    (found,) = [each for each in check_tree(load_round(), root).stray if each.rule == "round"]
    assert "mixed rounds: 7 of v1.0, 2 of v1.1" in found.seen


@pytest.mark.parametrize("name", ROUNDS)
def test_truncated_download_is_rejected_without_stopping(tree: Callable[[str], Path], name: str) -> None:
    root = tree(name)
    base = root / "closed" / SUBMITTER / "results" / BOX / "ssd-small"
    for file in (
        "performance/run_1/mlperf_log_detail.txt",
        "performance/run_1/mlperf_log_summary.txt",
        "accuracy/accuracy.txt",
    ):
        path = base / "Offline" / file
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    report = check_tree(load_round(name), root)
    assert "Offline" in {row.place.scenario for row in report.rejected if row.place.system == BOX}
    assert {row.status for row in report.results if row.place.system != BOX} == {"accepted"}


def test_v0_5_trees_are_not_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"round v0\.5 have another layout") as caught:
        check_tree(load_round("v0.5"), tmp_path)
    assert "ck import submission" in caught.value.hint


def test_folders_without_system_or_result_are_named(tree: Callable[[str], Path]) -> None:
    root = tree("v1.0")
    (root / "closed" / SUBMITTER / "results/.ipynb_checkpoints").mkdir()
    (root / "closed" / SUBMITTER / "results" / BOX / "ssd-large").mkdir()
    report = check_tree(load_round(), root)
    assert {each.rule for each in report.folders} == {"system-missing", "model-empty"}
    assert len(report.officially_empty) == 2


def test_only_links_within_tree_are_followed(tree: Callable[[str], Path], tmp_path: Path) -> None:
    root = tree("v1.0")
    base = root / "open" / SUBMITTER / "results"
    system = next(base.iterdir())
    shutil.move(str(system / OPEN_MODEL), str(root / "kept"))
    (system / OPEN_MODEL).symlink_to(Path("../../../../kept"))
    outside = tmp_path / "outside"
    shutil.copytree(root / "kept", outside)
    (system / "ssd-small").symlink_to(outside)
    assert [place.model for place in find_results(root / "open")] == [OPEN_MODEL, OPEN_MODEL]


@pytest.mark.parametrize("listed", ["1,,2", "1 2", "9" * 5000])
def test_text_log_with_invalid_sample_list_is_read(tree: Callable[[str], Path], listed: str) -> None:
    root, round_ = tree("v0.7"), load_round("v0.7")
    place = find_results(root)[0]
    log = place.performance / "mlperf_log_detail.txt"
    log.write_text(log.read_text().replace("3597,3213,3666", listed))
    assert read_result(round_, place).value
    assert len(check_tree(round_, root).results) == len(find_results(root))


@pytest.mark.parametrize("value", ["5", "true", '"3"', '{"a": 1}', "[null]"])
def test_log_without_sample_list_is_imported(tree: Callable[[str], Path], value: str) -> None:
    root = tree("v1.0")
    place = find_results(root)[0]
    log = place.performance / "mlperf_log_detail.txt"
    log.write_text(
        f':::MLLOG {{"key": "loaded_qsl_set", "value": {value}, "metadata": {{"is_error": false}}}}\n{log.read_text()}'
    )
    found = read_result(load_round("v1.0"), place)
    assert found.samples == []
    assert found.value


@pytest.mark.parametrize("name", ["v0.7", "v1.0"])
def test_blank_lines_do_not_slow_reader_down(tree: Callable[[str], Path], name: str) -> None:
    root, round_ = tree(name), load_round(name)
    place = find_results(root)[0]
    for file in ("mlperf_log_detail.txt", "mlperf_log_summary.txt"):
        log = place.performance / file
        log.write_text(
            f'{log.read_text()}{" " * 500_000}\n"pid": 1, "tid": 1, "ts": 1ns : a{" " * 500_000}b"\na{" " * 500_000}b\n'
        )
    assert read_result(round_, place).value  # otherwise the reader would need hours


def test_uncountable_power_is_a_finding(tree: Callable[[str], Path]) -> None:
    root, round_ = tree("v1.0"), load_round("v1.0")
    clock = next(root.rglob("power/server.json"))
    samples = clock.parents[1] / "run_1/spl.txt"
    written = clock.read_text(), samples.read_text()
    clock.write_text(json.dumps({"timezone": 8e13}))
    assert _of_rule(check_tree(round_, root), "power") == ["a time out of range"]
    clock.write_text(written[0])
    samples.write_text(re.sub(r"Watts,\d+", "Watts,nan", written[1]))
    report = check_tree(round_, root)
    assert _of_rule(report, "power") == ["nan"]
    assert not report.officially_rejected
    json.dumps([row.as_data() for row in report.results], allow_nan=False)


def _of_rule(report: Report, rule: str) -> list[str]:
    return [each.seen for row in report.results for each in row.findings if each.rule == rule]


@pytest.mark.parametrize("name", ROUNDS)
def test_unknown_open_scenario_is_reported(ck: Ck, tree: Callable[[str], Path], name: str) -> None:
    root = tree(name)
    for part in ("results", "measurements"):
        folder = root / "open" / SUBMITTER / part / OPEN_BOX / OPEN_MODEL
        (folder / "Offline").rename(folder / "Bulk")
    table = root.with_name("summary.csv")
    assert check(ck, root, name, "--as-official", f"--csv={table}").code == 0
    (row,) = [row for row in csv.DictReader(io.StringIO(table.read_text())) if row["Scenario"] == "Bulk"]
    assert row.get("Units", "") == ""
    output = f"--output={root.with_name('final')}"
    answer = ck("report", "submission", f"--path={root}", f"--round={name}", "--as-official", output, "--out=json")
    assert answer.code == 0
    assert "Bulk" not in answer.out


def test_infinite_figure_is_empty_in_report(tree: Callable[[str], Path]) -> None:
    root, round_ = tree("v1.0"), load_round("v1.0")
    log = root / "closed" / SUBMITTER / "results" / BOX / "ssd-small/Offline/performance/run_1/mlperf_log_detail.txt"
    log.write_text(re.sub(r'("result_samples_per_second", "value": )[\d.]+', r"\g<1>1e999", log.read_text()))
    tables = final_report(round_, check_tree(round_, root).results, official=True)
    json.dumps([table.as_data() for table in tables], allow_nan=False)
    assert b"inf" not in zipfile.ZipFile(io.BytesIO(xlsx(tables))).read("xl/worksheets/sheet1.xml").replace(b"<is>", b"")


# several runs


def test_last_of_five_server_runs_counts(tree: Callable[[str], Path]) -> None:
    root = tree("v0.7")
    base = root / "closed" / SUBMITTER / "results" / SERVER / "ssd-large/Server/performance"
    for number in range(1, 6):
        path = base / f"run_{number}/mlperf_log_summary.txt"
        path.write_text(path.read_text().replace("38.44", f"3{number}.5"))
    round_ = load_round("v0.7")
    (row,) = [row for row in check_tree(round_, root).results if row.place.scenario == "Server"]
    (place,) = [place for place in find_results(root) if place.scenario == "Server"]
    assert row.value == read_result(round_, place).value == 35.5
    shutil.rmtree(base / "run_5")
    (row,) = [row for row in check_tree(round_, root).results if row.place.scenario == "Server"]
    assert (row.value, row.status) == (34.5, "accepted")
    assert "run" in {each.rule for each in row.findings}


# across rounds


def test_rounds_are_compared_where_rules_allow() -> None:
    rounds = {name: load_round(name) for name in ROUNDS}
    assert compare_rules(rounds["v1.0"], rounds["v1.1"], "offline").text == ""
    later = compare_rules(rounds["v1.0"], rounds["v2.0"], "singlestream")
    assert later.comparable
    assert "early stopping" in later.text
    earlier = compare_rules(rounds["v0.7"], rounds["v1.0"], "server", "ssd-resnet34")
    assert earlier.comparable
    assert "60 s in v0.7 and 600 s in v1.0" in earlier.text
    multi = compare_rules(rounds["v1.0"], rounds["v2.0"], "multistream")
    assert not multi.comparable
    assert "samples/query in v1.0 and ms in v2.0" in multi.text
    assert not compare_rules(rounds["v1.0"], rounds["v1.1"], "multistream").comparable


def test_results_of_all_rounds_are_listed_sorted_and_found_by_hardware(
    ck: Ck, tree: Callable[[str], Path], tmp_path: Path
) -> None:
    for name in ROUNDS:
        assert ck("import", "submission", f"--path={tree(name)}", f"--round={name}").code == 0
    rows = ck("ls", "result", "--round=v2.0", "--scenario=multistream", "--sort=value", "--out=json").json["lst"]
    assert [(row["unit"], row["inferred"]) for row in rows] == [("ms", False)]
    offline = ck("ls", "result", "--scenario=offline", "--sort=value", "--out=json").json["lst"]
    assert [row["value"] for row in offline] == sorted((row["value"] for row in offline), reverse=True)
    assert any(row["inferred"] for row in offline)
    system = tmp_path / "mine.json"
    about = {
        "host_processor_model_name": "Example CPU of F1x1_RT", "host_processors_per_node": 2, "host_processor_core_count": "8",
        "accelerator_model_name": "Example F1", "accelerators_per_node": "1",
    }  # fmt: skip
    system.write_text(json.dumps(about))
    found = ck("find", "result", f"--like={system}", "--round=v1.0", "--out=json").json["lst"]
    assert found[0]["likeness"] == 1.0
    system.write_text(json.dumps({**about, "accelerators_per_node": "8", "host_processor_model_name": "Other 9"}))
    assert ck("find", "result", f"--like={system}", "--out=json").json["lst"][0]["likeness"] < 0.8
    assert ck("find", "result", "--system=none").code == 16


def test_report_has_a_table_for_each_division_and_category(ck: Ck, tree: Callable[[str], Path], tmp_path: Path) -> None:
    words = (f"--path={tree('v2.0')}", "--round=v2.0", f"--output={tmp_path / 'final'}")
    answer = ck("report", "submission", *words, "--out=json")
    names = ["closed,datacenter", "closed,edge", "closed,edge,power", "open,edge"]
    assert [table["name"] for table in answer.json["tables"]] == names
    assert json.loads((tmp_path / "final.json").read_text())["tables"] == answer.json["tables"]
    (row,) = answer.json["tables"][1]["rows"]
    assert (row["ID"], row["Submitter"], row["ssd-small Offline Samples/s"]) == ("2.0-001", SUBMITTER, 5821.47)
    with zipfile.ZipFile(tmp_path / "final.xlsx") as book:
        parts = {name: ElementTree.fromstring(book.read(name)) for name in book.namelist()}
    sheets = parts["xl/workbook.xml"].findall(".//{*}sheet")
    assert [sheet.get("name") for sheet in sheets] == names
    values = [float(cell.text or "") for cell in parts["xl/worksheets/sheet2.xml"].findall(".//{*}v")]
    assert 5821.47 in values
    assert "closed,edge,power" in (tmp_path / "final.html").read_text()
