"""The checker on complete submissions: no findings as they are, and each mutation is found by its own rule."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trees
from trees import Submissions

from ck_repo.errors import UsageError
from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.check.power import read_samples
from ck_repo.rounds.check.summary import summary_csv
from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.logs import read_detail
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for
from ck_repo.rounds.truncate import truncate_tree
from ck_repo.rounds.user_conf import look_up, parse_conf

Ck = Callable[..., Any]
Damage = Callable[[Path], object]
OURS = f"closed/{trees.SUBMITTER}"
NAME = trees.SYSTEM
SYSTEM = f"{OURS}/systems/{NAME}.json"


def result(scenario: str = "Offline", model: str = "ssd-mobilenet") -> str:
    return f"{OURS}/results/{NAME}/{model}/{scenario}"


def measured(scenario: str = "Offline") -> str:
    return f"{OURS}/measurements/{NAME}/ssd-mobilenet/{scenario}"


def compliance(test: str, scenario: str = "Offline") -> str:
    return f"{OURS}/compliance/{NAME}/ssd-mobilenet/{scenario}/{test}"


def detail(scenario: str = "Offline", model: str = "ssd-mobilenet") -> str:
    return f"{result(scenario, model)}/performance/run_1/mlperf_log_detail.txt"


# mutations


def value(file: str, key: str, new: str) -> Damage:
    """Set a key of a detail log."""

    def damage(tree: Path) -> None:
        text = (tree / file).read_text()
        changed, count = re.subn(rf'("key": "{re.escape(key)}", "value": )("[^"]*"|[^,]+)', rf"\g<1>{new}", text)
        assert count, f"{key} is not in {file}"
        (tree / file).write_text(changed)

    return damage


def error_event(file: str) -> Damage:
    def damage(tree: Path) -> None:
        text = (tree / file).read_text()
        (tree / file).write_text(text.replace('"is_error": false', '"is_error": true', 1))

    return damage


def gone(file: str) -> Damage:
    def damage(tree: Path) -> None:
        path = tree / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def text(file: str, old: str, new: str) -> Damage:
    def damage(tree: Path) -> None:
        before = (tree / file).read_text()
        assert re.search(old, before, re.S), f"{old} is not in {file}"
        (tree / file).write_text(re.sub(old, new, before, count=1, flags=re.S))

    return damage


def appended(file: str, more: str) -> Damage:
    def damage(tree: Path) -> None:
        with open(tree / file, "a", encoding="utf-8") as opened:
            opened.write(more)

    return damage


def key(file: str, name: str, new: Any) -> Damage:
    """Set a key of a JSON file; None removes it."""

    def damage(tree: Path) -> None:
        content = json.loads((tree / file).read_text())
        assert name in content
        content[name] = new
        if new is None:
            del content[name]
        (tree / file).write_text(json.dumps(content, indent=2))

    return damage


def moved(old: str, new: str) -> Damage:
    return lambda tree: shutil.move(str(tree / old), str(tree / new))


def copied(old: str, new: str) -> Damage:
    return lambda tree: shutil.copy(tree / old, tree / new)


def cut(file: str) -> Damage:
    return lambda tree: (tree / file).write_bytes((tree / file).read_bytes()[:-200])


def fat(tree: Path) -> None:
    (tree / result() / "accuracy/mlperf_log_accuracy.json").write_text("[\n" + "x" * 20000 + "\n]")


def other_log(tree: Path) -> None:
    (tree / result() / "accuracy/mlperf_log_accuracy.json").write_text("[]\n")


def seeds_of_v1_1(tree: Path) -> None:
    for name, seed in load_round("v1.1").seeds.items():
        value(detail(), f"effective_{name}", str(seed))(tree)


def without_rate(tree: Path) -> None:
    """Offline's result from a SingleStream log without the rate."""
    shutil.copy(tree / detail("SingleStream"), tree / detail())
    text(detail(), "result_qps_without_loadgen_overhead", "result_other")(tree)


