"""Apply a patch without the git settings and attributes of the patched folder, which can name programs to run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ck_repo.store.git_command import PLAIN_ATTRIBUTES, run_git


def apply_patch(patch: Path, folder: Path) -> None:
    """Apply a patch to the files of a folder, completely or not at all.

    git works with an empty repository in a temporary folder. A ``.git`` in the folder is not read, and the attributes of the
    temporary repository take precedence over any ``.gitattributes`` in the folder.

    Raises
    ------
    GitError
        If the patch does not apply, or leads out of the folder.
    """
    with tempfile.TemporaryDirectory(prefix="ck-git-") as scratch:
        place = Path(scratch)
        run_git("init", "--quiet", "--template=", folder=place)
        (place / ".git" / "info").mkdir(exist_ok=True)
        (place / ".git" / "info" / "attributes").write_text(PLAIN_ATTRIBUTES, encoding="utf-8")
        where = {"GIT_DIR": str(place / ".git"), "GIT_WORK_TREE": str(folder)}
        run_git("apply", "--whitespace=nowarn", "--", str(patch), folder=folder, environment=where)
