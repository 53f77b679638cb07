"""Commands on repositories of many entries, and how their time grows with the number of entries."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alone_rows import Row

if TYPE_CHECKING:
    from run import Bench

_SEARCH = ("search", "test", "--tags=thousandth-7")
_GROWTH = (100, 1_000, 10_000, 100_000)
_TIMES_AS_LONG = 12  # of ten times as many


class StockCk:
    """The last release of CK, in a separate environment; it needs a Python of at most 3.11."""

    def __init__(self, bench: Bench) -> None:
        folder = Path(tempfile.mkdtemp(dir=bench.scratch))
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "setuptools", "wheel"], check=True, capture_output=True)
        subprocess.run([*pip, "--no-build-isolation", "ck==2.6.4"], check=True, capture_output=True)
        self.command = [str(folder / "bin/ck")]
        found = next(folder.glob("lib/python3*/site-packages/ck/repo/.cm/alias-a-test"))
        self.module_uid = found.read_text().strip()

    def add_repository(self, folder: Path, environment: dict[str, str]) -> None:
        """Make a repository known to it."""
        command = [*self.command, "add", f"repo:{folder.name}", f"--path={folder}", "--quiet"]
        subprocess.run(command, env=environment, check=True, capture_output=True)


def make_entries(root: Path, count: int, module_uid: str = "") -> None:
    """A repository of `count` entries of the module `test` (one that stock CK knows), each with ten tags; one in a thousand has
    the tag that is searched for."""
    module = root / "big" / "test"
    (module / ".cm").mkdir(parents=True)
    (root / "big" / ".cm").mkdir()
    if module_uid:
        (root / "big" / ".cm" / "alias-a-test").write_text(module_uid)
        (root / "big" / ".cm" / f"alias-u-{module_uid}").write_text("test")
    description = {"data_alias": "big", "data_uid": "00000000000000bb", "data_uoa": "big", "dict": {}}
    (root / "big" / ".ckr.json").write_text(json.dumps(description))
    for number in range(count):
        folder = module / f"{number:016x}" / ".cm"
        folder.mkdir(parents=True)
        tags = [f"t{number % size}-{size}" for size in (2, 3, 5, 7, 11, 13, 17, 19, 23)] + [f"thousandth-{number % 1000}"]
        (folder / "meta.json").write_text(json.dumps({"tags": tags}))


def make_packages(root: Path, count: int) -> None:
    """A stranger's repository of `count` packages, half of which cannot be read: cut off, of a wrong type, or without a UID."""
    module = root / "strange" / "package"
    (module / ".cm").mkdir(parents=True)
    description = {"data_alias": "strange", "data_uid": "00000000000000cc", "data_uoa": "strange", "dict": {}}
    (root / "strange" / ".ckr.json").write_text(json.dumps(description))
    for number in range(count):
        folder, uid, kind = module / f"p{number}" / ".cm", f"{number + 1:016x}", number % 6
        folder.mkdir(parents=True)
        tags = ["lib", "python-package" if number % 4 else "model", f"word{number % 97}", f"thing{number}"]
        text = json.dumps({"tags": 5 if kind == 3 else tags, "customize": {"version": "1"}, "process_script": "install"})
        (folder / "meta.json").write_text(text[:40] if kind == 1 else text)
        if kind != 5:
            (module / ".cm" / f"alias-a-p{number}").write_text(uid)
            (module / ".cm" / f"alias-u-{uid}").write_text(f"p{number}")


def entry_rows(bench: Bench) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`."""
    times = 3 if bench.quick else 15

    def home(count: int) -> dict[str, str]:
        """The environment of a repository of so many entries."""
        folder = bench.scratch / f"entries-{count}"
        if not folder.exists():
            make_entries(folder, count)
        return bench.environment | {"CK_REPOS": str(folder)}

    def version() -> tuple[str, str]:
        """`ck version` compared with an interpreter that does nothing."""
        ours, bare = bench.walls(
            ([*bench.command, "version"], bench.environment), ([sys.executable, "-c", "pass"], bench.environment), times=times
        )
        return f"{ours:.3f} s (Python alone {bare:.3f} s)", f"at most 0.08 s: {'met' if ours <= 0.08 else 'MISSED'}"

    def search(count: int) -> Callable[[], tuple[str, str]]:
        """Our search of `count` entries compared with stock CK's of 10,000, in turns; that took 0.16 s on another machine."""

        def measure() -> tuple[str, str]:
            commands = [([*bench.command, *_SEARCH], home(count))]
            if sys.version_info < (3, 12):
                stock, folder = StockCk(bench), bench.scratch / f"stock-{count}"
                make_entries(folder, 10_000, stock.module_uid)
                environment = bench.environment | {"CK_REPOS": str(folder)}
                stock.add_repository(folder / "big", environment)
                commands.append(([*stock.command, *_SEARCH], environment))
            ours, *theirs = bench.walls(*commands, times=times)
            if not theirs:
                return f"{ours:.3f} s", "at most 0.16 s on the machine of that figure"
            ratio = ours / theirs[0]
            verdict = "met" if ratio <= 1 else "MISSED"
            return f"{ours:.3f} s over stock CK's {theirs[0]:.3f} s = {ratio:.2f}", f"at most 1.00: {verdict}"

        return measure

    def listed() -> tuple[str, str]:
        """`ck ls` of 10,000 entries, and the completion of a name among them."""
        environment = home(10_000)
        words = ["_complete", "ck load test:00000000000001"]
        commands = (([*bench.command, *each], environment) for each in (["ls", "test"], words))
        names, completed = bench.walls(*commands, times=times)
        text = f"{names:.3f} s; completion {completed:.3f} s"
        return text, f"completion at most 0.1 s: {'met' if completed <= 0.1 else 'MISSED'}"

    def growth() -> tuple[str, str]:
        """The search in repositories of growing size."""
        sizes = _GROWTH[:3] if bench.quick else _GROWTH
        seconds = bench.walls(*(([*bench.command, *_SEARCH], home(count)) for count in sizes), times=times)
        return growing(sizes, seconds)

    def strange_packages() -> tuple[str, str]:
        """User CPU time of a plan with 10,000 packages of another repository, the median; their index is created before."""
        folder = bench.scratch / "strange"
        make_packages(folder, 10_000)
        command = [*bench.command, "run", "program:object-detection", "--dry-run"]
        environment = bench.environment | {"CK_REPOS": str(folder)}
        rows = []
        for _ in range(times + 1):
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise SystemExit(f"{' '.join(command)} failed")
            rows.append(usage.ru_utime)
        middle = statistics.median(rows[1:])
        return f"{middle:.2f} s of user CPU", f"at most 1 s: {'met' if middle <= 1 else 'MISSED'}"

    return [
        ("ck version", version),
        ("ck search, 10,000 entries", search(10_000)),
        ("ck search, 100,000 entries", search(100_000)),
        ("ck search, growth", growth),
        ("ck ls, 10,000 entries", listed),
        ("ck run --dry-run, 10,000 strange packages", strange_packages),
    ]


def growing(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[str, str]:
    """The text and the verdict of times for sizes that are ten times the one before."""
    text = ", ".join(f"{size:,}: {value:.2f} s" for size, value in zip(sizes, seconds, strict=True))
    met = seconds[-1] <= _TIMES_AS_LONG * seconds[-2]
    return text, f"at most {_TIMES_AS_LONG} times as long for the last as for the one before: {'met' if met else 'MISSED'}"
