"""The accuracy run of a result."""

from __future__ import annotations

from contextlib import suppress

from ck_repo.contract.logs import DETAIL
from ck_repo.rounds.check.file_list import check_files
from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.check.performance import read_log
from ck_repo.rounds.logs import BOTH_MODES, MARKED, read_accuracy
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.submission_rules import REJECTED, REPORTED
from ck_repo.store.digest import of_stream
from ck_repo.store.plain_file import UnreadableError, flaw, opened

_TEXT, _LOG = "accuracy.txt", "mlperf_log_accuracy.json"
_LARGEST = 16 << 30  # bytes up to which a log without truncation is read


def check_accuracy(row: Checked, rules: Rules) -> None:
    """Check the accuracy run.

    The official checkers accept a result of the open division with any accuracy run, as long as accuracy.txt exists and they
    can read the logs.

    Parameters
    ----------
    row
        The result, which gets findings, and its mAP in percent.
    rules
        The rules of its benchmark: the minimum mAP of the closed division, and seeds.
    """
    limits, folder = row.round.submission, row.place.accuracy
    optional = limits.power.optional_files
    check_files(row, folder, limits.accuracy_files, optional=optional, unchecked=(DETAIL, _TEXT, _LOG))
    lenient = REPORTED if row.open else ""
    if not flaw(row.place.root, folder / _TEXT):
        _detail(row, lenient)
    _figure(row, rules, lenient)
    path = folder / _LOG
    if why := flaw(row.place.root, path):
        row.add("accuracy-log", path, "the accuracy log", why, official=lenient)
        return
    size = path.stat().st_size
    if size > limits.accuracy_log_bytes:
        row.add("accuracy-log-size", path, f"at most {limits.accuracy_log_bytes} bytes", f"{size} bytes", official=lenient)


def _detail(row: Checked, lenient: str) -> None:
    folder = row.place.accuracy
    log = read_log(folder, row, "accuracy-log", empty=REPORTED, broken=REJECTED, missing=lenient, figures=False)
    if not log:
        return
    path = folder / log.file
    if log.values.get("effective_test_mode") not in ("AccuracyOnly", BOTH_MODES):
        seen = log.values.get("effective_test_mode", "none")
        row.add("test-mode", path, "AccuracyOnly", seen, log.lines.get("effective_test_mode", 0))
    images = log.number("qsl_reported_total_count")
    if not row.open and images is not None and images < row.round.images:
        line = log.lines.get("qsl_reported_total_count", 0)
        row.add("data-set", path, f"at least {row.round.images} images", f"{images:g}", line)
    for line, text in log.errors[:1]:
        seen = f"{len(log.errors)}, the first: {text}"
        row.add("accuracy-errors", folder / DETAIL, "no event with is_error", seen, line, official=lenient)


def _figure(row: Checked, rules: Rules, lenient: str) -> None:
    path = row.place.accuracy / _TEXT
    try:
        found = read_accuracy(path, row.place.root)
    except UnreadableError as error:
        row.add("accuracy-figure", path, "the file", error.why)
        return
    row.mAP, row.accuracy = found.mAP, found.text
    none = f"none: {found.flaw}" if found.flaw == MARKED else "none"
    if found.flaw and found.flaw != MARKED:
        row.add("accuracy-figure", path, "UTF-8", found.flaw)
    if found.text and found.mAP is None:
        row.add("accuracy-figure", path, "a number as mAP=", found.text)
    elif found.mAP is None:
        row.add("accuracy-figure", path, "a line mAP=…%", none, official=lenient)
    elif not row.open and found.mAP < 100 * rules.accuracy:
        row.add("accuracy", path, f"mAP of at least {100 * rules.accuracy:g} %", f"{found.mAP} %")
    if not found.hash:
        row.add("accuracy-hash", path, "a line hash= with the SHA-256 of the complete log", none, official=lenient)
    elif not found.sha256:
        row.add("accuracy-hash", path, "a line hash= with a SHA-256", found.hash, official=REPORTED)
    else:
        _compare_hash(row, found.sha256)


def _compare_hash(row: Checked, sha256: str) -> None:
    """Check that an accuracy log that was not truncated has the hash in accuracy.txt."""
    log = row.place.accuracy / _LOG
    with suppress(UnreadableError), opened(row.place.root, log, maximum=_LARGEST) as file:
        complete = row.round.submission.gap not in file.read(8192)
        file.seek(0)
        if complete and (digest := of_stream(file)) != sha256:
            row.add("accuracy-hash-wrong", row.place.accuracy / _TEXT, f"hash={digest}", f"hash={sha256}")
