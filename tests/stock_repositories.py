"""Small repositories in stock CK's format: entries with stock's keys, files and scripts."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import Repository

DOWNLOAD = "cd9ccc74060b3d18"  # UIDs of the script entries that stock repositories share
PIP = "e8363e22e84dedba"
DETECTION_MODEL = "c412930408fb8271"


class StockRepository:
    """A repository on disk, registered as `stock`."""

    def __init__(self, root: Path, alias: str = "stock") -> None:
        self.root, self.alias = root, alias
        root.mkdir(parents=True)
        description = {"data_alias": alias, "data_uid": _uid(alias), "data_uoa": alias, "dict": {"repo_deps": []}}
        (root / ".ckr.json").write_text(json.dumps(description))

    def register(self) -> Repository:
        """Like `ck add repo:stock --path=…`."""
        return Repositories().add(self.alias, self.root)

    def entry(self, module: str, alias: str, meta: Any, files: dict[str, str] | None = None) -> Path:
        """An entry; `meta` is written as JSON, or unchanged if it is text."""
        folder = self.root / module / alias
        (folder / ".cm").mkdir(parents=True, exist_ok=True)
        (folder / ".cm/meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
        links = self.root / module / ".cm"
        links.mkdir(exist_ok=True)
        (links / f"alias-a-{alias}").write_text(_uid(f"{module}:{alias}") + "\n")
        (links / f"alias-u-{_uid(f'{module}:{alias}')}").write_text(alias + "\n")
        for name, text in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    def package(
        self,
        alias: str,
        script: str = DOWNLOAD,
        *,
        tags: str = "",
        env: dict[str, Any] | None = None,
        customize: dict[str, Any] | None = None,
        files: dict[str, str] | None = None,
        **more: Any,
    ) -> Path:
        """A package with the variables `env`; an empty `script` uses its own install.sh."""
        meta = {
            "customize": {"install_env": env or {}, **(customize or {})},
            "process_script": "install",
            "soft_uoa": _uid("soft"),
            "suggested_path": alias,
            "tags": [tag for tag in (tags or alias).split(",") if tag],
            **({"use_scripts_from_another_entry": {"module_uoa": "script", "data_uoa": script}} if script else {}),
            **more,
        }
        return self.entry("package", alias, meta, files)

    def fetched(self, alias: str, url: str, name: str, **more: Any) -> Path:
        """A package that fetches one file."""
        env = {"PACKAGE_URL": url, "PACKAGE_NAME": name, "PACKAGE_WGET": "YES", "PACKAGE_SKIP_LINUX_MAKE": "YES"}
        return self.package(alias, env=env | more.pop("env", {}), **more)


def _uid(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


@pytest.fixture
def stock(tmp_path: Path) -> StockRepository:
    """A stock repository without entries, which is registered."""
    repository = StockRepository(tmp_path / "elsewhere" / "stock-repository")
    repository.register()
    return repository
