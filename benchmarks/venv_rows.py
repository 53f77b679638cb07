"""The creation of a venv."""

from __future__ import annotations

import shlex
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from alone_rows import Row

if TYPE_CHECKING:
    from run import Bench


def venv_rows(bench: Bench) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`."""

    def seconds(*commands: list[str]) -> float:
        began = time.perf_counter()
        for command in commands:
            subprocess.run(command, env=bench.environment, capture_output=True, check=True)
        return time.perf_counter() - began

    def from_template() -> tuple[str, str]:
        """`ck create venv` from the default template, compared with uv's own commands for the same interpreter and packages."""
        folder = bench.scratch / "CK/local/venv/beside-uv"
        ours = [*bench.command, "create", "venv:beside-uv", "--quiet"]
        seconds(ours)  # downloads what is not in the cache of uv
        uv, *words = shlex.split((folder / "venv/ck-install.log").read_text().splitlines()[0].removeprefix("$ "))
        plain = bench.scratch / "by-uv"
        python = Path(words[words.index("--python") + 1])
        words[words.index("--python") + 1] = str(plain / "bin/python")
        create = [uv, "venv", "--python", str(python.resolve()), str(plain)]
        pairs = []
        for turn in range(1 if bench.quick else 9):
            shutil.rmtree(folder)
            shutil.rmtree(plain, ignore_errors=True)
            halves = [[ours], [create, [uv, *words]]]
            times = [seconds(*commands) for commands in (halves if turn % 2 else reversed(halves))]
            pairs.append(times if turn % 2 else times[::-1])
        ratio = statistics.median(one / other for one, other in pairs)
        mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
        text = f"{mine:.2f} over {other:.2f} s = {ratio:.2f}, {mine - other:.2f} s more"
        return text, f"at most 1.2: {'met' if ratio <= 1.2 else 'MISSED'}"

    return [("ck create venv, wheels in the cache", from_template)]
