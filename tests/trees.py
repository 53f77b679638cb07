"""A submission tree of round v1.0 with everything that the rules require, and a table of its results.

Submitters, systems and figures are fictitious. `RESULTS` is what tests compare with.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadgen_logs import SEEDS, Run, accuracy_log, truncated, write_run

SUBMITTER, SYSTEM = "Fernhill", "F1x1_RT"  # six results, closed: those that tests modify
EDGE_BOX, SERVER_BOX = "B2_RT", "2S-server-OpenVINO"


@dataclass(frozen=True)
class Submissions:
    """A submission tree, and the table of its results.

    Attributes
    ----------
    count, rows
        Results in the tree, and entries in the table.
    """

    root: Path
    table: Path
    count: int
    rows: int


@dataclass(frozen=True)
class MadeResult:
    """A result of the tree.

    Attributes
    ----------
    figure, p99_ns, target
        As in `Run`.
    mAP
        In percent, as accuracy.txt prints it.
    """

    division: str
    submitter: str
    system: str
    model: str
    scenario: str
    figure: float
    mAP: float
    p99_ns: int
    target: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        """Whose result it is."""
        return (self.division, self.submitter, self.system, self.model, self.scenario)

    @property
    def benchmark(self) -> str:
        """The benchmark's name in mlperf.conf."""
        return {"ssd-small": "ssd-mobilenet", "ssd-large": "ssd-resnet34"}.get(self.model, self.model)

    @property
    def published(self) -> float:
        """The figure in a table of results: Server's has two decimals, SingleStream's is in ns."""
        return round(self.figure, 2) if self.scenario == "Server" else self.figure

    @property
    def run(self) -> Run:
        """The performance run."""
        count = 64 if self.system == SERVER_BOX else 1024
        return Run(self.scenario, self.benchmark, self.figure, self.p99_ns, self.target, sample_count=count)


RESULTS = (
    MadeResult("closed", "Fernhill", "F1x1_RT", "ssd-mobilenet", "Offline", 5821.47, 23.125, 650_334_512_907, 6100),
    MadeResult("closed", "Fernhill", "F1x1_RT", "ssd-mobilenet", "SingleStream", 512_903, 23.125, 520_117),
    MadeResult("closed", "Fernhill", "F1x1_RT", "ssd-mobilenet", "MultiStream", 280, 23.125, 49_120_334),
    MadeResult("closed", "Fernhill", "F1x1_RT", "ssd-resnet34", "Offline", 131.204, 20.046, 652_100_870_011, 140),
    MadeResult("closed", "Fernhill", "F1x1_RT", "ssd-resnet34", "SingleStream", 8_123_456, 20.046, 8_240_991),
    MadeResult("closed", "Fernhill", "F1x1_RT", "ssd-resnet34", "MultiStream", 6, 20.046, 64_902_118),
    MadeResult("closed", "Brookside", EDGE_BOX, "ssd-mobilenet", "Offline", 1190.35, 24.871, 655_420_118_200, 1250),
    MadeResult("closed", "Brookside", EDGE_BOX, "ssd-mobilenet", "SingleStream", 1_502_118, 24.871, 1_530_442),
    MadeResult("closed", "Brookside", EDGE_BOX, "ssd-mobilenet", "MultiStream", 48, 24.871, 47_300_215),
    MadeResult("closed", "Quarry", SERVER_BOX, "ssd-resnet34", "Offline", 51.3382, 19.912, 654_000_118_443, 55),
    MadeResult("closed", "Quarry", SERVER_BOX, "ssd-resnet34", "Server", 38.4417, 19.912, 97_240_006, 39),
    MadeResult("closed", "Old Mill", "M3-CPU", "ssd-small", "Offline", 88.7213, 22.804, 651_900_002_118, 92),
    MadeResult("closed", "Old Mill", "M3-CPU", "ssd-small", "SingleStream", 14_207_331, 22.804, 14_388_020),
    MadeResult("open", "Fernhill", "F1x1_RT_pruned", "ssd-mobilenet", "Offline", 9120.66, 19.507, 648_220_911_340, 9400),
)
# in the table, but not in the tree
TABLE_ALONE = (
    MadeResult("closed", "Harbour", "H8x4_RT", "ssd-resnet34", "Server", 903.27, 20.046, 91_004_227, 910),
    MadeResult("closed", "Harbour", "H8x4_RT", "ssd-large", "Offline", 988.112, 20.046, 640_000_000_112, 990),
    MadeResult("open", "Harbour", "H9", "ssd-small", "SingleStream", 9_870_113, 22.001, 9_990_004),
)
# settings that tests change: audit.config of mlcommons/inference v1.0.1, compliance/nvidia
TESTS: dict[str, dict[str, Any]] = {
    "TEST01": {"accuracy_log_rng_seed": 720381539243781796, "accuracy_log_sampling_target": 1024},
    "TEST04-A": {"performance_issue_unique": True},
    "TEST04-B": {"performance_issue_same": True, "performance_issue_same_index": 3},
    "TEST05": {
        "qsl_rng_seed": 313588358309856706, "sample_index_rng_seed": 471397156132239067,
        "schedule_rng_seed": 413914573387865862,
    },
}  # fmt: skip
# a test's rate relative to the performance run: within the bounds of the rules, and never equal
_RATES = {"TEST01": 0.985, "TEST04-A": 1.10, "TEST04-B": 1.14, "TEST05": 0.99}
FALLBACK = (24.871, 24.790)  # mAPs of TEST01 where two samples have different bits: within 1 % of each other


