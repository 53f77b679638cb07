"""The registration of a data set."""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alone_rows import Row
from drawn_jpeg import make_data_set
from entry_rows import growing

if TYPE_CHECKING:
    from run import Bench

_HEADERS = Path(__file__).with_name("headers.py")


def data_set_rows(bench: Bench) -> list[Row]:
    """Names of rows, and what measures each; see `alone_rows`."""
    count = 200 if bench.quick else 5_000

    def registered() -> tuple[str, str]:
        """`ck detect soft` of small images, compared with a loop over their headers, which may also compute digests."""
        folder = bench.scratch / "drawn"
        make_data_set(folder, count)
        loop = [sys.executable, str(_HEADERS), str(folder)]
        ours = [*bench.command, "detect", "soft:dataset.coco.2017.val", f"--full_path={folder / 'val2017'}", "--quiet"]
        pairs = bench.pairs(ours, loop, [*loop, "digests"])
        ratio = statistics.median(one / bare for one, bare, _ in pairs)
        seconds = [statistics.median(column) for column in zip(*pairs, strict=True)]
        text = "{:.2f} over {:.2f} s = {:.2f}; with SHA-256 the loop takes {:.2f} s".format(*seconds[:2], ratio, seconds[2])
        return text, f"at most 1.2: {'met' if ratio <= 1.2 else 'MISSED'}"

    def growth() -> tuple[str, str]:
        """`ck detect soft` of data sets of growing size."""
        sizes = (100, 1_000) if bench.quick else (100, 1_000, 10_000, 100_000)
        seconds = []
        for size in sizes:
            folder = bench.scratch / f"drawn-{size}"
            make_data_set(folder, size)
            ours = [*bench.command, "detect", "soft:dataset.coco.2017.val", f"--full_path={folder / 'val2017'}", "--quiet"]
            seconds += bench.walls((ours, bench.environment), times=1)
            shutil.rmtree(folder)
        return growing(sizes, seconds)

    return [(f"ck detect soft, {count:,} images", registered), ("ck detect soft, growth", growth)]
