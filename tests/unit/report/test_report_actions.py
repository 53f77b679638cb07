"""`ck report`: output, messages and requirements."""

from __future__ import annotations

import gzip
import html
import json
import re
import shutil
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from ck_repo.report import requirements
from ck_repo.report.objects import Unavailable
from ck_repo.report.serve import server_of
from ck_repo.report.site import write_site
from ck_repo.session import Session
from ck_repo.store.entry import Entry

Make = Callable[..., Entry]
Ck = Callable[..., Any]
ROOT = Path(__file__).parents[3]


def test_latest_run_is_reported_by_default(experiment: Make, ck: Ck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment(name="late", recorded="2026-05-01T00:00:00Z"), experiment(name="early")
    monkeypatch.chdir(tmp_path)
    found = ck("report", "experiment", "--out=json").json
    assert found["path"] == str(tmp_path / "ck-report-late.html")
    assert (tmp_path / "ck-report-late.html").stat().st_size == found["bytes"] < 2_000_000


def test_only_our_page_is_overwritten(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    experiment()
    page = tmp_path / "page.html"
    words = ("report", "experiment:made", f"--output={page}")
    page.write_text("my notes")
    assert ck(*words).code == 4
    assert page.read_text() == "my notes"
    assert ck(*words, "--overwrite").code == 0
    assert ck(*words).code == 0


def test_only_our_site_is_overwritten(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    experiment()
    (tmp_path / "site").mkdir()
    (tmp_path / "site/mine.txt").write_text("mine")
    words = ("report", "--all", f"--output={tmp_path}/site")
    assert ck(*words).code == 4
    (tmp_path / "site/mine.txt").unlink()
    assert ck(*words).code == ck(*words).code == 0


def test_run_without_data_set_is_reported_without_images(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    Path(entry.meta()["spec"]["dataset"]["annotations"]).unlink()
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 0
    assert "no COCO annotations of the data set made set are registered or installed on this machine" in done.out
    assert "mAP" in (tmp_path / "page.html").read_text()


def test_page_embeds_no_files_named_by_foreign_experiment(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    meta = entry.meta()
    data_set = meta["spec"]["dataset"]
    content = json.loads(Path(data_set["annotations"]).read_text())
    for row in content["images"]:
        row["file_name"] = f"{data_set['images']}/{row['file_name']}"
    (entry.path / "accuracy/theirs.json").write_text(json.dumps(content))
    data_set |= {"annotations": str(entry.path / "accuracy/theirs.json"), "images": "/", "digest": "f" * 64}
    (entry.path / ".cm/meta.json").write_text(json.dumps(meta))
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 0
    assert "no COCO annotations" in done.out
    assert "data:image/webp" not in (tmp_path / "page.html").read_text()
    assert ck("export", "experiment:made", "--format=coco", "--output=-").code == Unavailable.code


@pytest.mark.parametrize("form", ["{}/../val2017/../../outside.jpg", "{}/../../outside.jpg", "../../outside.jpg"])
def test_image_outside_data_set_is_not_shown(experiment: Make, ck: Ck, tmp_path: Path, form: str) -> None:
    entry = experiment()
    data_set = entry.meta()["spec"]["dataset"]
    content = json.loads(Path(data_set["annotations"]).read_text())
    shutil.copy(Path(data_set["images"]) / content["images"][0]["file_name"], tmp_path / "outside.jpg")
    for row in content["images"]:
        row["file_name"] = form.format(data_set["images"])
    Path(data_set["annotations"]).write_text(json.dumps(content))
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 0
    assert "12 images have no picture" in done.out
    assert "data:image/webp" not in (tmp_path / "page.html").read_text()


def test_unreadable_annotations_are_named(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    path = Path(entry.meta()["spec"]["dataset"]["annotations"])
    content = json.loads(path.read_text())
    del content["annotations"][0]["bbox"]
    path.write_text(json.dumps(content))
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 0
    assert f"{path}: annotation 1 has no box: its bbox is null" in done.out


def test_labelling_tool_annotations_are_read_like_in_scoring(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    path = Path(entry.meta()["spec"]["dataset"]["annotations"])
    assert ck("export", "experiment:made", "--format=coco", f"--output={tmp_path}/plain.json").code == 0
    plain = json.loads((tmp_path / "plain.json").read_text())
    content = json.loads(path.read_text())
    for row in content["images"]:
        row["id"], row["file_name"] = f"frame {row['id']}", f"C:\\set\\{row['file_name'].upper()}"
    for row in content["annotations"]:
        row["image_id"] = f"frame {row['image_id']}"
        del row["iscrowd"], row["area"]
    path.write_bytes(gzip.compress(json.dumps(content).encode("utf-16")))
    assert ck("export", "experiment:made", "--format=coco", f"--output={tmp_path}/found.json").code == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert [row["image_id"] for row in found] == [f"frame {row['image_id']}" for row in plain]
    assert [row["bbox"] for row in found] == [row["bbox"] for row in plain]
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 0
    assert "have no picture" not in done.out
    assert "data:image/webp" in (tmp_path / "page.html").read_text()


def test_corrupt_log_does_not_hide_the_rest(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    (entry.path / "performance/queries.json").write_text('{"query": [1]}')
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 0
    assert "cannot be read" in done.out
    assert "Confusions" in (tmp_path / "page.html").read_text()


def test_machine_log_with_non_json_numbers_is_reported(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    with open(entry.path / "machine.jsonl", "a") as file:
        file.write('{"at": NaN, "busy": 0.5}\n{"at": 1700000000, "busy": 1e999}\n')
    assert ck("report", "experiment:made", f"--output={tmp_path}/page.html").code == 0


@pytest.mark.parametrize("row", ['"image_id": 1e999, "category_id": 1', f'"image_id": 1, "category_id": {10**30}'])
def test_out_of_range_detections_are_named(experiment: Make, ck: Ck, tmp_path: Path, row: str) -> None:
    entry = experiment()
    (entry.path / "accuracy/detections.json").write_text(f'[{{{row}, "bbox": [1, 2, 3, 4], "score": 0.5}}]')
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 0
    assert "detections.json is not a list of COCO results: OverflowError" in done.out


def test_invalid_run_with_odd_log_is_reported(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment(valid=False)
    (entry.path / "performance/mlperf_log_detail.txt").write_text(
        ':::MLLOG {"key": "result_min_duration_met", "value": false}\n'
        ':::MLLOG {"key": "effective_min_duration_ms", "value": "long"}\n'
    )
    assert ck("report", "experiment:made", f"--output={tmp_path}/page.html").code == 0
    assert "The run was too short" in (tmp_path / "page.html").read_text()


def test_non_numeric_target_is_named(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    meta = entry.meta()
    meta["spec"]["loadgen"]["target_qps"] = "many"
    (entry.path / ".cm/meta.json").write_text(json.dumps(meta))
    done = ck("report", "experiment:made", f"--output={tmp_path}/page.html")
    assert done.code == 3
    assert "spec.loadgen.target_qps is 'many', not a finite number" in done.err


def test_commands_to_copy_are_quoted(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    entry = experiment()
    meta = entry.meta()
    meta |= {"program": {"alias": "x;touch y"}, "options": {"backend_options": {"a;touch z": "1"}}}
    (entry.path / ".cm/meta.json").write_text(json.dumps(meta))
    assert ck("report", "experiment:made", f"--output={tmp_path}/page.html").code == 0
    text = html.unescape((tmp_path / "page.html").read_text())
    assert "ck run 'program:x;touch y' --backend-options.'a;touch z'=1" in text


def test_stock_experiment_is_rejected(ck: Ck, tmp_path: Path) -> None:
    from ck_repo.store.writing import create_entry

    entry = create_entry(Session().repositories.writable(), "experiment", "old", {"tags": ["x"], "meta": {}})
    (entry.path / "ckp-0123456789abcdef.0001.json").write_text("{}")
    assert ck("report", "experiment:old", f"--output={tmp_path}/page.html").code != 0


def test_missing_packages_offline_say_what_to_install(experiment: Make, ck: Ck, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment()
    monkeypatch.setattr(requirements, "_importable", lambda packages: False)
    done = ck("report", "experiment:made", "--offline")
    assert done.code == 5
    assert "pip install 'ck-repo[report]'" in done.err


@pytest.mark.parametrize("packages", [requirements.REPORT, requirements.PARQUET, requirements.MLFLOW])
def test_packages_match_the_extra(packages: requirements.Packages) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    found = re.search(rf"^{packages.extra} = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    assert found
    assert tuple(re.findall(r'"(.+?)"', found[1])) == packages.requirements


def test_server_answers_and_includes_new_runs(experiment: Make, tmp_path: Path) -> None:
    experiment()
    write_site(Session(), tmp_path / "site")
    with server_of(tmp_path / "site") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"

            def get(path: str) -> str:
                with urllib.request.urlopen(address + path, timeout=PATIENCE) as answer:
                    return str(answer.read().decode())

            before = get("/state")
            assert "made" in get("/index.html")
            experiment(name="another")
            assert get("/state") != before
            assert "another" in get("/index.html")
        finally:
            server.shutdown()
            thread.join()


def test_show_ends_with_latency_and_classes(experiment: Make, ck: Ck) -> None:
    entry = experiment()
    (entry.path / "accuracy/classes.json").write_text('[{"name": "cat", "AP": 0.9}, {"name": "dog", "AP": 0.1}]')
    lines = ck("show", "experiment:made").out.splitlines()
    assert [line.split()[0] for line in lines[-4:-1]] == ["latency", "over", "best"]
    assert "cat 0.900, dog 0.100" in lines[-2]


def test_ls_plots_speed_against_accuracy(experiment: Make, ck: Ck) -> None:
    experiment(), experiment(name="other", seed=2, figures={"samples_per_second": 75.0})
    text = ck("ls", "experiment", "--plot").out
    assert "a  made: 50 samples/s" in text
    assert "b  other: 75 samples/s" in text
    assert sum("│" in line for line in text.splitlines()) == 15


def test_run_is_reported(experiment: Make, ck: Ck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ck_repo.actions import program
    from ck_repo.contract.results import Results
    from ck_repo.run.pipeline import RunRecord

    entry = experiment()
    monkeypatch.setattr(program, "run_records", lambda request: [RunRecord(entry, Results())])
    monkeypatch.chdir(tmp_path)
    found = ck("run", "program:object-detection", "--report", "--out=json").json
    assert found["report"] == str(tmp_path / "ck-report-made.html")
    assert (tmp_path / "ck-report-made.html").exists()
    assert ck("run", "program:object-detection", "--report", "--no_record").code == 2