def power(*left_out: str, more: str = "") -> Damage:
    """Add a power measurement without some of its files, or with a wrong file."""

    def damage(tree: Path) -> None:
        add_power(tree)
        if more:
            (tree / result() / "performance" / more).write_text("{")
        for name in left_out:
            path = tree / result() / "performance" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def add_power(tree: Path, scenario: str = "Offline", channels: str = "") -> None:
    folder = tree / result(scenario) / "performance"
    (folder / "power").mkdir()
    (folder / "ranging").mkdir()
    for name in ("client.json", "server.json"):
        (folder / "power" / name).write_text('{"timezone": 3600}')
    for name in ("client.log", "server.log", "ptd_logs.txt"):
        (folder / "power" / name).write_text("a log\n")
    moments = ("08:59:00.000", "09:00:00.500", "09:05:00.000", "09:12:00.000")  # the first and the last are outside the run
    rows = [
        f"Time,03-02-2021 {moment},Watts,{watts},Volts,230{channels}"
        for moment, watts in zip(moments, (999, 60, 70, 1), strict=True)
    ]
    (folder / "run_1/spl.txt").write_text("\n".join(rows) + "\n")
    for path in (folder / "run_1").iterdir():
        shutil.copy(path, folder / "ranging" / path.name)


def renamed_keys(tree: Path) -> None:
    path = tree / detail()
    path.write_text(path.read_text().replace("result_samples_per_second", "result_tokens_per_second"))


