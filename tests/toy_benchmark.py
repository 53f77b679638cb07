"""A benchmark whose speed and accuracy follow a formula; like every program it runs in a separate process."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from bare_venv import bare_venv

from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load
from ck_repo.store.writing import create_entry, update_entry

# batch b, threads t: 10·t·(1 + b/10) samples/s, mAP 0.5 of the plain model and 0.4, at twice the speed, of the fast one;
# Server answers in 5 ms up to that rate. The backend `quick` is three times as fast, `similar` 8 % faster, `wrong` has another
# mAP, `broken` fails. A backend with the option `boost` is twice as fast with it
HARNESS = """
import json, os, sys, time
from pathlib import Path

spec = json.loads(Path(sys.argv[1]).read_text())
part = spec.get("part")
part_text = f" part {part['index']}" if part else ""
batch, threads = spec["batch_size"] or 1, spec["threads"] or 1
fast, backend = spec["model"]["name"] == "toy-fast", spec["model"]["backend"]
rate = 10.0 * threads * (1 + batch / 10) * (2 if fast else 1) * {"quick": 3, "similar": 1.08, "wrong": 9}.get(backend, 1)
boosted = (spec.get("backend_options") or {}).get("boost") == "yes"
rate *= (2 if boosted else 1) * float(os.environ.get("TOY_SPEED", "1"))
log = os.environ.get("TOY_LOG")
if log:
    with open(log, "a") as file:
        file.write(f"{spec['model']['name']} {batch} {threads} {'+'.join(spec['modes'])}{part_text}\\n")
if backend == "broken":
    sys.exit("this backend does not work")
if str(batch) in os.environ.get("TOY_FAILS", "").split(","):
    sys.exit("this batch does not fit into memory")
if str(batch) in os.environ.get("TOY_HANGS", "").split(","):
    time.sleep(600)
failing = Path(os.environ.get("TOY_PART_FAILS", "/nowhere"))  # a file with the number of a part, which fails once, or `always`
if part and failing.exists() and failing.read_text() in (str(part["index"]), "always"):
    failing.write_text("always" if failing.read_text() == "always" else "")
    sys.exit("this part does not work")
if str(batch) in os.environ.get("TOY_KILLS_WITH", "").split(","):
    os.kill(os.getppid(), 9)
    time.sleep(600)
doomed = Path(os.environ.get("TOY_KILLS", "/nowhere"))  # a file: the first run ends the worker's parent with the worker
if doomed.exists():
    doomed.unlink()
    parent = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]
    worker = os.getppid()
    os.kill(int(parent), 9)
    while os.getppid() == worker:
        time.sleep(0.01)
    sys.exit("the worker has ended")
if os.environ.get("TOY_WAITS_FOR"):
    parent = os.getppid()
    while not Path(os.environ["TOY_WAITS_FOR"]).exists():
        time.sleep(0.01)
        if os.getppid() != parent:  # a worker that was killed
            sys.exit("the parent has ended")
results = {
    "model": spec["model"]["name"], "scenario": spec["scenario"], "batch_size": batch, "threads": threads, "sessions": 1,
    "backend": spec["model"]["backend"], "backend_version": "1", "device": "cpu", "images": 3, "dataset": "toy-set",
}
if part:
    Path("accuracy").mkdir()
    Path("accuracy/mlperf_log_accuracy.json").write_text("[]")
    Path("part.json").write_text(json.dumps(part))
elif "accuracy" in spec["modes"]:
    results["accuracy"] = {"mAP": 0.4 if fast or backend == "wrong" else 0.5}
    if "answers" in spec:
        results["accuracy"]["images"] = sum((Path(each) / "part.json").exists() for each in spec["answers"])
if "performance" in spec["modes"]:
    found = {"valid": True, "samples_per_second": rate, "duration_s": 0.1, "queries": 3}
    found["latency_ms"] = {"p90": 900 / rate, "p99": 1000 / rate}
    if spec["scenario"] == "server":
        asked = spec["loadgen"]["target_qps"]
        found |= {"queries_per_second": asked, "target_qps": asked, "valid": asked <= rate}
        found["latency_ms"] = dict.fromkeys(("p90", "p99"), 5.0 if asked <= rate else 500.0)
    results["performance"] = found
Path("results.json").write_text(json.dumps(results))
"""


def toy_benchmark() -> Entry:
    """Write the program, its models, data set and venv into the repository `local`; return the program."""
    local = Repositories().writable()

    def copied(alias: str, file: str, **meta: Any) -> None:
        entry = create_entry(local, "package", alias, {"file": file, "install": [{"copy": {"file": file}}], **meta})
        (entry.path / file).write_text(alias)

    program = create_entry(
        local, "program", "toy-bench",
        {
            "harness": "toy_harness",
            "deps": {"weights": {"tags": ["model"], "default_tags": ["plain"]}, "dataset": {"tags": ["dataset"]},
                     "framework": {"tags": ["framework"], "when": {"backend": "toy"}}},
        },
    )  # fmt: skip
    (program.path / "toy_harness").mkdir()
    (program.path / "toy_harness" / "__main__.py").write_text(HARNESS)
    model = {"profile": "coco-300", "backend": "toy", "input": "image", "dataset": "dataset,toy-set"}
    copied("toy-plain", "plain.txt", tags=["model", "plain"], model=model)
    copied("toy-fast", "fast.txt", tags=["model", "fast"], model=model)
    copied("toy-set", "a.json", tags=["dataset", "toy-set"], dataset={"images": "images", "annotations": "a.json"})
    copied("toy-framework", "f.txt", tags=["framework"])
    meta = {"template": "toy", "python_version": platform.python_version()}
    bare_venv(create_entry(local, "venv", "mlperf-inference", meta).path / "venv")
    return program


def add_backend(program: Entry, name: str, **declaration: Any) -> None:
    """Give the program a further backend, which runs any file."""
    (program.path / f"{name}_backend.py").write_text(f"BACKEND = {declaration!r}\n")
    info = program.path / f"{name}_backend-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-backend\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[ck_repo.backends]\n{name} = {name}_backend\n")


def switch(*, search: bool = False, default: str = "no") -> dict[str, Any]:
    """The declaration of an option of a backend that is on or off."""
    return {"help": "whether", "values": ["yes", "no"], "default": default, "search": ["yes", "no"] if search else []}


def relate_models() -> None:
    """Make the plain and the fast model those of one network in two precisions."""
    for alias, precision in (("toy-plain", "fp32"), ("toy-fast", "int8")):
        model = {"network": "toy", "precision": precision, "format": "toy"}
        update_entry(load(Repositories(), "package", alias), {"model": model})


def made_runs(log: Path) -> list[str]:
    """The settings of the toy's runs: model, batch, threads, tests."""
    return log.read_text().splitlines() if log.exists() else []
