"""Programs that the engine cannot run are rejected before anything is created."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]


@pytest.mark.parametrize(
    ("alias", "meta", "ours"),
    [
        ("x", {"run_cmds": {}, "tags": ["object-detection"]}, True),
        ("object-detection-in-c", {"compile_cmds": {}, "deps": {}}, True),
        ("image-classification", {"run_deps": {}, "tags": "image-classification"}, False),
        ("detection", {"_base_entry": "x", "tags": ["program"]}, False),
    ],
)
def test_stock_program_error_names_our_equivalent(alias: str, meta: Any, ours: bool, ck: Ck) -> None:
    create_entry(Repositories().add("theirs"), "program", alias, meta)
    done = ck("run", f"program:{alias}")
    assert done.code == 7
    assert f"theirs:program:{alias} is a program for stock CK" in done.err
    assert ("`ck run program:object-detection` does object-detection" in done.err) is ours
    assert not (repos_root() / "local" / "venv").exists()


@pytest.mark.parametrize("meta", [{}, {"deps": {"weights": {"tags": "model"}}}, {"deps": []}, {"deps": "x"}])
def test_unrunnable_program_is_rejected(meta: Any, ck: Ck) -> None:
    create_entry(Repositories().writable(), "program", "mine", meta)
    done = ck("run", "program:mine")
    assert done.code in (3, 7)
    assert "deps" in done.err or "has no dependency" in done.err
    assert "Traceback" not in done.err


def test_our_program_runs_despite_same_name_elsewhere(ck: Ck) -> None:
    create_entry(Repositories().add("theirs"), "program", "object-detection", {"run_cmds": {}})
    assert ck("explain", "program:object-detection").code == 0
    assert ck("explain", "theirs:program:object-detection").code == 7
