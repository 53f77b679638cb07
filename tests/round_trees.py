"""A small fictitious submission tree for each round whose trees are checked, in the round's own log format.

Closed: an edge box with the small model (with power from v1.0 on) and a server with the large one. Open: a box with another
network, whose Offline result is inferred from the log of its SingleStream run.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from loadgen_logs import Run, accuracy_log, detail, summary, truncated
from trees import MadeResult, description

from ck_repo.rounds.round import Round, load_round, round_names

ROUNDS = tuple(name for name in round_names() if not load_round(name).import_only)
SUBMITTER, BOX, SERVER, OPEN_BOX = "Fernhill", "box_RT", "server_RT", "openbox_RT"
OPEN_MODEL = "yolo-v3-made"
_FIGURES = {
    ("ssd-small", "Offline"): (5821.47, 650_334_512_907, 6100),
    ("ssd-small", "SingleStream"): (512_903, 520_117, 0),
    ("ssd-small", "MultiStream"): (8, 49_120_334, 0),
    ("ssd-large", "Offline"): (51.3382, 654_000_118_443, 55),
    ("ssd-large", "Server"): (38.4417, 97_240_006, 39),
    (OPEN_MODEL, "SingleStream"): (9_870_113, 9_990_004, 0),
}
_MAP = {"ssd-small": 23.125, "ssd-large": 20.046, OPEN_MODEL: 17.5}


@dataclass(frozen=True)
class Target:
    """A result of the tree.

    Attributes
    ----------
    logged
        The scenario of its log.
    """

    division: str
    system: str
    kind: str
    model: str
    scenario: str
    logged: str
    submitter: str = SUBMITTER

    @property
    def results(self) -> Path:
        """Its folder, below the root."""
        return self.submission / "results" / self.system / self.model / self.scenario

    @property
    def submission(self) -> Path:
        """The submitter's folder, below the root."""
        return Path(self.division) / self.submitter

    @property
    def measurements(self) -> Path:
        """The folder of its measurement, below the root."""
        return self.submission / "measurements" / self.system / self.model / self.scenario

    @property
    def description(self) -> Path:
        """The description of its system, below the root."""
        return self.submission / "systems" / f"{self.system}.json"

    def __str__(self) -> str:
        return f"{self.division} {self.model} {self.scenario}"


def targets(round_: Round) -> list[Target]:
    """The results of the round's tree."""
    edge = round_.submission.scenarios["edge"]["ssd-mobilenet"]
    found = [Target("closed", BOX, "edge", "ssd-small", name, name) for name in (*edge.required, *edge.optional)]
    found += [Target("closed", SERVER, "datacenter", "ssd-large", name, name) for name in ("Offline", "Server")]
    found += [Target("open", OPEN_BOX, "edge", OPEN_MODEL, name, "SingleStream") for name in ("SingleStream", "Offline")]
    return found


def with_power(round_: Round, target: Target) -> bool:
    """Whether a result of the tree has a power measurement."""
    return round_.text_log is None and target.system == BOX and target.scenario in ("Offline", "SingleStream")


def write_round_tree(round_: Round, root: Path) -> None:
    """Write the round's tree."""
    for target in targets(round_):
        about = _description(target)
        _write(root / target.description, json.dumps(about, indent=2))
        run = _run(round_, target)
        base = root / target.results
        count = round_.scenario(target.scenario).runs
        for number in range(1, count + 1):
            _logs(round_, run, base / "performance" / f"run_{number}")
        _logs(round_, replace(run, mode="AccuracyOnly"), base / "accuracy")
        log, digest = truncated(accuracy_log(400))
        (base / "accuracy/mlperf_log_accuracy.json").write_bytes(log)
        _write(base / "accuracy/accuracy.txt", f"mAP={_MAP[target.model]:.3f}%\nhash={digest}\n")
        _measurement(root, target)
        if with_power(round_, target):
            _power(run, base / "performance")


def _description(target: Target) -> dict[str, Any]:
    made = description(MadeResult(target.division, SUBMITTER, "F1x1_RT", "ssd-mobilenet", "Offline", 1.0, 1.0, 1))
    return {**made, "system_type": target.kind, "system_name": f"a made {target.system}"}


def _run(round_: Round, target: Target) -> Run:
    figure, p99, rate = _FIGURES[target.model, target.logged]
    benchmark = "ssd-resnet34" if target.model == "ssd-large" else "ssd-mobilenet"
    return Run(target.logged, benchmark, figure, p99, rate, settings=dict(round_.seeds))


def _logs(round_: Round, run: Run, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = detail(run)
    if round_.text_log is not None:
        text = _text_detail(run)
    elif round_.scenario("singlestream").early_stopping and run.mode == "PerformanceOnly":
        text += "".join(_event(key, value) for key, value in _early_stopping(run).items())
    _write(folder / "mlperf_log_detail.txt", text)
    _write(folder / "mlperf_log_summary.txt", summary(run).replace("Mode     : PerformanceOnly", "Mode     : Performance"))


def _event(key: str, value: object) -> str:
    about = '{"is_error": false, "is_warning": false, "file": "results.cc", "line_no": 1, "pid": 12, "tid": 12}'
    return f':::MLLOG {{"key": "{key}", "value": {json.dumps(value)}, "time_ms": 1.0, "metadata": {about}}}\n'


def _early_stopping(run: Run) -> dict[str, object]:
    latency = run.latencies
    query = {"result_mean_query_latency_ns": latency["50.00"], "result_mean_latency_ns": latency["50.00"]}
    return {
        "early_stopping_met": True,
        "early_stopping_latency_ss": latency["90.00"], "early_stopping_latency_ms": latency["99.00"],
        "result_query_count": run.queries, **query,
    }  # fmt: skip


def _text_detail(run: Run) -> str:
    lines = [
        "LoadgenVersionInfo:", "version : .5a1 @ 0123456789", "Date + time of test: 2020-09-09T20:41:23Z",
        "QSL total size: 5000", f"Scenario : {run.scenario}", f"Test mode : {run.mode.removesuffix('Only')}",
        'Loading QSL : "set" : "[3597,3213,3666]"',
    ]  # fmt: skip
    return "".join(f'"pid": 12, "tid": 12, "ts": 10ns : {line}\n' for line in lines)


def _measurement(root: Path, target: Target) -> None:
    folder = root / target.measurements
    keys = ("input_data_types", "retraining", "starting_weights_filename", "weight_data_types", "weight_transformations")
    _write(folder / f"{target.system}_{target.scenario}.json", json.dumps(dict.fromkeys(keys, "int8")))
    for name in ("mlperf.conf", "README.md"):
        _write(folder / name, "# made\n")
    _write(folder / "user.conf", "*.Offline.target_qps = 100\n")
    _write(root / target.submission / "code" / target.model / "README.md", "How to build it.\n")


def _power(run: Run, folder: Path) -> None:
    for name in ("client", "server"):
        _write(folder / f"power/{name}.json", json.dumps({"timezone": 3600}))
        _write(folder / f"power/{name}.log", "a log\n")
    _write(folder / "power/ptd_logs.txt", "a log\n")
    moments = [run.begin + timedelta(seconds=second) for second in (-5, 5, 60, 65, 3600)]
    rows = [f"Time,{moment:%m-%d-%Y %H:%M:%S.000},Watts,{100 + at},Volts,230,mark,x" for at, moment in enumerate(moments)]
    _write(folder / "run_1/spl.txt", "\n".join(rows) + "\n")
    shutil.copytree(folder / "run_1", folder / "ranging")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
