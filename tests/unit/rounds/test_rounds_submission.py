"""Submissions of v1.0, and how users handle them.

Expected figures: the table beside the tree, `Submissions.table`. That of the made tree has the figures of `trees.RESULTS`,
that of the published tree is the published table of the round.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trees
from loadgen_logs import accuracy_log, truncated
from trees import Submissions

from ck_repo.errors import ConfigError, NotFoundError
from ck_repo.experiments.published import matching, read_table
from ck_repo.rounds.logs import read_accuracy, read_detail, read_samples, read_text
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import Place, find_results, read_result
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]
OURS = f"closed/{trees.SUBMITTER}"
EVENT = ':::MLLOG {{"key": "{}", "value": {}, "metadata": {{"is_error": {}}}}}\n'


@pytest.fixture
def table(submissions: Submissions) -> dict[tuple[str, ...], dict[str, str]]:
    with open(submissions.table, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {tuple(row[key] for key in ("division", "organisation", "system", "model", "scenario")): row for row in rows}


def place(tree: Path, scenario: str = "Offline", model: str = "ssd-mobilenet") -> Place:
    return Place(tree, "closed", trees.SUBMITTER, trees.SYSTEM, model, scenario)


def test_results_match_the_table(ck: Ck, submissions: Submissions, table: dict[tuple[str, ...], dict[str, str]]) -> None:
    answer = ck("import", "submission", f"--path={submissions.root}", "--out=json")
    assert answer.code == 0
    assert all(row["remarks"] == [] for row in answer.json["lst"])
    rows = ck("ls", "result", "--out=json").json["lst"]
    assert len(rows) == answer.json["count"] == submissions.count
    for row in rows:
        golden = table[tuple(row[key] for key in ("division", "submitter", "system", "model", "scenario"))]
        factor = 1e-6 if row["scenario"] == "SingleStream" else 1
        assert row["value"] == pytest.approx(float(golden["result_raw"]) * factor, rel=1e-12)
        assert row["valid"] is (golden["validity"] == "VALID")
        assert row["mAP"] == float(golden["mAP"])
        assert row["p99_ms"] == pytest.approx(int(golden["p99_latency_ns"]) / 1e6)
        assert row["processor"] == golden["host_processor"]
        assert row["framework"] == golden["framework"]
        assert (Path(row["path"]) / "performance/mlperf_log_detail.txt").is_file()


def test_units_match_the_scenario(ck: Ck, made: Submissions) -> None:
    ck("import", "submission", f"--path={made.root}")
    rows = ck("ls", "result", "--model=ssd-small", "--out=json").json["lst"]
    rows += ck("ls", "result", "--model=ssd-large", "--out=json").json["lst"]
    assert {(row["scenario"], row["unit"]) for row in rows} == {
        ("MultiStream", "samples/query"), ("Offline", "samples/s"), ("SingleStream", "ms"), ("Server", "queries/s"),
    }  # fmt: skip


def test_reimported_tree_replaces_its_entry(ck: Ck, made: Submissions) -> None:
    closed = [row for row in trees.RESULTS if row.division == "closed"]
    for _ in range(2):
        assert ck("import", "submission", f"--path={made.root / 'closed'}").code == 0
    assert len(ck("ls", "experiment", "--tags=submission", "--out=json").json["lst"]) == len(closed) == 13


def test_imported_result_shows_system_settings_and_compliance(ck: Ck, made: Submissions) -> None:
    ck("import", "submission", f"--path={made.root / 'closed/Brookside'}")
    name = f"closed-Brookside-{trees.EDGE_BOX}-ssd-mobilenet-MultiStream"
    meta = ck("load", f"experiment:{name}", "--out=json").json["dict"]
    assert meta["system"]["accelerator_model_name"] == "Example B2"
    assert meta["settings"]["qsl_rng_seed"] == 7322528924094909334
    assert meta["settings"]["samples_per_query"] == 48
    # its TEST01 differs in two of 1012 samples, and passes by mAP: 24.871 and 24.790 %
    assert meta["compliance"] == {"TEST01": "pass", "TEST04-A": "pass", "TEST04-B": "logs", "TEST05": "pass"}
    assert "Example B2" in ck("show", f"experiment:{name}").out


def test_published_test01_passes_by_map(ck: Ck, data: Path) -> None:
    """NVIDIA's MultiStream: two of 999 samples differ; 25.124 and 25.035 %."""
    ck("import", "submission", f"--path={data / 'results_v1.0/closed/NVIDIA'}")
    meta = ck("load", "experiment:closed-NVIDIA-Xavier_NX_TRT-ssd-mobilenet-MultiStream", "--out=json").json["dict"]
    assert meta["compliance"] == {"TEST01": "pass", "TEST04-A": "pass", "TEST04-B": "logs", "TEST05": "pass"}