DAMAGED: list[tuple[str, Damage, str, str, str]] = [
    # description, mutation, rule, severity, part of the message
    ("INVALID", value(detail(), "result_validity", '"INVALID"'), "valid", "rejected", "INVALID"),
    ("no verdict", text(detail(), r'"result_validity"', '"result_other"'), "valid", "rejected", "no result"),
    ("an error event", error_event(detail()), "errors", "rejected", "1, the first"),
    ("an error event in accuracy", error_event(f"{result()}/accuracy/mlperf_log_detail.txt"), "accuracy-errors", "rejected", "1, the"),
    ("a part of the images", value(f"{result()}/accuracy/mlperf_log_detail.txt", "qsl_reported_total_count", "79"), "data-set", "reported", "79"),
    ("a text in a number", value(detail(), "result_samples_per_second", '"fast"'), "result", "rejected", "'fast'"),
    ("no figure", renamed_keys, "result", "rejected", "no such key"),
    ("no performance log", gone(detail()), "performance-log", "rejected", "no such file"),
    ("a truncated log", cut(detail()), "performance-log", "rejected", "truncated"),
    ("an empty log", text(detail(), ".*", ""), "performance-log", "rejected", "none"),
    ("a small sample count", value(detail(), "effective_performance_sample_count", "255"), "sample-count", "rejected", "255"),
    ("a text as sample count", value(detail(), "effective_performance_sample_count", '"all"'), "sample-count", "rejected", "all"),
    ("a wrong QSL seed", value(detail(), "effective_qsl_rng_seed", "1"), "seed", "reported", "1"),
    ("a wrong sample seed", value(detail(), "effective_sample_index_rng_seed", "2"), "seed", "reported", "2"),
    ("a wrong schedule seed", value(detail(), "effective_schedule_rng_seed", "3"), "seed", "reported", "3"),
    ("a short duration", value(detail(), "effective_min_duration_ms", "60000"), "duration", "reported", "60000"),
    ("few offline samples asked", value(detail(), "effective_min_sample_count", "24575"), "offline-samples", "reported", "24575"),
    ("few offline samples", value(detail(), "generated_samples_per_query", "24575"), "offline-samples", "reported", "24575"),
    (
        "few queries asked of SingleStream",
        value(detail("SingleStream"), "effective_min_query_count", "1023"), "query-count", "reported", "1023",
    ),
    ("few queries of SingleStream", value(detail("SingleStream"), "generated_query_count", "1000"), "query-count", "reported", "1000"),
    (
        "few queries of MultiStream",
        value(detail("MultiStream"), "effective_min_query_count", "270335"), "query-count", "reported", "270335",
    ),
    (
        "MultiStream over its bound",
        value(detail("MultiStream"), "result_99.00_percentile_per_query_latency_ns", "50000001"), "latency", "reported", "50000001",
    ),
    (
        "ResNet34's MultiStream over its bound",
        value(detail("MultiStream", "ssd-resnet34"), "result_99.00_percentile_per_query_latency_ns", "66000001"),
        "latency", "reported", "66000001",
    ),
    ("the log of another scenario", value(detail(), "effective_scenario", '"Server"'), "scenario", "rejected", "Server"),
    ("a renamed scenario", moved(result(), result("Onffline")), "scenario", "rejected", "Onffline"),
    ("a scenario in other letters", moved(result(), result("OFFLINE")), "scenario", "rejected", "OFFLINE"),
    ("a renamed model", moved(f"{OURS}/results/{NAME}/ssd-mobilenet", f"{OURS}/results/{NAME}/SSD-MobileNet"), "model", "rejected", "SSD-MobileNet"),
    ("an accuracy run as performance", value(detail(), "effective_test_mode", '"AccuracyOnly"'), "test-mode", "rejected", "AccuracyOnly"),
    ("a required scenario missing", gone(result("SingleStream")), "scenario-required", "rejected", "none"),
    ("a datacenter with the small model", key(SYSTEM, "system_type", "datacenter"), "scenario-allowed", "rejected", "ssd-mobilenet"),
    ("a low mAP", text(f"{result()}/accuracy/accuracy.txt", r"mAP=23\.125%", "mAP=21.779%"), "accuracy", "rejected", "21.779 %"),
    ("no mAP", text(f"{result()}/accuracy/accuracy.txt", r"mAP=23\.125%", ""), "accuracy-figure", "rejected", "none"),
    ("no accuracy.txt", gone(f"{result()}/accuracy/accuracy.txt"), "accuracy-figure", "rejected", "no such file"),
    ("a missing hash", text(f"{result()}/accuracy/accuracy.txt", r"hash=\w+", ""), "accuracy-hash", "rejected", "none"),
    ("an invalid hash", text(f"{result()}/accuracy/accuracy.txt", r"hash=\w+", "hash=abc"), "accuracy-hash", "rejected", "abc"),
    ("another accuracy log", other_log, "accuracy-hash-wrong", "reported", "hash="),
    ("a fat log", fat, "accuracy-log-size", "rejected", "20004 bytes"),
    ("no accuracy log", gone(f"{result()}/accuracy/mlperf_log_accuracy.json"), "accuracy-log", "rejected", "no such file"),
    ("no detail log of accuracy", gone(f"{result()}/accuracy/mlperf_log_detail.txt"), "accuracy-log", "rejected", "no such file"),
    ("no summary", gone(f"{result()}/performance/run_1/mlperf_log_summary.txt"), "files", "reported", "no such file"),
    ("no summary of accuracy", gone(f"{result()}/accuracy/mlperf_log_summary.txt"), "files", "reported", "no such file"),
    ("no mlperf.conf", gone(f"{measured()}/mlperf.conf"), "files", "reported", "no such file"),
    ("no user.conf", gone(f"{measured()}/user.conf"), "files", "reported", "no such file"),
    ("no README", gone(f"{measured()}/README.md"), "files", "reported", "no such file"),
    ("no measurement's JSON", gone(f"{measured()}/{NAME}_Offline.json"), "files", "reported", "none"),
    ("no type of weights", key(f"{measured()}/{NAME}_Offline.json", "weight_data_types", None), "measurements", "reported", "no such key"),
    ("empty starting weights", key(f"{measured()}/{NAME}_Offline.json", "starting_weights_filename", ""), "measurements", "reported", "''"),
    ("a measurement that is no JSON", text(f"{measured()}/{NAME}_Offline.json", ".*", "{"), "measurements-json", "rejected", "Expecting"),
    ("a seed of the user's", appended(f"{measured()}/user.conf", "*.*.qsl_rng_seed = 1\n"), "user-conf", "reported", "qsl_rng_seed"),
    ("a shorter run by user.conf", appended(f"{measured()}/user.conf", "*.Offline.min_duration = 1\n"), "user-conf", "reported", "= 1"),
    ("an unknown setting", appended(f"{measured()}/user.conf", "*.Offline.speed = 9\n"), "user-conf", "reported", "speed"),
    ("an invalid target", appended(f"{measured()}/user.conf", "*.Offline.target_qps = max\n"), "user-conf", "reported", "max"),
    ("no description of the system", gone(SYSTEM), "system", "rejected", "no such file"),
    ("a description without a key", key(SYSTEM, "host_memory_capacity", None), "system", "rejected", "no such key"),
    ("a description with an empty key", key(SYSTEM, "framework", " "), "system-value", "reported", "' '"),
    ("another division in it", key(SYSTEM, "division", "open"), "system", "rejected", "open"),
    ("another submitter in it", key(SYSTEM, "submitter", "Nobody"), "system", "rejected", "Nobody"),
    ("an unknown status", key(SYSTEM, "status", "soon"), "system", "rejected", "soon"),
    ("an unknown system type", key(SYSTEM, "system_type", "phone"), "system", "rejected", "phone"),
    ("a text as count", key(SYSTEM, "number_of_nodes", "a few"), "system-value", "reported", "'a few'"),
    ("a description that is no JSON", text(SYSTEM, ".*", "{,"), "system", "rejected", "Expecting"),
    ("no TEST01", gone(compliance("TEST01")), "compliance-missing", "reported", "no such folder"),
    ("no TEST04-B", gone(compliance("TEST04-B")), "compliance-missing", "reported", "no such folder"),
    ("no log of TEST05", gone(f"{compliance('TEST05')}/performance/run_1/mlperf_log_detail.txt"), "compliance-missing", "reported", "no such"),
    ("no verification", gone(f"{compliance('TEST05')}/verify_performance.txt"), "compliance-missing", "reported", "no such file"),
    ("TEST01 fails", text(f"{compliance('TEST01')}/verify_accuracy.txt", "TEST PASS", "TEST FAIL"), "compliance-accuracy", "reported", "FAIL"),
    (
        "TEST05 fails",
        text(f"{compliance('TEST05')}/verify_performance.txt", "TEST PASS", "TEST FAIL"), "compliance-performance", "reported", "FAIL",
    ),
    (
        "TEST05 with the usual seed",
        value(f"{compliance('TEST05')}/performance/run_1/mlperf_log_detail.txt", "effective_qsl_rng_seed", "7322528924094909334"),
        "compliance-settings", "reported", "7322528924094909334",
    ),
    (
        "TEST01 without its audit",
        value(f"{compliance('TEST01')}/performance/run_1/mlperf_log_detail.txt", "effective_accuracy_log_rng_seed", "0"),
        "compliance-settings", "reported", "0",
    ),
    (
        "a slow TEST01 that says PASS",
        value(f"{compliance('TEST01')}/performance/run_1/mlperf_log_detail.txt", "result_samples_per_second", "5000"),
        "compliance-performance", "reported", "5000",
    ),
    (
        "a slow TEST05 that says PASS",
        value(f"{compliance('TEST05')}/performance/run_1/mlperf_log_detail.txt", "result_samples_per_second", "5500"),
        "compliance-performance", "reported", "5500",
    ),
    (
        "a TEST04-B that answers from memory",
        value(f"{compliance('TEST04-B')}/performance/run_1/mlperf_log_detail.txt", "result_samples_per_second", "7100"),
        "compliance-performance", "reported", "7100",
    ),
    (
        "TEST05 without a figure",
        value(f"{compliance('TEST05')}/performance/run_1/mlperf_log_detail.txt", "result_samples_per_second", '"fast"'),
        "compliance-performance", "reported", "fast",
    ),
    ("power without its server", power("power/server.json"), "power", "rejected", "no such file"),
    ("power without ranging", power("ranging"), "power", "rejected", "no such folder"),
    ("power with a file too many", power(more="power/notes.txt"), "power", "rejected", "another file"),
    ("power without a clock", power(more="power/client.json"), "power", "rejected", "none"),
    ("power with a broken JSON", power(more="power/client.json"), "power", "rejected", "Expecting"),
    ("a number where a text belongs", key(SYSTEM, "framework", 5), "system", "rejected", "5"),
    ("a key of v1.0 missing", key(SYSTEM, "cooling", None), "system", "rejected", "no such key"),
    ("a placeholder in the description", key(SYSTEM, "host_memory_capacity", "ADD: capacity"), "system-draft", "rejected", "ADD"),
    ("no such setting", text(detail(), '"effective_min_duration_ms"', '"effective_other"'), "setting", "rejected", "no such key"),
    ("no measurements", gone(measured()), "measurements-missing", "rejected", "no such folder"),
    ("a file too many", copied(detail(), f"{result()}/performance/run_1/copy.txt"), "files-extra", "reported", "another file"),
    ("the log of another round", seeds_of_v1_1, "round", "reported", "v1.1"),
    ("nothing to infer from", without_rate, "inferred", "rejected", "no such key"),
    ("a folder that no rule names", lambda tree: (tree / OURS / "notes").mkdir(), "stray", "reported", "notes"),
    ("a link out of the tree", lambda tree: (tree / OURS / "README.md").symlink_to("/etc/passwd"), "plain-files", "reported", "leads out"),
    ("a system without results", copied(SYSTEM, SYSTEM.replace(NAME, "F2x1_RT")), "stray", "reported", "none"),
]  # fmt: skip


