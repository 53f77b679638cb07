"""The other content of a tree."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ck_repo.rounds.check.finding import Finding, finding
from ck_repo.rounds.round import Round
from ck_repo.store.plain_file import A_FOLDER, A_LINK, flaw, names, walk

_FOLDERS = (
    "systems", "results", "measurements", "code", "compliance", "calibration", "calibration.md", "README.md", "LICENSE.md",
)  # fmt: skip


def stray(round_: Round, submissions: Mapping[Path, Path], systems: Collection[Path]) -> Iterable[Finding]:
    """Unknown folders of a submitter, systems without a result, and files that are not regular.

    Parameters
    ----------
    submissions
        The submitters' folders, each with the root of its tree.
    systems
        The descriptions of systems that have results.
    """
    for submission in sorted(submissions):
        root = submissions[submission]
        for name in names(root, submission):
            if name not in _FOLDERS and not name.startswith("."):
                yield finding(round_, "stray", submission / name, "a folder of the rules", name)
        for name in names(root, submission / "systems"):
            path = submission / "systems" / name
            if name.endswith(".json") and path not in systems:
                yield finding(round_, "stray", path, "a result of the system", "none")
        for row in walk(submission):
            why = flaw(root, submission / row.name) if row.flaw == A_LINK else row.flaw
            if why and why != A_FOLDER:  # a link to a folder of the tree
                yield finding(round_, "plain-files", submission / row.name, "regular files of the tree", why)