def test_whole_table_is_indexed(ck: Ck, submissions: Submissions) -> None:
    answer = ck("import", "results", f"--path={submissions.table}", "--out=json")
    assert answer.json["count"] == submissions.rows
    rows = ck("ls", "result", "--out=json").json["lst"]
    assert len(rows) == submissions.rows


def test_table_results_are_found_by_scenario_system_and_model_name(ck: Ck, made: Submissions) -> None:
    ck("import", "results", f"--path={made.table}")
    (row,) = ck("ls", "result", "--scenario=server", "--system=openvino", "--out=json").json["lst"]
    assert (row["system"], row["value"], row["unit"]) == (trees.SERVER_BOX, 38.44, "queries/s")
    large = matching(read_table(load_round(), made.table), model="ssd-large")
    assert {row.model for row in large} == {"ssd-resnet34", "ssd-large"}
    assert len(large) == sum(row.benchmark == "ssd-resnet34" for row in (*trees.RESULTS, *trees.TABLE_ALONE))


def test_published_server_result_is_found_in_published_table(ck: Ck, data: Path) -> None:
    ck("import", "results", f"--path={data / 'published_v1.0_object_detection.csv'}")
    assert ck("ls", "result", "--scenario=server", "--system=ICX", "--out=json").json["lst"][0]["value"] == 40.09


def test_tree_can_be_indexed_without_logs(ck: Ck, made: Submissions) -> None:
    assert ck("import", "results", f"--path={made.root}", "--out=json").json["count"] == made.count
    assert ck("ls", "experiment", "--out=json").json["lst"] == []
    assert len(ck("ls", "result", "--out=json").json["lst"]) == made.count


@pytest.mark.parametrize(("part", "count"), [("", 6), ("closed", 6), (OURS, 6)], ids=["the root", "a division", "a submitter"])
def test_any_level_of_a_tree_may_be_named(tree: Path, part: str, count: int) -> None:
    assert len(find_results(tree / part)) == count


def test_folder_that_is_not_a_tree(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="has no result") as error:
        find_results(tmp_path)
    assert "(closed|open)/SUBMITTER/results" in error.value.hint
    with pytest.raises(NotFoundError, match="is not an existing folder"):
        find_results(tmp_path / "none")


# missing or broken parts are remarked at their result, and the others are unchanged


@pytest.mark.parametrize(
    ("file", "remark"),
    [
        ("performance/run_1/mlperf_log_detail.txt", "mlperf_log_detail.txt is missing"),
        ("accuracy/accuracy.txt", "accuracy.txt is missing"),
    ],
)
def test_missing_file(tree: Path, file: str, remark: str) -> None:
    where = place(tree)
    (where.results / file).unlink()
    found = read_result(load_round(), where)
    assert any(remark in row for row in found.remarks)
    assert (found.value is None) == ("detail" in file)
    assert not read_result(load_round(), place(tree, "SingleStream")).remarks


