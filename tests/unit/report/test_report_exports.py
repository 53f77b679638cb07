"""Exports: tables, COCO results, a trace, and MLflow's runs."""

from __future__ import annotations

import csv
import gc
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_experiments import columns

from ck_repo.store.entry import Entry

Make = Callable[..., Entry]
Ck = Callable[..., Any]


def test_csv_has_one_line_per_run_and_one_column_per_setting(experiment: Make, ck: Ck) -> None:
    experiment(), experiment(name="other", figures={"samples_per_second": 75.5})
    done = ck("export", "experiment:*", "--output=-")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["experiment"] for row in rows] == ["made", "other"]
    assert [float(row["figure"]) for row in rows] == [50.0, 75.5]
    assert rows[0]["loadgen.target_latency_ms"] == "15.0"
    assert rows[0]["venv.packages.numpy"] == "2.0"
    assert rows[0]["performance.latency_ms.p99"] == str(_latency(experiment_meta("made"))["p99"])


def experiment_meta(name: str) -> dict[str, Any]:
    from ck_repo.session import Session
    from ck_repo.store.search import load

    return load(Session().repositories, "experiment", name).meta()


def _latency(meta: dict[str, Any]) -> dict[str, float]:
    return dict(meta["results"]["performance"]["latency_ms"])


def test_spreadsheet_formula_is_quoted(experiment: Make, ck: Ck) -> None:
    entry = experiment(label="=HYPERLINK(1)")
    meta = entry.meta()
    meta["results"]["=HYPERLINK(2)"] = 5
    (entry.path / ".cm/meta.json").write_text(json.dumps(meta))
    rows = list(csv.DictReader(io.StringIO(ck("export", "experiment:made", "--output=-").out)))
    assert rows[0]["model"] == "'=HYPERLINK(1)"
    assert rows[0]["'=HYPERLINK(2)"] == "5"


def test_line_break_does_not_end_latex_line(experiment: Make, ck: Ck) -> None:
    experiment(label="two\n\nparagraphs")
    assert "two paragraphs &" in ck("export", "experiment:made", "--format=latex", "--output=-").out


def test_parquet_matches_csv(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    import pyarrow.parquet

    experiment(), experiment(name="other")
    assert ck("export", "experiment:*", "--format=parquet", f"--output={tmp_path}/runs.parquet").code == 0
    table = pyarrow.parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    assert [row["experiment"] for row in table] == ["made", "other"]
    assert table[0]["figure"] == 50.0
    assert table[0]["valid"] is True


@pytest.mark.parametrize(
    ("form", "escaped"), [("markdown", r"a\|b \<i\> 50% \_x"), ("latex", r"a|b \textless{}i\textgreater{} 50\% \_x")]
)
def test_names_are_escaped_in_latex_and_markdown(experiment: Make, ck: Ck, form: str, escaped: str) -> None:
    experiment(label="a|b <i> 50% _x")
    text = ck("export", "experiment:made", f"--format={form}", "--output=-").out
    assert escaped in text
    assert "50 " in text


def test_json_is_a_list_of_runs(experiment: Make, ck: Ck) -> None:
    experiment()
    (row,) = json.loads(ck("export", "experiment:made", "--format=json", "--output=-").out)
    assert (row["mAP"], row["unit"]) == (experiment_meta("made")["results"]["accuracy"]["mAP"], "samples/s")


def test_coco_results_give_recorded_map(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    from report_experiments import coco_eval

    entry = experiment()
    assert ck("export", "experiment:made", "--format=coco", f"--output={tmp_path}/found.json").code == 0
    rows = json.loads((tmp_path / "found.json").read_text())
    content = json.loads(Path(entry.meta()["spec"]["dataset"]["annotations"]).read_text())
    assert coco_eval(content, rows).stats[0] == pytest.approx(entry.meta()["results"]["accuracy"]["mAP"], abs=1e-9)


def test_trace_has_begin_and_end_of_each_sample(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    experiment(scenario="server")
    assert ck("export", "experiment:made", "--format=trace", f"--output={tmp_path}/trace.json").code == 0
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    times = columns("server", 400, 1)
    began = {event["id"]: event["ts"] for event in events if event["ph"] == "b"}
    ended = {event["id"]: event["ts"] for event in events if event["ph"] == "e"}
    assert len(began) == len(ended) == 400
    assert (ended[7] - began[7]) * 1e3 == pytest.approx(times["latency_ns"][7])
    assert {event["name"] for event in events if event["ph"] == "C"} >= {"pending", "busy", "°C"}


def test_run_without_times_has_no_trace(experiment: Make, ck: Ck) -> None:
    experiment(traced=False)
    done = ck("export", "experiment:made", "--format=trace")
    assert done.code == 16
    assert "--trace=yes" in done.err


def test_several_files_go_into_a_folder_and_overwrite_nothing(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    experiment(), experiment(name="other")
    words = ("export", "experiment:*", "--format=coco", f"--output={tmp_path}/found")
    assert ck(*words).code == 0
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["made-coco.json", "other-coco.json"]
    assert ck(*words).code == 4
    assert ck(*words, "--overwrite").code == 0


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_mlflow_has_each_run_once(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    entry = experiment()
    (entry.path / "results.json").write_text("{}")
    words = ("export", "experiment:made", "--format=mlflow", f"--to={tmp_path}/runs", "--out=json")
    first, again = ck(*words).json, ck(*words).json
    assert first["runs"] == again["runs"]
    client = MlflowClient(tracking_uri=(tmp_path / "runs").as_uri())
    run = client.get_run(first["runs"][0])
    assert run.data.metrics["figure"] == 50.0
    assert run.data.metrics["mAP"] == entry.meta()["results"]["accuracy"]["mAP"]
    assert run.data.params["backend"] == "onnxruntime"
    assert run.info.status == "FINISHED"
    assert {row.path for row in client.list_artifacts(run.info.run_id)} >= {"results.json", "machine.jsonl"}
    gc.collect()  # MLflow leaves folders open, which would be reported by a later test


def test_option_of_another_format_is_refused(experiment: Make, ck: Ck, tmp_path: Path) -> None:
    experiment()
    done = ck("export", "experiment:made", "--format=mlflow", f"--output={tmp_path / 'runs'}")
    assert done.code == 2
    assert "use --to=" in done.err
    done = ck("export", "experiment:made", "--format=csv", f"--to={tmp_path / 'runs'}")
    assert done.code == 2
    assert "use --output=" in done.err
    assert not list(tmp_path.glob("runs*"))