def description(result: MadeResult) -> dict[str, Any]:
    """The system's JSON."""
    accelerator, framework, kind = {
        "F1x1_RT": ("Example F1", "ExampleRT 2.1, CUDA 11.1", "edge"),
        "F1x1_RT_pruned": ("Example F1", "ExampleRT 2.1, CUDA 11.1", "edge"),
        EDGE_BOX: ("Example B2", "ExampleRT 2.1, CUDA 10.2", "edge"),
        SERVER_BOX: ("N/A", "OpenVINO", "datacenter"),
        "M3-CPU": ("", "TensorFlow Lite 2.2", "edge"),
        "H8x4_RT": ("Example H8", "ExampleRT 2.1, CUDA 11.1", "datacenter"),
        "H9": ("Example H9", "ExampleRT 2.1, CUDA 11.1", "edge"),
    }[result.system]
    none = accelerator in ("", "N/A")
    filled: dict[str, Any] = {
        "division": result.division, "submitter": result.submitter, "status": "available", "system_type": kind,
        "system_name": f"{result.submitter} {result.system}", "number_of_nodes": "1", "framework": framework,
        "host_processor_model_name": f"Example CPU of {result.system}", "host_processors_per_node": "2",
        "host_processor_core_count": "8", "host_memory_capacity": "64 GB", "host_storage_capacity": "1 TB",
        "host_storage_type": "SSD", "accelerators_per_node": "0" if none else "1", "accelerator_model_name": accelerator,
        "accelerator_memory_capacity": "" if none else "16 GB", "operating_system": "Example Linux 5",
        "other_software_stack": "Example driver 4", "hw_notes": "a made system", "sw_notes": "",
    }  # fmt: skip
    if result.system == EDGE_BOX:  # some submitters write numbers
        filled |= {"accelerators_per_node": 1, "number_of_nodes": 1}
    empty = (
        "host_processor_frequency", "host_processor_caches", "host_processor_interconnect", "host_memory_configuration",
        "host_networking", "host_networking_topology", "accelerator_frequency", "accelerator_host_interconnect",
        "accelerator_interconnect", "accelerator_interconnect_topology", "accelerator_memory_configuration",
        "accelerator_on-chip_memories", "cooling",
    )  # fmt: skip
    return filled | dict.fromkeys(empty, "")


def audited(result: MadeResult, test: str) -> Run:
    """The run of a compliance test; a latency grows as the rate falls, and MultiStream keeps its samples a query."""
    rate = {"SingleStream": 1 / _RATES[test], "MultiStream": 1.0}.get(result.scenario, _RATES[test])
    digits = 0 if result.scenario == "SingleStream" else 6 - len(str(int(result.figure)))
    figure = round(result.figure * rate, digits)
    return replace(
        result.run, figure=figure, p99_ns=max(result.p99_ns, int(figure * 1.01) if result.scenario == "SingleStream" else 0),
        valid=not test.startswith("TEST04"), settings=TESTS[test],
    )  # fmt: skip


