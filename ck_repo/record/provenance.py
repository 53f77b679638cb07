"""Where everything that took part in a run is from."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ck_repo import __version__
from ck_repo.record.platform import describe_platform
from ck_repo.store.git import state_of
from ck_repo.store.repositories import Repositories
from ck_repo.venv.environment import Venv


def provenance(repositories: Repositories, venv: Venv, used: Iterable[str]) -> dict[str, Any]:
    """Platform, venv with every package's version, state of the repositories used, engine and time."""
    states = {
        row.alias: {"uid": row.uid, "url": row.url, **state_of(row.path)}
        for row in repositories.all()
        if row.alias in set(used)
    }
    fresh = Venv(venv.name, venv.entry, venv.folder, venv.template, venv.version)  # what it holds now, after installing
    return {
        "platform": describe_platform(),
        "venv": {"name": venv.name, "template": venv.template, "python": venv.version, "packages": fresh.packages},
        "repositories": states,
        "engine": {"name": "ck-repo", "version": __version__},
        "recorded": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
