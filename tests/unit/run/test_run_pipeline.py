"""The workflow of `ck run` on a toy benchmark: what is resolved, passed on and recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bare_venv import MINOR
from unit.run.bench import WELL, Bench

from ck_repo.contract.record import write
from ck_repo.contract.timings import Part, Timings
from ck_repo.errors import CKError, ConflictError, InstallError, RunError, UsageError
from ck_repo.machine import gpu
from ck_repo.resolve.plan import env_of
from ck_repo.run.options import RUN_OPTIONS, RunOptions
from ck_repo.run.pipeline import check_device, foresee, forget, install
from ck_repo.run.prepare import prepare
from ck_repo.run.spec import build_spec, spec_data
from ck_repo.session import Session
from ck_repo.store.writing import update_entry


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_run_is_recorded_with_its_components(bench: Bench) -> None:
    record = bench.run(name="first", count=7)
    meta = record.experiment.meta()
    assert bench.experiments() == ["first"]
    assert write(record.results) == meta["results"]
    assert record.results.others["found"] == ["toy-model", "a.json"]
    assert meta["options"]["count"] == 7
    assert meta["spec"]["count"] == 7
    assert meta["program"]["uid"] == bench.program.uid
    assert len(meta["model"]["digest"]) == len(meta["dataset"]["digest"]) == 64
    assert meta["platform"]["cores_logical"] > 0
    assert meta["venv"]["name"] == "mlperf-inference"
    assert list(meta["repositories"]) == ["local"]
    assert {"offline", "toy", "accuracy", "performance", "mine", "toy-model", "toy-set"} <= set(meta["tags"])


def test_every_option_of_the_harness_reaches_spec(bench: Bench) -> None:
    session = Session(bench.repositories, trust=True)
    plan = bench.plan()
    _, installed, _ = install(session, plan, Timings())
    values = {"integer": 3, "flag": True, "nested": {"key": "value"}}
    for option in RUN_OPTIONS:
        if option.in_spec:
            value = values.get(option.kind) or option.choices[-1 if option.default != option.choices[-1] else 0]
            options = plan.options.with_values({option.name: value})
            assert spec_data(build_spec(replace(plan, options=options), installed), options)[option.name] == value


def test_run_folder_has_spec_logs_and_configuration(bench: Bench) -> None:
    """The contract of a run folder; LoadGen's own files are up to the harness."""
    path = bench.run().experiment.path
    assert json.loads((path / "spec.json").read_text())["model"]["name"] == "toy-model"
    assert (path / "stdout.log").read_text() == "so far so good\n"
    for mode in ("accuracy", "performance"):
        assert {row.name for row in (path / mode).iterdir()} == {"mlperf.conf", "user.conf"}


def test_existing_name_is_reported_before_the_run(bench: Bench) -> None:
    bench.run(name="first")
    with pytest.raises(ConflictError, match="experiment:first already exists"):
        bench.run('Path("/nowhere").write_text("the harness ran")', name="first")
    assert bench.experiments() == ["first"]


def test_failed_harness_keeps_its_logs_and_says_where(bench: Bench) -> None:
    with pytest.raises(RunError, match="ended with exit status 5") as caught:
        bench.run('print("no memory", file=sys.stderr)\nsys.exit(5)')
    assert Path(caught.value.log).read_text() == "no memory\n"
    assert "no memory" in caught.value.tail
    assert bench.experiments() == []
    assert [path.name.split("-")[0] for path in bench.left()] == [".failed"]


def test_results_are_kept_when_name_was_taken_meanwhile(bench: Bench) -> None:
    """A run of ten minutes is not discarded because of its name."""
    taken = bench.local.path / "experiment" / "mine"
    with pytest.raises(ConflictError, match="mine already exists"):
        bench.run(f"Path({str(taken)!r}).mkdir()\n{WELL}", name="mine")
    kept = [path for path in bench.left() if path.name.startswith(".failed-")]
    assert [(path / "results.json").exists() for path in kept] == [True]


