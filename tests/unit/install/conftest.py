"""Shared fixtures: the local server, and a repository with installable packages."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from servers import server as server
from unit.upstreams import upstream as upstream

from ck_repo.install.installer import Installer
from ck_repo.machine.survey import survey
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.installed import described
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


class Shelf:
    """The `local` repository, and commands for its packages."""

    def __init__(self) -> None:
        self.repositories = Repositories()

    def package(self, alias: str, *steps: dict[str, Any], files: Mapping[str, str | bytes] | None = None, **meta: Any) -> Entry:
        """A package with these steps and files, tagged with its alias."""
        content = {"tags": [alias], "install": list(steps), **meta}
        entry = create_entry(self.repositories.writable(), "package", alias, content)
        for name, text in (files or {}).items():
            (entry.path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return entry

    def install(self, alias: str, *, trust: bool = True, python: Path | None = Path(sys.executable)) -> dict[str, Any]:
        """Like `ck install package:ALIAS`; returns the env meta."""
        choice = Resolver(survey(Session(self.repositories))).resolve(alias)
        return described(Installer(Session(self.repositories, trust=trust), python).install({alias: choice})[alias])


@pytest.fixture
def shelf() -> Shelf:
    """An empty repository."""
    return Shelf()
