"""The files that a folder of a tree has to have, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.submission_rules import REPORTED
from ck_repo.store.plain_file import flaw, is_folder, names

_LARGE = 16 << 30  # bytes of a log that is not read here


def check_files(
    row: Checked, folder: Path, wanted: Sequence[str], *, optional: Sequence[str] = (), unchecked: Sequence[str] = ()
) -> None:
    """Note the files that a folder lacks or has in excess.

    Parameters
    ----------
    optional
        Files that it may have.
    unchecked
        Files that another check is about.
    """
    for name in wanted:
        if name not in unchecked:
            row.needs("files", folder / name)
    for name in extra_files(row, folder, (*wanted, *optional, *unchecked)):
        row.add("files-extra", folder / name, "only the files of the round's list", "one more")


def extra_files(row: Checked, folder: Path, known: Sequence[str]) -> list[str]:
    """The files of a folder that are none of the known ones."""
    root = row.place.root
    return [name for name in names(root, folder) if name not in known and not is_folder(root, folder / name)]


def check_power_files(row: Checked, folder: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> bool:
    """Whether a folder of a power measurement has the files of the round's list and no others; notes what differs."""
    if not is_folder(row.place.root, folder):
        row.add("power", folder, "the folder", "no such folder")
        return False
    # the official checkers compare two lists only where neither is empty
    empty = not extra_files(row, folder, ())
    official = REPORTED if empty else ""
    complete = True
    for name in wanted:
        if why := flaw(row.place.root, folder / name, most=_LARGE):
            row.add("power", folder / name, "the file", why, official=official)
            complete = False
    for name in extra_files(row, folder, (*wanted, *optional)):
        row.add("power", folder / name, "only the files of the round's list", "one more", official=official)
        complete = False
    return complete
