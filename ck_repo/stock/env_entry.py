"""Write env entries that stock CK can use, too: with the keys that it reads, and the script that it sources."""

from __future__ import annotations

from ck_repo.contract.record import write
from ck_repo.stock.variables import installed_variables
from ck_repo.store.entry import Entry
from ck_repo.store.installed import Installed
from ck_repo.store.repository import Repository
from ck_repo.store.writing import create_entry

SCRIPT = "env.sh"


def with_stock_keys(env: Installed) -> dict[str, object]:
    """The meta of an env entry, with stock CK's keys for the file, the version and the variables.

    Without `setup`, stock CK uses an entry for any operating system, which is correct on this machine.
    """
    customize = {"full_path": env.file, "version": env.version}
    return {
        **write(env),
        "customize": {key: value for key, value in customize.items() if value},
        "env": dict(installed_variables(env).values),
        "env_script": SCRIPT,
    }


def write_env_entry(repository: Repository, uid: str, env: Installed) -> Entry:
    """Write an env entry under its UID; an existing one is replaced.

    Parameters
    ----------
    env
        The entry; stock CK's keys are added.
    """
    lines = ["#! /bin/bash", *installed_variables(env).lines()]
    return create_entry(
        repository, "env", uid, with_stock_keys(env), uid=uid, name=env.name, replace=True,
        files={SCRIPT: "\n".join(lines) + "\n"},
    )  # fmt: skip