def test_second_run_installs_nothing(bench: Bench) -> None:
    bench.run()
    tools = sorted(path.name for path in (bench.home / "CK-TOOLS").iterdir() if path.is_dir())
    plan = bench.plan()
    assert all(choice.ready for choice in plan.choices.values())
    bench.run()
    assert sorted(path.name for path in (bench.home / "CK-TOOLS").iterdir() if path.is_dir()) == tools


def test_plan_changes_nothing(bench: Bench) -> None:
    before = sorted(bench.home.rglob("*.json"))
    plan = bench.plan()
    assert not any(choice.ready for choice in plan.choices.values())
    assert sorted(bench.home.rglob("*.json")) == before
    assert not (bench.home / "CK-TOOLS").exists()


@pytest.mark.parametrize("options", [{"model": "other-model"}, {"model": "fancy"}, {"added_tags": {"weights": "fancy"}}])
def test_model_is_selected_by_alias_tag_or_dependency(bench: Bench, options: dict[str, Any]) -> None:
    assert bench.plan(**options).choices["weights"].name == "other-model"


def test_data_set_defaults_to_that_of_the_model(bench: Bench) -> None:
    assert bench.plan().choices["dataset"].name == "toy-set"
    assert bench.plan(dataset="z-other-set").choices["dataset"].name == "z-other-set"
    assert bench.plan(added_tags={"dataset": "z-other-set"}).choices["dataset"].name == "z-other-set"


def test_backend_defaults_to_that_of_the_model(bench: Bench) -> None:
    plan = bench.plan()
    assert plan.backend == "toy"
    assert plan.choices["framework"].name == "toy-framework"


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"backend": "torch"}, UsageError, "no backend 'torch'"),
        ({"added_tags": {"weihgts": "x"}}, UsageError, "no dependency 'weihgts'"),
        ({"model": "no-such"}, CKError, "no-such"),
        ({"dataset": "no-such"}, CKError, "no-such"),
    ],
)
def test_unavailable_components_are_reported(bench: Bench, options: dict[str, Any], kind: type[CKError], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        bench.plan(**options)
    assert caught.value.hint


def test_venv_with_missing_python_is_reported(bench: Bench) -> None:
    (bench.venv.path / "venv" / "bin" / "python").unlink()
    with pytest.raises(InstallError, match="is missing"):
        bench.plan()


@pytest.mark.parametrize(
    ("model", "count"), [({}, 256), ({"benchmark": "ssd-resnet34"}, 64), ({"profile": "coco-1200-pt"}, 64)]
)
def test_rules_are_those_of_the_model_benchmark(bench: Bench, model: dict[str, str], count: int) -> None:
    bench.copied("odd-model", "odd.txt", tags=["model", "odd"], model={"profile": "coco-300", "backend": "toy", **model})
    record = bench.run(model="odd", dataset="toy-set")
    assert record.experiment.meta()["spec"]["loadgen"]["performance_sample_count"] == count


def test_program_without_harness_is_reported_with_its_file(bench: Bench) -> None:
    path = bench.program.path / ".cm" / "meta.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "harness"}))
    with pytest.raises(CKError, match=r"meta\.json: harness"):
        bench.run()


def test_unknown_backend_is_reported(bench: Bench) -> None:
    with pytest.raises(UsageError, match="there is no backend 'tpu'") as caught:
        bench.plan(backend="tpu")
    assert "toy" in caught.value.hint
    assert "entry point of ck_repo.backends" in caught.value.hint


def test_package_in_venv_provides_backend(bench: Bench) -> None:
    info = bench.venv.path / "venv/lib" / MINOR / "site-packages/tpu_backend-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[ck_repo.backends]\ntpu = tpu_backend\n")
    plan = bench.plan(backend="tpu")
    assert plan.backend == "tpu"
    assert plan.choices["weights"].label == "toy-model"  # its file, unchanged


def test_gpu_is_requested_on_machine_without_gpu(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "no-driver")
    monkeypatch.setattr(gpu, "DEVICES", tmp_path)
    with pytest.raises(RunError, match="--device=cuda cannot be used") as caught:
        check_device(RunOptions(device="cuda"))
    assert "--device=cpu" in caught.value.hint
    assert bench.plan(device="cuda").options.device == "cuda"  # a plan may be made elsewhere
    check_device(RunOptions(device="cpu"))
    (tmp_path / "nvidia0").touch()
    check_device(RunOptions(device="cuda"))


