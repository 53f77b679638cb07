"""Measure, each figure with its limit and in the same run: ``python benchmarks/run.py [--quick]``.

The harness and the bare sessions are measured alternately, so that disturbances affect both; the ratio of the medians is
reported. With real data next to the checkout (or in CK_TEST_DATA) the model is a real one, else the embedded demo model.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alone_rows import alone_rows
from data_set_rows import data_set_rows
from entry_rows import entry_rows
from fetch_rows import fetch_rows
from kept_results import Result, compared, keep, last, measured, write_readme
from reference_rows import reference_rows
from run_rows import first_run_rows, run_rows
from scoring_rows import scoring_rows
from submission_rows import READ, submission_rows
from venv_rows import venv_rows

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("onnxruntime", "openvino", "tensorflow", "torch", "tflite")
# how rows begin that need neither a venv nor a model
LIGHT = (
    "ck version", "ck search", "ck run --dry-run", "ck check submission", "ck import submission", "ck detect soft",
    "ck install package", "ck create venv", "ck ls", "the first run",
)  # fmt: skip
DATA = Path(os.environ.get("CK_TEST_DATA") or ROOT.parent / "shared" / "data")


class Bench:
    """A scratch CK, and the commands that are measured in it."""

    def __init__(self, quick: bool) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="ck-bench-"))
        self.quick, self.rounds = quick, 1 if quick else 5
        self.environment = os.environ | {"CK_REPOS": str(self.scratch / "CK"), "CK_TOOLS": str(self.scratch / "CK-TOOLS")}
        self.command = [str(Path(sys.executable).with_name("ck"))]
        self.real = False

    def ck(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [*self.command, *words, "--out=json", "--quiet"], env=self.environment, capture_output=True, text=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        if answer["return"]:
            raise SystemExit(answer["error"])
        return answer

    def walls(self, *commands: tuple[list[str], dict[str, str]], times: int) -> list[float]:
        """Median wall times in s of commands (words, environment), alternating, after one run of each that is not counted."""
        rows: list[list[float]] = [[] for _ in commands]
        for _ in range(times + 1):
            for (words, environment), row in zip(commands, rows, strict=True):
                began = time.perf_counter()
                subprocess.run(words, env=environment, capture_output=True, check=True)
                row.append(time.perf_counter() - began)
        return [statistics.median(row[1:]) for row in rows]

    def pairs(self, *commands: list[str]) -> list[list[float]]:
        """Wall times in s of commands in turns, a list for each turn, after one turn that is not counted."""
        turns: list[list[float]] = []
        for turn in range((1 if self.quick else 9) + 1):
            times = [0.0] * len(commands)
            for number in range(len(commands)) if turn % 2 else reversed(range(len(commands))):
                began = time.perf_counter()
                subprocess.run(commands[number], env=self.environment, capture_output=True, check=True)
                times[number] = time.perf_counter() - began
            turns.append(times)
        return turns[1:]

    def usage(self, command: list[str]) -> tuple[float, float]:
        """CPU time in s and peak memory in MB of a command."""
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024

    def use_real_model(self) -> None:
        """Register the real models and images, if they are here."""
        if (DATA / "coco79").is_dir():
            for kind, file, tags in (
                ("onnx", "ssd_mobilenet_v1_075_fp32.onnx", "depth.075,fp32"),
                ("tflite", "ssd_mobilenet_v1_075_uint8.tflite", "depth.075,uint8"),
            ):
                self.ck("detect", f"soft:model.{kind}", f"--full_path={DATA / 'models' / file}", f"--extra_tags={tags}")
            self.ck("detect", "soft:dataset.coco.2017.val", f"--full_path={DATA / 'coco79/val2017'}", "--extra_tags=coco79")
            self.real = True

    def model(self, backend: str) -> list[str]:
        """Options for the model that a backend is measured with."""
        if not self.real:
            return [f"--backend={backend}"]
        return [f"--model=depth.075,{'uint8' if backend == 'tflite' else 'fp32'}", "--dataset=coco79", f"--backend={backend}"]

    def in_venv(self, script: str, *arguments: object) -> dict[str, Any]:
        """The output of a script of this folder, run with the venv and the harness of the benchmark."""
        venv = self.scratch / "CK/local/venv/mlperf-inference/venv/bin/python"
        environment = self.environment | {"PYTHONPATH": str(ROOT / "program/object-detection")}
        command = [str(venv), str(ROOT / "benchmarks" / script), *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return printed

    def slices(self, backend: str, scenario: str, pairs: int, seconds: float) -> dict[str, float]:
        """The harness and the bare session of a framework in turns; see slices.py."""
        few = ("--mode=accuracy", "--count=64", "--sessions=1", "--threads=1", "--batch-size=1")
        run = self.ck("run", "program:object-detection", *self.model(backend), *few)
        return self.in_venv("slices.py", f"{run['path']}/spec.json", scenario, 2 if self.quick else pairs, seconds)


def _spread(found: dict[str, float]) -> str:
    """A ratio with its quartiles."""
    return f"{found['ratio']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round: does it work?")
    parser.add_argument("--only", default="", help="part of a row's name")
    parser.add_argument("--keep", type=Path, help="folder for the results, which are compared with the last ones there")
    parser.add_argument("--readme", action="store_true", help="write the table of benchmarks/README.md")
    parser.add_argument("--reference", type=Path, help="the reference's vision/classification_and_detection at v1.0.1")
    arguments = parser.parse_args()
    bench = Bench(arguments.quick)
    rows: list[Result] = []
    failed: list[str] = []

    def row(name: str, measure: Callable[[], tuple[str, str]]) -> None:
        if arguments.only not in name:
            return
        try:
            rows.append(measured(name, measure))
            print(rows[-1].line(), flush=True)
        except SystemExit as error:
            failed.append(name)
            print(error, file=sys.stderr)

    def offline(backend: str) -> Callable[[], tuple[str, str]]:
        def measure() -> tuple[str, str]:
            found = bench.slices(backend, "offline", 30, 2.0)
            text = f"{found['ours']:.1f} over {found['bare']:.1f} samples/s, by pairs {_spread(found)}"
            return text, f"at least 0.98: {'met' if found['ratio'] >= 0.98 else 'MISSED'}"

        return measure

    def scale() -> tuple[str, str]:
        """The search of a layout, and Offline, with 256 sessions that wait instead of computing."""
        found = bench.in_venv("scale.py", 256, 17, 1.0 if arguments.quick else 5.0)
        search, rates = found["search"], found["offline"]
        met = search["seconds"] <= 10 and search["of_best"] >= 0.9
        text = f"search {search['seconds']} s, {search['of_best']} of the best; "
        text += ", ".join(f"{row['ratio']:.2f} of the frameworks in batches of {size}" for size, row in rates.items())
        text += f"; Server, median latency {found['server']['found']:.1f} over {found['server']['bare']:.1f} ms"
        return text, f"search at most 10 s, at least 0.9: {'met' if met else 'MISSED'}"

    def processes() -> tuple[str, str]:
        """256 sessions that wait instead of computing, in two processes and in one, in turns."""
        found = bench.in_venv("processes.py", 256, 17, 1.0 if arguments.quick else 4.0, 2, 1 if arguments.quick else 3)
        server = found.pop("server")
        parts = [
            f"{name}: {row['2']['rate']:.0f} over {row['1']['rate']:.0f} of {row['possible']:.0f} samples/s, "
            f"{row['2']['main']:.1f} over {row['1']['main']:.1f} µs of CPU a sample in the main process"
            for name, row in found.items()
        ]
        parts.append(f"Server, median latency {server['2']['p50']:.1f} over {server['1']['p50']:.1f} ms")
        less = found["offline, 1"]["2"]["main"] / found["offline, 1"]["1"]["main"]
        return "; ".join(parts), f"at most half of the CPU time in batches of 1: {'met' if less <= 0.5 else 'MISSED'}"

    def images() -> tuple[str, str]:
        """The cache of small images, and the loading of large ones, compared with decoding and resizing alone."""
        few = ("--mode=accuracy", "--count=64", "--sessions=1", "--threads=1", "--batch-size=1")
        spec = f"{bench.ck('run', 'program:object-detection', *bench.model('onnxruntime'), *few)['path']}/spec.json"
        found = bench.in_venv("images.py", spec, 2 if arguments.quick else 9, 64)
        made, loaded = found["made"]["ratio"], found["loaded"]["ratio"]
        text = f"made {made:.2f}, loaded {loaded:.2f} of decoding and resizing; {found['megabytes']:.0f} MB"
        return text, f"at least 0.95 and 0.90: {'met' if made >= 0.95 and loaded >= 0.9 else 'MISSED'}"

    def single() -> tuple[str, str]:
        found = bench.slices("onnxruntime", "singlestream", 30, 1.0)
        text = f"{found['ours']:.2f} over {found['bare']:.2f} ms, by pairs {_spread(found)}"
        return text, f"at most 1.02: {'met' if found['ratio'] <= 1.02 else 'MISSED'}"

    def postprocess() -> tuple[str, str]:
        """SSD-ResNet34's decoding and suppression, one image, one core."""
        bench.ck("install", "package", "--tags=lib,python-package,torch")
        rows = bench.in_venv("postprocess.py")
        parts = (f"{row['candidates']} candidates {row['ours']:.1f} ms (loop {row['loop']:.0f})" for row in rows.values())
        text = "; ".join(parts)
        slowest = max(row["ours"] for row in rows.values())
        return text, f"under 20 ms: {'met' if slowest < 20 else 'MISSED'}"

    def submission(submitters: int) -> Path:
        """A tree of one submitter's six results with their compliance tests, again and again."""
        tree = bench.scratch / f"tree-{submitters}"
        if tree.exists():
            return tree
        source = bench.scratch / "submitter"
        shutil.copytree(DATA / "results_v1.0/closed/Lenovo", source, copy_function=shutil.copyfile, dirs_exist_ok=True)
        about = json.loads((source / "systems/T4x1_TRT.json").read_text())
        for number in range(submitters):
            folder = tree / "closed" / f"S{number:04d}"
            shutil.copytree(source, folder, copy_function=os.link)
            (folder / "systems/T4x1_TRT.json").unlink()
            (folder / "systems/T4x1_TRT.json").write_text(json.dumps({**about, "submitter": folder.name}))
        return tree

    def check() -> tuple[str, str]:
        """`ck check submission` on 1,002 results with their compliance tests, compared with a plain read of the same files."""
        tree = submission(167)
        command = [*bench.command, "check", "submission", f"--path={tree}", "--out=json", "--quiet"]
        seconds, bare = bench.walls(
            (command, bench.environment), ([sys.executable, "-c", READ, str(tree)], bench.environment), times=3
        )
        _, megabytes = bench.usage(command)
        met = seconds < 10 and megabytes < 500
        return (
            f"{seconds:.2f} s, {megabytes:.0f} MB (a plain read of its files {bare:.2f} s)",
            f"under 10 s and 500 MB: {'met' if met else 'MISSED'}",
        )

    def ten_thousand() -> tuple[str, str]:
        """`ck check submission` and `ck import submission` on 10,002 results: CPU time for a thousand of them, and memory."""
        tree = submission(1667)
        texts, met = [], True
        for verb in ("check", "import"):
            seconds, megabytes = bench.usage([*bench.command, verb, "submission", f"--path={tree}", "--out=json", "--quiet"])
            texts.append(f"{verb} {seconds / 10.002:.2f} s of CPU a thousand, {megabytes:.0f} MB")
            met = met and (verb == "import" or seconds < 100.02) and megabytes < 500
        return "; ".join(texts), f"check under 10 s a thousand, both under 500 MB: {'met' if met else 'MISSED'}"

    def around() -> tuple[str, str]:
        """What `ck run` takes outside the harness when all is installed."""
        seconds = []
        for _ in range(bench.rounds):
            began = time.perf_counter()
            run = bench.ck("run", "program:object-detection", *bench.model("onnxruntime"), "--mode=accuracy", "--count=8")
            whole = time.perf_counter() - began
            meta = bench.ck("load", f"experiment:{run['experiment']['alias']}")["dict"]
            seconds.append(whole - meta["seconds"]["harness"])
        middle = statistics.median(seconds)
        return f"{middle:.3f} s", f"under 1 s: {'met' if middle < 1 else 'MISSED'}"

    def command_usage(*words: str) -> tuple[float, float, float]:
        """Seconds, seconds of CPU and MB that a command takes."""
        began = time.perf_counter()
        with subprocess.Popen(
            [*bench.command, *words, "--quiet"], env=bench.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            errors = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"ck {' '.join(words)} failed: {errors.decode()[-2000:]}")
        return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def report() -> tuple[str, str]:
        """The page of a run of 5,000 images with drawn objects; the packages of `ck report` are installed before."""
        count = 100 if bench.quick else 5_000
        bench.in_venv("pictures.py", bench.scratch / "pictures", count)
        bench.ck(
            "detect", "soft:dataset.coco.2017.val", f"--full_path={bench.scratch / 'pictures/val2017'}", "--extra_tags=drawn"
        )
        bench.ck("run", "program:object-detection", "--dataset=drawn", "--time=2", "--record=drawn")
        command_usage("report", "experiment:drawn", f"--output={bench.scratch / 'first.html'}")
        page = bench.scratch / "page.html"
        seconds, cpu, megabytes = command_usage("report", "experiment:drawn", f"--output={page}")
        size = page.stat().st_size / 1e6
        met = seconds < 60 and size < 30
        return (
            f"{seconds:.1f} s ({cpu:.1f} s of CPU), {size:.1f} MB, {megabytes:.0f} MB of memory",
            f"under 60 s and 30 MB: {_met(met)}",
        )

    def site() -> tuple[str, str]:
        """The site of 1,000 experiments, copies of a small run with other figures."""
        count = 20 if bench.quick else 1_000
        bench.ck("run", "program:object-detection", "--count=8", "--time=2", "--record=small")
        command = [sys.executable, str(ROOT / "benchmarks/copies.py"), "small", str(count)]
        subprocess.run(command, env=bench.environment, check=True)
        command_usage("report", "experiment:small", f"--output={bench.scratch / 'small.html'}")
        folder = bench.scratch / "site"
        seconds, cpu, megabytes = command_usage("report", "--all", f"--output={folder}")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        return (
            f"{seconds:.1f} s ({cpu:.1f} s of CPU), {size:.0f} MB, {megabytes:.0f} MB of memory",
            f"under 60 s: {_met(seconds < 60)}",
        )

    def measure_all() -> None:
        for name, measure in entry_rows(bench):
            row(name, measure)
        if (DATA / "results_v1.0").is_dir():
            row("ck check submission, 1,002 results", check)
            for name, measure in submission_rows(bench, submission):
                row(name, measure)
        for name, measure in [*data_set_rows(bench), *fetch_rows(bench), *venv_rows(bench), *first_run_rows(bench)]:
            row(name, measure)
        if not any(arguments.only and (arguments.only in name or name in arguments.only) for name in LIGHT):
            bench.ck("run", "program:object-detection", "--mode=accuracy", "--count=8")  # sets up
            bench.use_real_model()
        for backend in BACKENDS if bench.real else ("onnxruntime",):
            row(f"Offline, {backend}, over its bare sessions", offline(backend))
        row("SingleStream p90 over the bare session's", single)
        if arguments.reference and bench.real:
            for name, measure in reference_rows(bench, arguments.reference, DATA):
                row(name, measure)
        row("images of 300 and 1200 pixels", images)
        row("layout search and Offline, 256 made-up cores", scale)
        row("sessions in two processes, 256 made-up cores", processes)
        row("ck run outside the harness", around)
        for name, measure in run_rows(bench):
            row(name, measure)
        row("decoding and suppression, SSD-ResNet34", postprocess)
        for name, measure in [*alone_rows(bench.in_venv, arguments.quick), *scoring_rows(bench.in_venv, arguments.quick)]:
            row(name, measure)
        row("ck report, 5,000 images", report)
        row("ck report --all, 1,000 experiments", site)
        if (DATA / "results_v1.0").is_dir():
            row("ck check submission and ck import submission, 10,002 results", ten_thousand)

    try:
        try:
            measure_all()
        except KeyboardInterrupt:
            print("stopped: the rows so far are kept", file=sys.stderr)
        if arguments.readme:
            write_readme(rows)
        if arguments.keep:
            lines = compared(rows, last(arguments.keep))
            print(*(["", "compared with the last measurement:", *lines] if lines else []), sep="\n")
            print(f"kept: {keep(rows, arguments.keep)}")
    finally:
        shutil.rmtree(bench.scratch, ignore_errors=True)
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