def test_measurements_of_the_scenario_are_used(tree: Path) -> None:
    folder = place(tree).measurements
    for name in ("x_Offline", "y_Offline_old"):
        (folder / f"{trees.SYSTEM}_{name}.json").write_text(json.dumps({"weight_data_types": name}))
    for path in folder.glob(f"{trees.SYSTEM}*.json"):
        if not path.stem.endswith(("x_Offline", "y_Offline_old")):
            path.unlink()
    assert read_result(load_round(), place(tree)).measurement == {"weight_data_types": "x_Offline"}


@pytest.mark.parametrize("value", ["1e999", "NaN"])
def test_non_finite_figure_is_remarked_and_readable(ck: Ck, tree: Path, value: str) -> None:
    log = place(tree).performance / "mlperf_log_detail.txt"
    log.write_text(re.sub(r'("key": "result_[^"]+", "value": )[\d.]+', rf"\g<1>{value}", log.read_text()))
    (row,) = [
        row
        for row in ck("import", "submission", f"--path={tree}", "--out=json").json["lst"]
        if (row["system"], row["model"], row["scenario"]) == (trees.SYSTEM, "ssd-mobilenet", "Offline")
    ]
    assert (row["value"], row["p99_ms"]) == (None, None)
    assert any("is not finite" in text for text in row["remarks"])
    assert ck("show", f"experiment:{row['data_uoa']}").code == 0


def test_unreadable_result_entry_is_skipped(ck: Ck, made: Submissions) -> None:
    assert ck("import", "results", f"--path={made.table}").code == 0
    entry = create_entry(Repositories().writable(), "result", "odd", {"tags": {"a": 1}})
    answer = ck("ls", "result", "--out=json")
    assert answer.code == 0
    assert len(answer.json["lst"]) == made.rows
    assert entry.cid in answer.err
    assert [row["data_uoa"] for row in answer.json["others"]] == []


def test_missing_system_description(tree: Path) -> None:
    place(tree).system_file.unlink()
    assert any(f"{trees.SYSTEM}.json is missing" in row for row in read_result(load_round(), place(tree)).remarks)


def test_truncated_log_has_no_figure(tree: Path) -> None:
    path = place(tree).performance / "mlperf_log_detail.txt"
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b":::MLLOG") + 40])
    found = read_result(load_round(), place(tree))
    assert (found.value, found.valid) == (None, False)
    assert any("truncated" in row for row in found.remarks)


def test_log_of_another_kind(tree: Path) -> None:
    (place(tree).performance / "mlperf_log_detail.txt").write_bytes(b"\x00\xff not a log\n" * 99)
    found = read_result(load_round(), place(tree))
    assert found.value is None
    assert any("has no event of LoadGen" in row for row in found.remarks)


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"a": ' * 9000, ""])
def test_invalid_system_description(tree: Path, text: str) -> None:
    place(tree).system_file.write_text(text)
    found = read_result(load_round(), place(tree))
    assert found.description == {}
    assert any(f"{trees.SYSTEM}.json is not" in row for row in found.remarks)


def test_foreign_files_and_folders_are_harmless(ck: Ck, tree: Path) -> None:
    (place(tree).results.parent / "Datacenter").mkdir()
    (place(tree).results / "notes.txt").write_text("x")
    (tree / OURS / "results" / "README").write_text("x")
    (place(tree).accuracy / "link").symlink_to("/etc/passwd")
    answer = ck("import", "submission", f"--path={tree}", "--out=json")
    assert answer.json["count"] == 7
    odd = next(row for row in answer.json["lst"] if row["scenario"] == "Datacenter")
    assert any("not a scenario of the round" in text for text in odd["remarks"])
    linked = next(row for row in answer.json["lst"] if row["scenario"] == "Offline" and "mobilenet" in row["model"])
    assert any("is a link, and was skipped" in text for text in linked["remarks"])
    assert not (Path(linked["path"]) / "accuracy/link").exists()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_text_in_another_encoding(tree: Path, encoding: str) -> None:
    for path in (
        place(tree).performance / "mlperf_log_detail.txt",
        place(tree).system_file,
        place(tree).accuracy / "accuracy.txt",
    ):
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding, errors="replace"))
    content = json.loads(read_text(place(tree).system_file)) | {"hw_notes": "Gerät"}
    place(tree).system_file.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    found = read_result(load_round(), place(tree))
    assert (found.value, found.mAP, found.description["hw_notes"]) == (5821.47, 23.125, "Gerät")
    assert found.remarks == []


