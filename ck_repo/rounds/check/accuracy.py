"""The accuracy run of a result."""

from __future__ import annotations

from contextlib import suppress

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.check.performance import read_log
from ck_repo.rounds.logs import read_accuracy
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.submission import DETAIL
from ck_repo.store.digest import of_stream
from ck_repo.store.plain_file import UnreadableError, flaw, opened

_LARGEST = 16 << 30  # bytes of an accuracy log that was not truncated


def check_accuracy(row: Checked, rules: Rules) -> None:
    """Check the accuracy run; mAP is entered in `row`."""
    limits, folder = row.round.submission, row.place.accuracy
    for name in limits.accuracy_files:
        if name not in (DETAIL, "accuracy.txt", "mlperf_log_accuracy.json"):
            row.needs("files", folder / name)
    log = read_log(folder / DETAIL, row, "accuracy-log")
    if log:
        if log.values.get("effective_test_mode") != "AccuracyOnly":
            seen = log.values.get("effective_test_mode", "none")
            row.add("test-mode", folder / DETAIL, "AccuracyOnly", seen, log.lines.get("effective_test_mode", 0))
        images = log.number("qsl_reported_total_count")
        if row.place.division == "closed" and images is not None and images < row.round.images:
            line = log.lines.get("qsl_reported_total_count", 0)
            row.add("data-set", folder / DETAIL, f"at least {row.round.images} images", f"{images:g}", line)
        for line, text in log.errors[:1]:
            row.add("accuracy-errors", folder / DETAIL, "no event with is_error", f"{len(log.errors)}, the first: {text}", line)
    _figure(row, rules)
    path = folder / "mlperf_log_accuracy.json"
    if why := flaw(row.place.root, path):
        row.add("accuracy-log", path, "the accuracy log", why)
        return
    size = path.stat().st_size
    if size > limits.accuracy_log_bytes:
        row.add("accuracy-log-size", path, f"at most {limits.accuracy_log_bytes} bytes", f"{size} bytes")


def _figure(row: Checked, rules: Rules) -> None:
    path = row.place.accuracy / "accuracy.txt"
    try:
        found = read_accuracy(path, row.place.root)
    except UnreadableError as error:
        row.add("accuracy-figure", path, "the file", error.why)
        return
    row.mAP = found.mAP
    if found.mAP is None:
        row.add("accuracy-figure", path, "a line mAP=…%", "none")
    elif row.place.division == "closed" and found.mAP < 100 * rules.accuracy:
        row.add("accuracy", path, f"mAP of at least {100 * rules.accuracy:g} %", f"{found.mAP} %")
    if not found.sha256:
        row.add("accuracy-hash", path, "a line hash= with the SHA-256 of the whole log", "none")
        return
    log = row.place.accuracy / "mlperf_log_accuracy.json"
    with suppress(UnreadableError), opened(row.place.root, log, most=_LARGEST) as file:
        whole = row.round.submission.gap not in file.read(8192)
        file.seek(0)
        if whole and (digest := of_stream(file)) != found.sha256:
            row.add("accuracy-hash-wrong", path, f"hash={digest}", f"hash={found.sha256}")