def test_published_submissions_only_lack_their_code(data: Path) -> None:
    report = check_tree(load_round(), data / "results_v1.0")
    assert len(report.results) == 16
    assert {row.status for row in report.results} == {"accepted"}
    assert {each.rule for row in report.results for each in row.findings} == {"code"}
    assert report.stray == []


def test_complete_tree_has_no_findings(made: Submissions) -> None:
    """Both divisions; SingleStream, MultiStream, Server and Offline; edge and datacenter."""
    report = check_tree(load_round(), made.root)
    assert len(report.results) == made.count
    assert {row.status for row in report.results} == {"accepted"}
    assert [str(each) for row in report.results for each in row.findings] == []
    assert report.stray == []


@pytest.mark.parametrize(("damage", "rule", "severity", "seen"), [row[1:] for row in DAMAGED], ids=[row[0] for row in DAMAGED])
def test_each_mutation_is_found_by_its_own_rule(tree: Path, damage: Damage, rule: str, severity: str, seen: str) -> None:
    damage(tree)
    report = check_tree(load_round(), tree)
    found = [each for row in report.results for each in row.findings] + report.stray + report.folders
    mine = [each for each in found if each.rule == rule]
    assert mine, sorted({each.rule for each in found})
    assert any(seen in each.seen for each in mine), [each.seen for each in mine]
    assert {each.severity for each in mine} == {severity}
    assert all(each.fix and each.expected and str(tree) in each.file for each in mine)
    if severity == "rejected":
        assert report.rejected
    else:
        assert [str(each) for row in report.rejected for each in row.findings if each.severity == "rejected"] == []


