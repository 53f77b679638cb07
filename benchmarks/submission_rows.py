"""Checking and importing a tree of published results, compared with reading and copying its files."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from alone_rows import Row

if TYPE_CHECKING:
    from run import Bench

READ = "import pathlib, sys; print(sum(len(p.read_bytes()) for p in pathlib.Path(sys.argv[1]).rglob('*') if p.is_file()))"
_COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"


def submission_rows(bench: Bench, tree_of: Callable[[int], Path]) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`; `tree_of` makes a tree of submitters with six results each."""
    submitters = 5 if bench.quick else 167

    def cpu(*words: str, store: Path | None = None) -> float:
        """Seconds of CPU time; only they count, as others use the disk, too."""
        environment = bench.environment | ({"CK_REPOS": str(store)} if store else {})
        with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
        return used.ru_utime + used.ru_stime

    def beside(verb: str) -> Callable[[], tuple[str, str]]:
        def measure() -> tuple[str, str]:
            tree = tree_of(submitters)
            turns = []
            for _ in range(1 if bench.quick else 2):
                store, copy = bench.scratch / "store", bench.scratch / "copy"
                ours = cpu(*bench.command, verb, "submission", f"--path={tree}", "--out=json", "--quiet", store=store)
                read = cpu(sys.executable, "-c", READ, str(tree))
                copied = cpu(sys.executable, "-c", _COPY, str(tree), str(copy)) if verb == "import" else 0.0
                shutil.rmtree(store, ignore_errors=True)
                shutil.rmtree(copy, ignore_errors=True)
                turns.append((ours, read, copied))
            ratio = statistics.median(ours / read for ours, read, _ in turns)
            ours, read, copied = (statistics.median(column) for column in zip(*turns, strict=True))
            text = f"{ours:.2f} over {read:.2f} s of CPU = {ratio:.1f}" + (f"; a copy {copied:.2f} s" if copied else "")
            return text, f"at most 1.5: {'met' if ratio <= 1.5 else 'MISSED'}"

        return measure

    count = f"{6 * submitters:,}"
    return [(f"ck {verb} submission, {count} results, over a plain read", beside(verb)) for verb in ("check", "import")]
