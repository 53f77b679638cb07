"""Shared fixtures: a stock repository, the local server, and commands for packages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from servers import server as server
from stock_repositories import stock as stock
from unit.upstreams import upstream as upstream

from ck_repo.contract.record import write
from ck_repo.install.installer import Installer
from ck_repo.machine.survey import survey
from ck_repo.resolve.plan import Choice
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session


class User:
    """A user with the stock repository registered."""

    def plan(self, tags: str) -> Choice:
        """The plan of `ck install package --tags=… --dry-run`."""
        return Resolver(survey(Session())).resolve(tags)

    def install(self, tags: str, *, trust: bool = False) -> dict[str, Any]:
        """Like `ck install package --tags=…`; returns the env meta."""
        return write(Installer(Session(trust=trust), Path(sys.executable)).install({"it": self.plan(tags)})["it"])


@pytest.fixture
def user() -> User:
    return User()