def test_current_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mlperf_log_detail.txt"
    path.write_text(
        EVENT.format("loadgen_version", '"4.1.30"', "false")
        + "a line that the system printed\n"
        + EVENT.format("result_samples_per_second", "118.25", "false")
        + EVENT.format("error_runtime", '"no answer"', "true")
        + ":::MLLOG {not JSON\n"
    )
    log = read_detail(path)
    assert (log.number("result_samples_per_second"), log.lines["result_samples_per_second"]) == (118.25, 3)
    assert log.errors == [(4, "no answer")]
    assert [line for line, _ in log.broken] == [5]
    assert log.number("loadgen_version") is None


def test_published_accuracy_log_is_read_up_to_the_gap(data: Path) -> None:
    path = data / "results_v1.0/closed/Lenovo/results/T4x1_TRT/ssd-mobilenet/Offline/accuracy/mlperf_log_accuracy.json"
    assert path.stat().st_size == 8199
    rows = list(read_samples(path))
    assert len(rows) > 5
    assert [row.seq_id for row in rows[:3]] == [0, 1, 2]
    assert all(len(row.data) % 28 == 0 for row in rows)


def test_truncated_accuracy_log_has_samples_of_the_full_one(tmp_path: Path) -> None:
    """Complete records on either side of the gap, unchanged; records that the gap cuts are skipped."""
    path = tmp_path / "mlperf_log_accuracy.json"
    whole = accuracy_log(5000)
    path.write_bytes(whole)
    every = {row.seq_id: row for row in read_samples(path)}
    assert len(every) == 5000
    path.write_bytes(truncated(whole)[0])
    rows = list(read_samples(path))
    assert all(row == every[row.seq_id] for row in rows)
    head, tail = whole[:4096].count(b" }"), whole[-4096:].count(b"{ ")
    assert [row.seq_id for row in rows] == [*range(head), *range(5000 - tail, 5000)]
    assert head > 5
    assert tail > 5


def test_accuracy_text_gives_last_figure_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.txt"
    path.write_text(f"mAP=10.000%\nsomething\nmAP=22.911%\nhash={'a' * 64}\n")
    assert read_accuracy(path).mAP == 22.911
    assert read_accuracy(path).sha256 == "a" * 64
    path.write_text("mAP=..%\n")
    assert read_accuracy(path).mAP is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column division"),
        (
            "division,organisation,system,model,scenario,result_raw,validity\nclosed,X,s,m,Offline,fast,VALID\n",
            ":2: result_raw is",
        ),
        ("division,organisation,system,model,scenario,result_raw,validity\nclosed,X,s,m,Offline,inf,VALID\n", "not a finite"),
        ("division,organisation,system,model,scenario,result_raw,validity\nclosed,X,s,m,Online,1,VALID\n", "is not a scenario"),
        ("", "no column"),
        (f"{'division' * 50_000},organisation\n", "t.csv:1 is not CSV"),
    ],
)
def test_invalid_table_is_reported_with_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_table(load_round(), tmp_path / "t.csv")


def test_folder_linked_outside_is_skipped(ck: Ck, tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("x")
    shutil.rmtree(place(tree).accuracy)
    place(tree).accuracy.symlink_to(secret)
    place(tree).system_file.unlink()
    place(tree).system_file.symlink_to(secret / "key")
    answer = ck("import", "submission", f"--path={tree}", "--out=json")
    assert answer.code == 0
    row = next(row for row in answer.json["lst"] if row["scenario"] == "Offline" and row["model"] == "ssd-mobilenet")
    assert any("leads out of the tree" in text for text in row["remarks"])
    assert not list(Path(row["path"]).rglob("key"))
    assert not (Path(row["path"]) / "system.json").exists()
