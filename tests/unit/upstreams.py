"""Remote git repositories for tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


class Upstream:
    """A remote git repository to clone."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, str(path)

    def git(self, *words: str) -> str:
        """Run git in it with a user name."""
        command = ["git", "-c", "user.name=Somebody", "-c", "user.email=some@body.example", *words]
        return subprocess.run(command, cwd=self.path, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, name: str, content: str = "") -> str:
        """Commit a file; return the commit."""
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", name)
        return self.git("rev-parse", "--short=12", "HEAD")


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Upstream]:
    """Create a git repository with a .ckr.json, without the user's own git settings."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def run(name: str, *needs: tuple[str, str], description: bool = True) -> Upstream:
        row = Upstream(tmp_path / "elsewhere" / name)
        row.path.mkdir(parents=True)
        row.git("init", "--quiet", "-b", "main")
        uid = name.encode().hex()[:16].ljust(16, "0")
        deps = [{"repo_uoa": alias, "repo_url": url} for alias, url in needs]
        content = {"data_alias": name, "data_uid": uid, "data_uoa": name, "dict": {"repo_deps": deps}}
        row.commit(".ckr.json" if description else "README", json.dumps(content))
        return row

    return run