def test_over_fifty_mutations_cover_every_rule() -> None:
    assert len(DAMAGED) >= 50
    others = {"code", "run", "power-json", "early-stopping", "model-empty", "system-missing"}  # tested separately
    assert {row[2] for row in DAMAGED} | others == set(load_round().submission.advice)


def test_finding_names_the_line(tree: Path) -> None:
    value(detail(), "effective_qsl_rng_seed", "1")(tree)
    (found,) = [each for row in check_tree(load_round(), tree).results for each in row.findings]
    line = (tree / detail()).read_text().splitlines()[found.line - 1]
    assert '"effective_qsl_rng_seed", "value": 1' in line
    key(SYSTEM, "status", "soon")(tree)
    found = next(each for row in check_tree(load_round(), tree).results for each in row.findings if each.rule == "system")
    assert '"status"' in (tree / SYSTEM).read_text().splitlines()[found.line - 1]


def test_open_division_needs_no_accuracy_scenarios_or_compliance(tree: Path) -> None:
    gone(result("SingleStream"))(tree)
    gone(f"{OURS}/compliance")(tree)
    text(f"{result()}/accuracy/accuracy.txt", r"mAP=23\.125%", "mAP=1.0%")(tree)
    key(SYSTEM, "division", "open")(tree)
    (tree / "closed").rename(tree / "open")
    report = check_tree(load_round(), tree)
    assert [str(each) for row in report.results for each in row.findings] == []
    assert min(row.mAP or 0.0 for row in report.results) == 1.0


