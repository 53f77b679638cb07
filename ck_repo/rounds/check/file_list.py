"""Compare the files of a folder with the required and allowed ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.submission_rules import REPORTED
from ck_repo.store.plain_file import flaw, is_folder, names

_LARGE = 16 << 30  # bytes up to which other logs are accepted


def check_files(
    row: Checked, folder: Path, wanted: Sequence[str], *, optional: Sequence[str] = (), unchecked: Sequence[str] = ()
) -> None:
    """Report missing and unexpected files of a folder.

    Parameters
    ----------
    optional
        Allowed files.
    unchecked
        Files of other checks.
    """
    for name in wanted:
        if name not in unchecked:
            row.needs("files", folder / name)
    for name in extra_files(row, folder, (*wanted, *optional, *unchecked)):
        row.add("files-extra", folder / name, "only files of the round's list", "another file")


def extra_files(row: Checked, folder: Path, known: Sequence[str]) -> list[str]:
    """The unexpected files of a folder."""
    root = row.place.root
    return [name for name in names(root, folder) if name not in known and not is_folder(root, folder / name)]


def check_power_files(row: Checked, folder: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> bool:
    """Compare the folder of a power measurement with the round's list of files.

    Parameters
    ----------
    row
        The result, which gets a finding for each difference.
    wanted
        Names of required files.
    optional
        Names of other files that may exist.

    Returns
    -------
    bool
        Whether there is no difference.
    """
    if not is_folder(row.place.root, folder):
        row.add("power", folder, "the folder", "no such folder")
        return False
    # the official checkers only compare the lists if neither is empty
    empty = not extra_files(row, folder, ())
    official = REPORTED if empty else ""
    complete = True
    for name in wanted:
        if why := flaw(row.place.root, folder / name, maximum=_LARGE):
            row.add("power", folder / name, "the file", why, official=official)
            complete = False
    for name in extra_files(row, folder, (*wanted, *optional)):
        row.add("power", folder / name, "only files of the round's list", "another file", official=official)
        complete = False
    return complete