def write_tree(root: Path) -> None:
    """Write `RESULTS` as a tree: systems, code, measurements, results and compliance."""
    for result in RESULTS:
        home = root / result.division / result.submitter
        _write(home / "systems" / f"{result.system}.json", json.dumps(description(result), indent=4))
        _code_and_measurements(home, result)
        place = home / "results" / result.system / result.model / result.scenario
        write_run(result.run, place / "performance/run_1")
        _write(place / "performance/run_1/mlperf_log_accuracy.json", "[\n]\n")
        write_run(replace(result.run, mode="AccuracyOnly"), place / "accuracy")
        log, digest = truncated(accuracy_log(5000))
        (place / "accuracy/mlperf_log_accuracy.json").write_bytes(log)
        _write(place / "accuracy/accuracy.txt", f"Evaluate annotation type *bbox*\nmAP={result.mAP:.3f}%\nhash={digest}\n")
        if result.division == "closed":
            for test in TESTS:
                _compliance(home / "compliance" / result.system / result.model / result.scenario / test, result, test)


def _code_and_measurements(home: Path, result: MadeResult) -> None:
    implementation = "openvino" if result.system == SERVER_BOX else ""  # in the name of the JSON, or nowhere
    _write(home / "code" / result.model / implementation / "README.md", "How to build it.\n")
    folder = home / "measurements" / result.system / result.model / result.scenario
    name = "_".join(word for word in (result.system, implementation, result.scenario) if word)
    weights = "fp32" if result.system == "M3-CPU" else "int8"
    content = {
        "input_data_types": weights, "retraining": "N", "starting_weights_filename": "weights.pb", "weight_data_types": weights,
        "weight_transformations": "rounding to 8 bits",
    }  # fmt: skip
    _write(folder / f"{name}.json", json.dumps(content, indent=4))
    _write(folder / "README.md", "How to run it.\n")
    seeds = "".join(f"*.*.{key} = {value}\n" for key, value in SEEDS.items())
    _write(folder / "mlperf.conf", f"# the figures of round v1.0\n{seeds}")
    asked = [f"*.*.performance_sample_count_override = {result.run.sample_count}"]
    if result.target:
        asked.append(f"*.{result.scenario}.target_qps = {result.target:g}")
    _write(folder / "user.conf", "\n".join(asked) + "\n")


def _compliance(folder: Path, result: MadeResult, test: str) -> None:
    run = audited(result, test)
    write_run(run, folder / "performance/run_1")
    if test == "TEST01":
        falls_back = (result.system, result.scenario) == (EDGE_BOX, "MultiStream")
        log, digest = truncated(accuracy_log(1012))
        (folder / "accuracy").mkdir()
        (folder / "accuracy/mlperf_log_accuracy.json").write_bytes(log)
        _write(folder / "accuracy/accuracy.txt", f"hash={digest}\n")
        differing = 2 if falls_back else 0
        lines = [f"num_perf_log_entries = 1012\nnum_perf_log_data_mismatch = {differing}"]
        _write(folder / "verify_accuracy.txt", "\n".join([*lines, "TEST FAIL" if differing else "TEST PASS"]) + "\n")
        if falls_back:
            for name, figure in zip(("baseline", "compliance"), FALLBACK, strict=True):
                _write(folder / f"accuracy/{name}_accuracy.txt", f"mAP={figure:.3f}%\n")
    if test != "TEST04-B":  # judged in the file of A
        before = result.run.figure if test != "TEST04-A" else run.figure
        after = run.figure if test != "TEST04-A" else audited(result, "TEST04-B").figure
        names = ("reference", "test") if test != "TEST04-A" else ("TEST04-A", "TEST04-B")
        lines = [f"{name} score = {figure:.12g}" for name, figure in zip(names, (before, after), strict=True)]
        _write(folder / "verify_performance.txt", "\n".join(["Verifying performance.", *lines, "TEST PASS"]) + "\n")


def write_table(path: Path) -> None:
    """Write the results of the tree and some more as a table of published results."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([
            "division", "organisation", "system", "model", "scenario", "result_raw", "validity", "mAP", "host_processor",
            "host_processors_per_node", "accelerator", "accelerators_per_node", "framework", "system_type", "p99_latency_ns",
        ])  # fmt: skip
        for result in (*RESULTS, *TABLE_ALONE):
            about = description(result)
            writer.writerow([
                *result.key, f"{result.published:.12g}", "VALID", f"{result.mAP:.3f}", about["host_processor_model_name"],
                about["host_processors_per_node"], about["accelerator_model_name"], about["accelerators_per_node"],
                about["framework"], about["system_type"], result.p99_ns,
            ])  # fmt: skip


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
