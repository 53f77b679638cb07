"""Where CK keeps its things: CK_REPOS for repositories, CK_TOOLS for what packages install."""

from __future__ import annotations

import os
from pathlib import Path


def repos_root() -> Path:
    """The folder of repositories: CK_REPOS, or ~/CK."""
    return Path(os.environ.get("CK_REPOS") or "~/CK").expanduser().absolute()


def tools_root() -> Path:
    """The folder of installed things: CK_TOOLS, or ~/CK-TOOLS."""
    return Path(os.environ.get("CK_TOOLS") or "~/CK-TOOLS").expanduser().absolute()


def default_repository_root() -> Path:
    """The components that come with this package: in the wheel beside the code, in a checkout the checkout itself."""
    inside = Path(__file__).resolve().parents[1] / "default_repository"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2]


def is_ours(path: Path) -> bool:
    """Whether a path is of the components that come with this package; what is of another repository does not run unasked."""
    return path.resolve().is_relative_to(default_repository_root().resolve())
