"""Truncate accuracy logs for submission: keep both ends, and write the hash of the complete log into accuracy.txt."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import ConflictError, UsageError
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.round import Round
from ck_repo.rounds.submission import find_results
from ck_repo.store.atomic import storage_errors, write_bytes, write_text
from ck_repo.store.digest import of_file
from ck_repo.store.plain_file import A_FOLDER, A_LINK, MISSING, flaw, names, opened, shown, walk

LOG, TEXT = "mlperf_log_accuracy.json", "accuracy.txt"


@dataclass(frozen=True)
class Truncated:
    """A truncated log; sizes in bytes."""

    path: Path
    before: int
    after: int
    sha256: str


def truncate_log(round_: Round, folder: Path) -> Truncated | None:
    """Truncate the accuracy log of a folder if it exceeds the limit; the hash is written first, so that it is never lost.

    Smaller logs also get their hash, if accuracy.txt has none.

    Parameters
    ----------
    folder
        Has the accuracy log and accuracy.txt.

    Returns
    -------
    Truncated or None
        None if the log is within the limit.
    """
    rules, path = round_.submission, folder / LOG
    size, digest = path.stat().st_size, of_file(path)
    with open(path, "rb") as file:
        whole = rules.gap not in file.read(2 * rules.keep_bytes)
    text = read_text(folder / TEXT).rstrip("\n") if (folder / TEXT).exists() else ""
    if whole and f"hash={digest}" not in text:
        lines = [line for line in text.splitlines() if not line.startswith("hash=")]
        write_text(folder / TEXT, "\n".join([*lines, f"hash={digest}"]) + "\n")
    if size <= rules.accuracy_log_bytes:
        return None
    with open(path, "rb") as file:
        head = file.read(rules.keep_bytes)
        file.seek(-rules.keep_bytes, os.SEEK_END)
        tail = file.read()
    write_bytes(path, head + rules.gap + tail)
    return Truncated(path, size, path.stat().st_size, digest)


def truncate_tree(round_: Round, path: Path, *, output: Path | None = None, backup: Path | None = None) -> list[Truncated]:
    """Truncate every accuracy log of a tree, including those of the compliance tests.

    Parameters
    ----------
    output
        Copy the tree there, and truncate the copy.
    backup
        Keep the complete logs there, under their paths in the tree, and truncate in place.

    Raises
    ------
    ConflictError
        If `output` exists, or `backup` already has a log.
    UsageError
        If `output` is inside the tree.
    """
    root = Path(os.path.realpath(path.expanduser()))
    if output is not None:
        if Path(os.path.realpath(output)).is_relative_to(root):
            raise UsageError(f"{output} is inside the tree to copy", hint="choose a folder outside it with --output=")
        if output.exists():
            raise ConflictError(f"{output} already exists", hint="choose another folder with --output=")
        with storage_errors(f"copying to {output}"):
            _copy_tree(root, output)
        root = Path(os.path.realpath(output))
    logs = _logs(root)
    if backup is not None:
        _keep(root, [log for log in logs if log.stat().st_size > round_.submission.accuracy_log_bytes], backup)
    return [done for log in logs if (done := truncate_log(round_, log.parent))]


def _logs(root: Path) -> Sequence[Path]:
    """The accuracy logs inside the tree: nothing is written through links."""
    found = []
    for place in find_results(root):
        tests = names(place.root, place.compliance)
        for log in (place.accuracy / LOG, *(place.compliance / test / "accuracy" / LOG for test in tests)):
            why = flaw(place.root, log, links=False)
            if not why and (log.parent / TEXT).is_symlink():
                why = f"next to a link, {TEXT}"
            if not why:
                found.append(log)
            elif why not in (MISSING, A_FOLDER):
                progress.say(f"not truncated: {shown(log)} is {why}")
    return found


def _copy_tree(root: Path, output: Path) -> None:
    """Copy a tree: its regular files, and links that stay inside it. Other content is skipped with a message."""
    output.mkdir(parents=True)
    for row in walk(root):
        to = output / row.name
        if not row.flaw:
            with opened(root, row.name, maximum=1 << 62, links=False) as file:
                to.parent.mkdir(parents=True, exist_ok=True)
                with open(to, "wb") as copy:
                    shutil.copyfileobj(file, copy, 1 << 20)
                to.chmod(stat.S_IMODE(os.fstat(file.fileno()).st_mode) | stat.S_IWUSR)
        elif row.flaw == A_LINK and (why := flaw(root, row.name)) in ("", A_FOLDER):
            to.parent.mkdir(parents=True, exist_ok=True)
            to.symlink_to(os.readlink(root / row.name))
        else:
            reason = why if row.flaw == A_LINK else row.flaw
            progress.say(f"not copied: {shown(root / row.name)} is {reason}")


def _keep(root: Path, logs: Sequence[Path], backup: Path) -> None:
    for log in logs:
        to = backup / log.relative_to(root)
        if to.exists():
            raise ConflictError(f"{to} already exists", hint="choose another folder with --backup=")
        with storage_errors(f"keeping {log.name} in {backup}"):
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(log, to)
