"""The origin of everything that a run used."""

from __future__ import annotations

import time

from ck_repo import __version__
from ck_repo.contract.record import write
from ck_repo.environment.lockfile import Lock
from ck_repo.environment.venv import Venv


def provenance(venv: Venv, lock: Lock) -> dict[str, object]:
    """Platform, venv with the version of every package, state of the repositories used, engine and time."""
    packages = {name: row.version for name, row in lock.packages.items()}
    return {
        "platform": write(lock.platform),
        "venv": {
            "name": venv.name,
            "template": venv.template,
            "python": str(lock.interpreter.get("version") or venv.version),
            "packages": packages,
        },
        "repositories": {alias: write(row) for alias, row in lock.repositories.items()},
        "engine": {"name": "ck-repo", "version": __version__},
        "recorded": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