def test_power_is_the_mean_within_the_run(tree: Path) -> None:
    add_power(tree)
    row = next(
        row
        for row in check_tree(load_round(), tree).results
        if row.place.scenario == "Offline" and row.benchmark == "ssd-mobilenet"
    )
    assert (row.power, row.power_unit) == (65.0, "W")
    assert row.findings == []
    assert len(list(read_samples(tree / result() / "performance/run_1/spl.txt"))) == 4


def test_power_is_that_of_the_whole_meter_with_channels(tree: Path) -> None:
    add_power(tree, channels=",Ch1,Watts,20,Volts,230,Ch2,Watts,500,Volts,230")
    (row,) = [each for each in check_tree(load_round(), tree).results if each.power]
    assert (row.power, row.power_unit, row.findings) == (65.0, "W", [])


def test_single_query_power_is_energy_per_query(tree: Path) -> None:
    add_power(tree, "SingleStream")
    rate = read_detail(tree / detail("SingleStream")).number("result_qps_with_loadgen_overhead")
    assert rate
    (row,) = [each for each in check_tree(load_round(), tree).results if each.power]
    assert row.power == pytest.approx(65.0 / rate)
    assert row.power_unit == "J/query"


def test_command_and_summary(ck: Ck, made: Submissions, tree: Path, tmp_path: Path) -> None:
    answer = ck("check", "submission", f"--path={tree}", f"--csv={tmp_path / 's.csv'}", "--out=json")
    assert answer.code == 0
    rows = answer.json["results"]
    assert set(rows[0]) >= {
        "division",
        "submitter",
        "system",
        "model",
        "scenario",
        "status",
        "value",
        "unit",
        "mAP",
        "findings",
    }
    with open(made.table, encoding="utf-8") as file:
        golden = {(row["model"], row["scenario"]): row for row in csv.DictReader(file) if row["system"] == NAME}
    with open(tmp_path / "s.csv", encoding="utf-8") as file:
        summarized = list(csv.DictReader(file))
        assert {(row["Model"], row["Scenario"]) for row in summarized} == set(golden)
        for row in summarized:
            factor = 1e6 if row["Scenario"] == "SingleStream" else 1
            assert float(row["Result"]) * factor == pytest.approx(float(golden[row["Model"], row["Scenario"]]["result_raw"]))
            assert row["Accuracy"] == golden[row["Model"], row["Scenario"]]["mAP"]
            assert (row["MlperfModel"], row["compilance"]) in {("ssd-small", "1"), ("ssd-large", "1")}
    value(detail(), "result_validity", '"INVALID"')(tree)
    answer = ck("check", "submission", f"--path={tree}", "--out=json")
    assert answer.code == 10
    rejected = [row for row in answer.json["results"] if row["status"] == "rejected"]
    assert [(row["model"], row["scenario"]) for row in rejected] == [("ssd-mobilenet", "Offline")]
    assert set(rejected[0]["findings"][0]) == {"rule", "severity", "file", "line", "expected", "seen", "fix"}
    assert NAME in ck("summarize", "submission", f"--path={tree}").out


