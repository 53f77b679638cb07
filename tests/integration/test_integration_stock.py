"""A stock pip recipe installs into its own venv, from a local index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.package_index import Index
from integration.package_index import index as index
from stock_repositories import PIP, StockRepository
from stock_repositories import stock as stock

from ck_repo.environment.lockfile import LockedPackage
from ck_repo.machine.python_packages import python_packages

Ck = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(("asked", "version"), [("theirs", "2.0"), ("theirs,1.6.0", "1.6.0")])
def test_stock_pip_recipe_installs_into_venv(
    ck: Ck, stock: StockRepository, index: Index, lock: Callable[..., str], asked: str, version: str
) -> None:
    index.release("theirs", "1.6.0")
    index.release("theirs", "2.0")
    variations = {"latest": {"on_by_default": "yes"}, "1.6.0": {"extra_env": {"PACKAGE_VERSION": "1.6.0"}}}
    env = {"PYTHON_PACKAGE_NAME": "theirs", "PIP_INSTALL_OPTIONS": "--ignore-installed"}
    deps = {"python": {"local": "yes", "tags": "compiler,python"}}
    stock.package("lib-theirs", PIP, env=env, tags="lib,theirs", deps=deps, variations=variations)
    # a complete venv: with a link to an interpreter only, the wheel would be installed next to that interpreter
    made = ck("create", "venv:one", lock(lib=LockedPackage("1.0")))
    words = ("install", "package", f"--tags=lib,{asked}", "--venv=one")
    refused = ck(*words)
    assert refused["return"] == 6
    assert "--trust" in refused["error"]
    assert ck(*words, "--trust")["return"] == 0
    assert python_packages(Path(made["python"]))["theirs"] == version
