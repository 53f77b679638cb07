"""The download of several files from a server on this machine."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alone_rows import Row

if TYPE_CHECKING:
    from run import Bench

_HERE = Path(__file__).parent
_FILES = 6
_LINE = 100.0  # MB/s, of all connections together; an Ethernet line of 1 Gbit/s has at most 125
_AT_ONCE = 4  # connections, as many as ours


@contextmanager
def served(folder: Path, rate: float) -> Iterator[str]:
    """A server of the files of a folder, in a process of its own; its address."""
    command = [sys.executable, str(_HERE / "file_server.py"), str(folder), str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


def fetch_rows(bench: Bench) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`."""
    size = 2_000_000 if bench.quick else 100_000_000

    def speeds(rate: float, turns: int) -> tuple[float, float]:
        """Median MB/s of `ck install package`, which also verifies and copies the files, and of curl, which only downloads."""
        home = bench.scratch / f"fetch-{rate:.0f}"
        folder, target = home / "files", home / "curl"
        folder.mkdir(parents=True)
        for number in range(_FILES):
            (folder / f"{number}.bin").write_bytes(os.urandom(size))
        environment = bench.environment | {"CK_REPOS": str(home / "CK"), "CK_TOOLS": str(home / "CK-TOOLS")}

        def seconds(command: list[str], cleared: Path) -> float:
            shutil.rmtree(cleared, ignore_errors=True)
            cleared.mkdir()
            began = time.perf_counter()
            subprocess.run(command, cwd=cleared, env=environment, capture_output=True, check=True)
            return time.perf_counter() - began

        with served(folder, rate) as address:
            packages = [sys.executable, str(_HERE / "served_packages.py"), str(folder), address]
            subprocess.run(packages, env=environment, check=True)
            ours = [*bench.command, "install", "package:served", "--quiet"]
            theirs = ["curl", "--silent", "--parallel", "--parallel-max", str(_AT_ONCE)]
            theirs += [word for number in range(_FILES) for word in ("--remote-name", f"{address}/{number}.bin")]
            pairs = [(seconds(ours, home / "CK-TOOLS"), seconds(theirs, target)) for _ in range(turns)]
        shutil.rmtree(home)
        mine, other = (_FILES * size / 1e6 / statistics.median(column) for column in zip(*pairs, strict=True))
        return mine, other

    def fetched() -> tuple[str, str]:
        """Beside curl on a line of a set speed, and as fast as the loopback goes."""
        ours, curl = speeds(_LINE, 1 if bench.quick else 5)
        free, fastest = speeds(0, 1 if bench.quick else 3)
        ratio = ours / _LINE
        text = (
            f"{ours:.1f} of {_LINE:.0f} MB/s = {ratio:.2f}, curl {curl:.1f}; without a limit {free:.0f} and {fastest:.0f} MB/s"
        )
        return text, f"at least 0.9: {'met' if ratio >= 0.9 else 'MISSED'}"

    if shutil.which("curl") is None:
        return []
    return [(f"ck install package, {_FILES} files of {size / 1e6:.0f} MB", fetched)]
