"""The folders of CK: CK_REPOS for repositories, CK_TOOLS for what packages install."""

from __future__ import annotations

import os
from pathlib import Path

from ck_repo.errors import ConfigError


def repos_root() -> Path:
    """The folder of repositories: CK_REPOS, or ~/CK."""
    return _place("CK_REPOS", "~/CK")


def tools_root() -> Path:
    """The folder of installed packages: CK_TOOLS, or ~/CK-TOOLS."""
    return _place("CK_TOOLS", "~/CK-TOOLS")


def _place(variable: str, usual: str) -> Path:
    given = os.environ.get(variable) or ""
    try:
        return Path(given or usual).expanduser().absolute()
    except RuntimeError:  # no such user, or neither HOME nor an account
        why = f"{variable}={given} is not a home folder" if given else f"this user has no home, and {variable} is not set"
        raise ConfigError(f"there is no folder to work in: {why}", hint="set CK_REPOS and CK_TOOLS to folders") from None
    except OSError as error:
        raise ConfigError(
            f"the current folder cannot be read: {error.strerror}",
            hint="change to another folder, or set CK_REPOS and CK_TOOLS",
        ) from None


def default_repository_root() -> Path:
    """The folder of the components that come with this package: in a wheel next to the code, in a checkout its root."""
    inside = Path(__file__).resolve().parents[1] / "default_repository"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2]


def is_users(path: Path) -> bool:
    """Whether a path belongs to the repository `local`, which holds the user's own entries."""
    return path.resolve().is_relative_to((repos_root() / "local").resolve())


def is_ours(path: Path) -> bool:
    """Whether a path belongs to the components of this package. Code of other repositories does not run without consent."""
    return path.resolve().is_relative_to(default_repository_root().resolve())
