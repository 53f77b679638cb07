"""Run git: no prompts, no hooks, no pager, and only the protocols of `git_settings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ck_repo.child import capture
from ck_repo.errors import DiskFullError, GitError, StorageError

PROTOCOLS = ("file", "git", "https", "ssh")
# content of .git/info/attributes: attributes of a repository must not change what is written, or run a filter
PLAIN_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding\n"
# git sets these for commands that it runs, such as hooks; they would redirect us to that repository
_OF_ANOTHER_REPOSITORY = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX",
})  # fmt: skip
_FULL = (b"No space left on device", b"Disk quota exceeded")  # git's messages in the locale C
_TIMEOUT = 1800  # s; cloning a large repository over a slow line takes long
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "safe.bareRepository": "explicit",
    "submodule.recurse": "false",  # a submodule has its own settings
    "fetch.recurseSubmodules": "false",
    "diff.ignoreSubmodules": "all",
    "gc.auto": "0",
}


def run_git(*words: str, folder: Path | None = None, strip: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """Run git and return its output, decoded like file names.

    git reads the settings of `folder`, which can name programs: check them first (`git_settings.check_settings`), or read the
    state through `git_state`.

    Parameters
    ----------
    environment
        Additional variables, such as GIT_DIR.

    Raises
    ------
    DiskFullError
        If git fails because the disk is full.
    GitError
        If git fails for another reason; with the end of its output.
    """
    variables = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER_REPOSITORY} | {
        "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "LC_ALL": "C",
        **(environment or {}),
    }
    verb = next((word for word in words if not word.startswith("-") and "=" not in word), "")
    command = ["git", *(word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")), *words]
    try:
        done = capture(command, variables, folder=folder, timeout=_TIMEOUT)
    except FileNotFoundError:
        raise StorageError(
            "git is not installed", hint="install git, or get the repository as a zip: `ck unzip repo`"
        ) from None
    except TimeoutError:
        raise StorageError(f"git {verb} did not end within {_TIMEOUT} s") from None
    if done.status:
        if any(sign in done.errors for sign in _FULL):
            raise DiskFullError(
                f"git {verb}: the disk is full",
                tail=os.fsdecode(done.errors)[-1500:],
                hint="free some space (`ck clean env` removes what no environment uses), then run the same command again",
            )
        raise GitError(
            f"git {verb} failed (exit status {done.status})",
            tail=os.fsdecode(done.errors)[-1500:],
            hint="check the URL, the network and the proxy" if verb in ("clone", "fetch") else "",
        )
    text = os.fsdecode(done.output)
    return text.strip() if strip else text