def test_summary_omits_rejected_results(tree: Path) -> None:
    value(detail(), "result_validity", '"INVALID"')(tree)
    rows = list(csv.DictReader(io.StringIO(summary_csv(load_round(), check_tree(load_round(), tree).results))))
    assert len(rows) == 5
    assert list(rows[0])[:4] == ["Organization", "Availability", "Division", "SystemType"]


# truncation


@pytest.fixture
def whole(tree: Path) -> tuple[Path, bytes]:
    """A tree with one accuracy log as the harness wrote it."""
    records = [f'{{ "seq_id" : {at}, "qsl_idx" : {at}, "data" : "{"0" * 56}" }}' for at in range(900)]
    content = ("[\n" + ",\n".join(records) + "\n]\n").encode()
    folder = tree / result() / "accuracy"
    (folder / "mlperf_log_accuracy.json").write_bytes(content)
    (folder / "accuracy.txt").write_text("mAP=23.125%\n")
    return tree, content


def test_truncation_follows_rules_and_keeps_full_log(ck: Ck, whole: tuple[Path, bytes], tmp_path: Path) -> None:
    tree, content = whole
    answer = ck("truncate", "submission", f"--path={tree}", f"--backup={tmp_path / 'kept'}", "--out=json")
    (row,) = answer.json["lst"]
    log = tree / result() / "accuracy/mlperf_log_accuracy.json"
    assert log.read_bytes() == content[:4096] + b"\n\n...\n\n" + content[-4096:]
    assert log.stat().st_size == row["after"] == 8199  # as in published submissions
    assert (log.parent / "accuracy.txt").read_text() == f"mAP=23.125%\nhash={hashlib.sha256(content).hexdigest()}\n"
    assert (tmp_path / "kept" / result() / "accuracy/mlperf_log_accuracy.json").read_bytes() == content
    assert check_tree(load_round(), tree).rejected == []
    again = ck("truncate", "submission", f"--path={tree}", f"--backup={tmp_path / 'kept2'}", "--out=json")
    assert again.json["lst"] == []  # and the hash of the full log stays
    assert hashlib.sha256(content).hexdigest() in (log.parent / "accuracy.txt").read_text()


def test_truncation_to_a_copy_leaves_tree_unchanged(whole: tuple[Path, bytes], tmp_path: Path) -> None:
    tree, content = whole
    assert len(truncate_tree(load_round(), tree, output=tmp_path / "copy")) == 1
    assert (tree / result() / "accuracy/mlperf_log_accuracy.json").read_bytes() == content
    assert check_tree(load_round(), tmp_path / "copy").rejected == []


def test_tree_is_not_copied_into_itself(whole: tuple[Path, bytes], tmp_path: Path) -> None:
    tree, _ = whole
    (tmp_path / "link").symlink_to(tree)
    for output in (tree / "copy", tmp_path / "link/closed/copy"):
        with pytest.raises(UsageError, match="is inside the tree"):
            truncate_tree(load_round(), tree, output=output)
        assert not output.exists()


