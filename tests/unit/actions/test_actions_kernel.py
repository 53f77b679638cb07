"""Actions without a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`


def test_ls_lists_modules_with_entries(ck: Ck) -> None:
    ck("add", "repo:mine")
    ck("add", "mine:dataset:a")
    assert "dataset" in ck("ls").out.split()
    assert ck("ls", "--repo_uoa=mine").out == "dataset\n"


def test_ls_of_missing_repository_is_an_error(ck: Ck) -> None:
    done = ck("ls", "--repo_uoa=mlperf-object-detectio")
    assert done.code == 16
    assert "did you mean mlperf-object-detection?" in done.err


@pytest.mark.parametrize(("tags", "found"), [("x", ["dataset:a", "datafile:b"]), ("x,-y", ["datafile:b"]), ("x,z", [])])
def test_search_covers_every_module(ck: Ck, tags: str, found: list[str]) -> None:
    ck("add", "dataset:a", "--tags=x,y")
    ck("add", "datafile:b", "--tags=x")
    assert sorted(ck("search", f"--tags={tags}").out.split()) == sorted(found)