def test_reference_bugs_are_passed_to_harness(bench: Bench) -> None:
    model = {"profile": "coco-1200-onnx", "backend": "toy", "input": "image", "dataset": "dataset,toy-set"}
    bench.copied("large-model", "l.txt", tags=["model", "large"], model=model)
    specs = [bench.run(model="large", reference_faults=kept).experiment.meta()["spec"] for kept in (False, True)]
    assert [row["model"]["score_above"] for row in specs] == [0.05, 0.5]
    assert [row["model"]["classes_are"] for row in specs] == ["contiguous", "category"]
    assert [row["reference_faults"] for row in specs] == [False, True]


def test_rounded_bytes_for_float_model_are_rejected_early(bench: Bench) -> None:
    bench.copied(
        "ready", "a.json", tags=["dataset", "preprocessed", "side.300"], dataset={"images": ".", "annotations": "a.json"}
    )
    model = {"profile": "coco-300-pt", "backend": "toy", "input": "image"}
    bench.copied("float-model", "l.txt", tags=["model", "floats"], model=model)
    assert bench.plan(dataset="preprocessed").choices["dataset"].label == "ready"
    with pytest.raises(UsageError, match="300 × 300 bytes, and the model expects float32") as caught:
        bench.plan(model="floats", dataset="preprocessed")
    assert "side.1200" in caught.value.hint


def test_rule_violations_are_reported_when_planning(bench: Bench) -> None:
    with pytest.raises(UsageError, match="at least 600 s"):
        bench.plan(official=True, seconds=5.0)
    prepare(Session(bench.repositories), bench.program, RunOptions(official=True, seconds=5.0), as_recorded=True)


def test_official_checks_run_when_planning_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert foresee(bench.plan(official=True)) == []  # nothing is installed yet
    bench.run()
    content = {"images": [{"id": 1, "file_name": "1.jpg", "width": 4, "height": 3}], "annotations": [], "categories": []}
    plan = bench.plan(official=True)
    data_set = env_of(plan.choices["dataset"])
    assert data_set
    Path(data_set.file).write_text(json.dumps(content))
    Path(data_set.file).with_name("images").mkdir()
    with pytest.raises(RunError, match=r"1 of the 1 images that a\.json names do not exist, the first: 1\.jpg"):
        foresee(plan)
    assert foresee(bench.plan()) == []


def test_discarded_run_leaves_no_experiment(bench: Bench) -> None:
    record = bench.run()
    forget([record])
    assert bench.experiments() == []
    assert bench.left() == []
    assert record.results.others["found"]


def test_allowed_gpus_are_passed_to_harness(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    tell = 'results["gpus"] = os.environ["CUDA_VISIBLE_DEVICES"]\n' + WELL
    assert bench.run(tell, visible_devices="0,1").results.others["gpus"] == "0,1"
    assert bench.run(tell).results.others["gpus"] == "7"


def test_dependency_by_alias(bench: Bench) -> None:
    deps = bench.program.meta()["deps"]
    deps["weights"]["also"] = ["model"]
    update_entry(bench.program, {"deps": deps})
    plan = bench.plan(added_tags={"model": "fancy", "compiler": "gcc"})
    assert plan.choices["weights"].label == "other-model"
    assert plan.options.added_tags == {"weights": "fancy"}


def test_run_parts_are_recorded_in_seconds(bench: Bench) -> None:
    first = bench.run('results["timings"] = [{"name": "layout", "seconds": 0.25}]\n' + WELL)
    names = [part.name for part in first.timings]
    assert {"toy-model", "toy-set"} <= set(names)  # they were installed
    assert names[-3:] == ["start of the harness", "layout", "record"]
    assert Part("layout", 0.25) in first.timings
    recorded = first.experiment.meta()["timings"]
    assert recorded == [write(part) for part in first.timings[:-1]]  # the record cannot contain itself
    again = bench.run(WELL)
    assert not {"toy-model", "toy-set", "venv"} & {part.name for part in again.timings}
