"""Env entries of ours that stock CK can use too: with the keys that it reads, and the script that it sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.stock.variables import variables_of
from ck_repo.store.entry import Entry
from ck_repo.store.repository import Repository
from ck_repo.store.writing import create_entry

SCRIPT = "env.sh"


def with_stock_keys(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The meta of an env entry, with the keys by which stock CK finds the file, the version and the variables.

    Without `setup`, stock CK takes an entry for any operating system; what is on this machine runs on it.
    """
    file, version = str(meta.get("file", "")), str(meta.get("version", ""))
    customize = {"full_path": file, "version": version}
    return {
        **meta,
        "customize": {key: value for key, value in customize.items() if value},
        "env": dict(variables_of(meta).values),
        "env_script": SCRIPT,
    }


def write_env_entry(repository: Repository, uid: str, meta: Mapping[str, Any]) -> Entry:
    """Write an env entry under its UID; one that is there already is replaced.

    Parameters
    ----------
    meta
        What was installed or registered; the keys of stock CK are added.
    """
    lines = ["#! /bin/bash", *variables_of(meta).lines()]
    return create_entry(
        repository, "env", uid, with_stock_keys(meta), uid=uid, name=str(meta["name"]), replace=True,
        files={SCRIPT: "\n".join(lines) + "\n"},
    )  # fmt: skip