def test_tilde_is_expanded(ck: Ck, whole: tuple[Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, content = whole
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert ck("truncate", "submission", f"--path={tree}", "--backup=~/kept").code == 0
    assert (tmp_path / "home/kept" / result() / "accuracy/mlperf_log_accuracy.json").read_bytes() == content


def test_truncation_of_linked_tree(whole: tuple[Path, bytes], tmp_path: Path) -> None:
    tree, content = whole
    (tmp_path / "link").symlink_to(tree)
    assert len(truncate_tree(load_round(), tmp_path / "link", backup=tmp_path / "kept")) == 1
    assert (tmp_path / "kept" / result() / "accuracy/mlperf_log_accuracy.json").read_bytes() == content


def test_truncation_says_where_full_logs_are(ck: Ck, tree: Path, tmp_path: Path) -> None:
    assert ck("truncate", "submission", f"--path={tree}").code == 2
    assert ck("truncate", "submission", f"--path={tree}", f"--output={tmp_path}").code == 4


# user.conf


def test_more_specific_setting_wins() -> None:
    rows = parse_conf(
        "# comment\n*.*.target_qps = 1\nssd-resnet34.*.target_qps = 2\n*.Offline.target_qps = 3 # why\nssd-large.Offline.target_qps = 4\n"
    )

    def found(model: str, scenario: str) -> str:
        row = look_up(load_round(), rows, model, scenario, "target_qps")
        return row.value if row else ""

    assert [found("ssd-mobilenet", "Server"), found("ssd-resnet34", "Server")] == ["1", "2"]
    assert [found("ssd-mobilenet", "Offline"), found("ssd-resnet34", "offline")] == ["3", "4"]
    assert look_up(load_round(), rows, "ssd-mobilenet", "Offline", "target_latency") is None


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("*.Offline.target_qps = 100", True),
        ("*.Server.target_latency = 10", True),
        ("*.Server.target_latency = 11", False),
        ("*.SingleStream.target_latency = 99", True),
        ("*.*.performance_sample_count_override = 1024", True),
        ("*.*.performance_sample_count_override = 64", False),
        ("*.*.qsl_rng_seed = 7322528924094909334", True),
        ("*.Offline.min_query_count = 1", True),
        ("*.Server.min_query_count = 1", False),
        ("*.Server.max_query_count = 9", False),
        ("ssd-resnet34.Server.target_latency = 100", True),  # of another benchmark
        ("resnet50.*.performance_sample_count_override = 128", True),
        ("*.server.target_latency = 500", False),
        ("*.Server.target_qps = 0", False),
        ("*.MultiStream.samples_per_query = inf", False),
        ("ssd-mobilenett.Server.target_qps = 5", False),
        ("*.MultiStream.target_qps = 20", True),
        ("*.MultiStream.target_qps = 40", False),
        ("*.MultiStream.max_async_queries = 4", False),
        ("*.Server.target_latency_percentile = 99", True),
        ("*.Server.target_latency_percentile = 90", False),
        ("nonsense", False),
        ("*.Offlin.target_qps = 1", False),
    ],
)
def test_settings_a_user_may_change(line: str, allowed: bool) -> None:
    (row,) = parse_conf(line)
    assert (row.refusal(rules_for(load_round(), "ssd-mobilenet")) == "") is allowed


def test_results_of_other_benchmarks_are_skipped(ck: Ck, tree: Path) -> None:
    shutil.copytree(tree / result(), tree / OURS / "results" / NAME / "resnet50/Offline")
    shutil.copytree(tree / result(), tree / OURS / "results/Big/bert-99/Offline")
    shutil.copy(tree / SYSTEM, tree / OURS / "systems/Big.json")
    report = check_tree(load_round(), tree)
    assert (len(report.results), len(report.skipped), report.rejected, report.stray) == (6, 2, [], [])
    assert "2 of other benchmarks were skipped" in ck("check", "submission", f"--path={tree}").out


def test_status_is_that_of_worst_finding(tree: Path) -> None:
    row: Checked = check_tree(load_round(), tree).results[0]
    assert row.status == "accepted"
    row.add("seed", tree, "a", "b")
    assert row.status == "accepted"
    row.add("valid", tree, "a", "b")
    assert row.status == "rejected"
