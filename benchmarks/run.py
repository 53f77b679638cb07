"""Measure, each figure beside its limit and in the same run: ``python benchmarks/run.py [--quick]``.

The harness and the bare sessions take turns, so that a disturbance of the machine meets both; the ratio of the medians counts.
With real data beside the checkout (or in CK_TEST_DATA) the model is a real one, else the embedded demo model.
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

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CK_TEST_DATA") or ROOT.parent / "shared" / "data")


class Bench:
    """A scratch CK, and the commands that are measured in it."""

    def __init__(self, quick: bool) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="ck-bench-"))
        self.rounds, self.seconds = (1, 3.0) if quick else (5, 8.0)
        self.environment = os.environ | {"CK_REPOS": str(self.scratch / "CK"), "CK_TOOLS": str(self.scratch / "CK-TOOLS")}
        self.command = [str(Path(sys.executable).with_name("ck"))]
        self.model: list[str] = []

    def ck(self, *words: str) -> dict:
        done = subprocess.run(
            [*self.command, *words, "--out=json", "--quiet"], env=self.environment, capture_output=True, text=True
        )
        answer = json.loads(done.stdout)
        if answer["return"]:
            raise SystemExit(answer["error"])
        return answer

    def wall(self, *words: str, environment: dict[str, str] | None = None, times: int = 10) -> float:
        """Median wall time of a command in s, after one run that is not counted."""
        rows = []
        for _ in range(times + 1):
            begun = time.perf_counter()
            subprocess.run([*self.command, *words], env=environment or self.environment, capture_output=True, check=True)
            rows.append(time.perf_counter() - begun)
        return statistics.median(rows[1:])

    def use_real_model(self) -> None:
        """Register the real model and images, if they are here."""
        if (DATA / "coco79").is_dir():
            model = DATA / "models/ssd_mobilenet_v1_075_fp32.onnx"
            self.ck("detect", "soft:model.onnx", f"--full_path={model}", "--extra_tags=depth.075,fp32")
            self.ck("detect", "soft:dataset.coco.2017.val", f"--full_path={DATA / 'coco79/val2017'}", "--extra_tags=coco79")
            self.model = ["--model=depth.075,fp32", "--dataset=coco79"]

    def bare(self, run_folder: str, what: str) -> dict[str, float]:
        venv = self.scratch / "CK/local/venv/mlperf-inference/venv/bin/python"
        environment = self.environment | {"PYTHONPATH": str(ROOT / "program/object-detection")}
        command = [str(venv), str(ROOT / "benchmarks/bare.py"), f"{run_folder}/spec.json", str(self.seconds / 2), what]
        return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    def beside_bare(self, scenario: str, what: str, figure: Callable[[dict], float], best: Callable) -> tuple[float, float]:
        """Medians of the harness and of the bare sessions' best, taken in turns."""
        ours, bare = [], []
        for _ in range(self.rounds):
            run = self.ck(
                "run", "program:object-detection", *self.model, f"--scenario={scenario}", "--mode=performance",
                f"--time={self.seconds}",
            )  # fmt: skip
            ours.append(figure(run["results"]["performance"]))
            bare.append(best(self.bare(run["path"], what).values()))
        return statistics.median(ours), statistics.median(bare)


def make_entries(root: Path, count: int) -> None:
    """A repository of `count` entries, each with ten tags; one in a thousand has the tag that is searched for."""
    module = root / "big" / "dataset"
    (module / ".cm").mkdir(parents=True)
    (root / "big" / ".cm").mkdir()
    description = {"data_alias": "big", "data_uid": "00000000000000bb", "data_uoa": "big", "dict": {}}
    (root / "big" / ".ckr.json").write_text(json.dumps(description))
    for number in range(count):
        uid = f"{number:016x}"
        folder = module / uid / ".cm"
        folder.mkdir(parents=True)
        tags = [f"t{number % size}-{size}" for size in (2, 3, 5, 7, 11, 13, 17, 19, 23)] + [f"thousandth-{number % 1000}"]
        (folder / "meta.json").write_text(json.dumps({"tags": tags}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round: does it work?")
    parser.add_argument("--only", default="", help="part of a row's name")
    arguments = parser.parse_args()
    bench = Bench(arguments.quick)
    rows: list[tuple[str, str, str]] = []

    def row(name: str, measure: Callable[[], tuple[str, str]]) -> None:
        if arguments.only in name:
            rows.append((name, *measure()))
            print("{:44}  {:44}  {}".format(*rows[-1]), flush=True)

    def command(limit: float, *words: str, environment: dict[str, str] | None = None) -> Callable[[], tuple[str, str]]:
        def measure() -> tuple[str, str]:
            seconds = bench.wall(*words, environment=environment, times=3 if arguments.quick else 15)
            return f"{seconds:.3f} s", f"at most {limit:g} s: {'met' if seconds <= limit else 'MISSED'}"

        return measure

    def search(count: int) -> Callable[[], tuple[str, str]]:
        def measure() -> tuple[str, str]:
            home = bench.scratch / f"search-{count}"
            make_entries(home, count)
            environment = bench.environment | {"CK_REPOS": str(home)}
            return command(0.16, "search", "dataset", "--tags=thousandth-7", environment=environment)()

        return measure

    def offline() -> tuple[str, str]:
        ours, bare = bench.beside_bare("offline", "throughput", lambda found: found["samples_per_second"], max)
        ratio = ours / bare
        return f"{ours:.1f} over {bare:.1f} samples/s = {ratio:.3f}", f"at least 0.95: {'met' if ratio >= 0.95 else 'MISSED'}"

    def single() -> tuple[str, str]:
        ours, bare = bench.beside_bare("singlestream", "latency", lambda found: found["latency_ms"]["p90"], min)
        ratio = ours / bare
        return f"{ours:.2f} over {bare:.2f} ms = {ratio:.3f}", f"at most 1.05: {'met' if ratio <= 1.05 else 'MISSED'}"

    def around() -> tuple[str, str]:
        """What `ck run` takes outside the harness when all is installed."""
        seconds = []
        for _ in range(bench.rounds):
            begun = time.perf_counter()
            run = bench.ck("run", "program:object-detection", *bench.model, "--mode=accuracy", "--count=8")
            whole = time.perf_counter() - begun
            meta = bench.ck("load", f"experiment:{run['experiment']['alias']}")["dict"]
            seconds.append(whole - meta["seconds"]["harness"])
        middle = statistics.median(seconds)
        return f"{middle:.3f} s", f"under 1 s: {'met' if middle < 1 else 'MISSED'}"

    try:
        row("ck version", command(0.08, "version"))
        row("ck search, 10,000 entries", search(10_000))
        row("ck search, 100,000 entries", search(100_000))
        if not arguments.only or arguments.only not in "ck version ck search":
            bench.ck("run", "program:object-detection", "--mode=accuracy", "--count=8")  # sets up
            bench.use_real_model()
        row("Offline over the best bare sessions", offline)
        row("SingleStream p90 over the bare session's", single)
        row("ck run outside the harness", around)
    finally:
        shutil.rmtree(bench.scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
