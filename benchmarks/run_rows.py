"""Whole commands as a user types them: the first run from a clone, the same run again, and the choice of a backend."""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from alone_rows import Row

if TYPE_CHECKING:
    from run import Bench

ROOT = Path(__file__).resolve().parents[1]
_MAIN = re.compile(r"<!-- main -->\n```bash\n(.+?)\n```\n<!-- end -->", re.DOTALL)
_LOADGEN = ("accuracy", "performance")  # parts of a run in which LoadGen drives the model


def first_run_rows(bench: Bench) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`."""

    def first() -> tuple[str, str]:
        """The main command of the README in a fresh clone; the caches of pip and uv have the wheels from a run before."""
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        found = _MAIN.search(text)
        if not found:
            raise SystemExit("README.md has no block of code between <!-- main --> and <!-- end -->")
        seconds = []
        for _ in range(2):
            with tempfile.TemporaryDirectory(dir=bench.scratch) as folder:
                subprocess.run(["git", "clone", "--quiet", str(ROOT), f"{folder}/clone"], check=True)
                environment = bench.environment | {"CK_REPOS": f"{folder}/CK", "CK_TOOLS": f"{folder}/T"}
                began = time.perf_counter()
                subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", found[1]], cwd=f"{folder}/clone", env=environment, check=True,
                    capture_output=True,
                )  # fmt: skip
                seconds.append(time.perf_counter() - began)
        return f"{seconds[-1]:.1f} s", f"at most 35 s: {'met' if seconds[-1] <= 35 else 'MISSED'}"

    return [("the first run, from a clone to the table", first)]


def run_rows(bench: Bench) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`. The venv of the benchmark exists."""

    def again() -> tuple[str, str]:
        """The same run again: the time in addition to that in which LoadGen drives the model."""
        words = ("run", "program:object-detection", *bench.model("onnxruntime"), "--time=2")
        bench.ck(*words)
        seconds, harness = [], []
        for _ in range(bench.rounds):
            began = time.perf_counter()
            timings = bench.ck(*words)["timings"]
            whole = time.perf_counter() - began
            loadgen = sum(part["seconds"] for part in timings if part["name"] in _LOADGEN)
            seconds.append(whole)
            harness.append(whole - loadgen)
        middle = statistics.median(harness)
        text = f"{middle:.2f} s beside LoadGen's own time, of {statistics.median(seconds):.2f} s"
        return text, f"at most 1.5 s: {'met' if middle <= 1.5 else 'MISSED'}"

    def automatic() -> tuple[str, str]:
        """`--backend=auto` compared with ONNX Runtime, Offline, in turns; the measurement that chooses is not counted."""
        words = ("run", "program:object-detection", *bench.model("onnxruntime")[:-1], "--mode=performance", "--time=5")
        chosen = ""
        ratios = []
        for _ in range(1 if bench.quick else 5):
            rates = []
            for backend in ("auto", "onnxruntime"):
                results = bench.ck(*words, f"--backend={backend}")["results"]
                rates.append(float(results["performance"]["samples_per_second"]))
                chosen = results["backend"] if backend == "auto" else chosen
            ratios.append(rates[0] / rates[1])
        ratio = statistics.median(ratios)
        goal = 1.25 if chosen != "onnxruntime" else 0.95
        text = f"{chosen}: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        return text, f"at least 1.25 where another backend is faster, else 0.95: {'met' if ratio >= goal else 'MISSED'}"

    return [("the same run again", again), ("--backend=auto over ONNX Runtime", automatic)]
