"""The points of experiments that stock CK recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.experiments.points import read_points

Ck = Callable[..., Any]  # the fixture `ck`
ONE, TWO = "0a1b2c3d4e5f6071", "f0e1d2c3b4a59687"


@pytest.fixture
def folder(ck: Ck) -> Path:
    """An experiment entry with two points, one measured twice."""
    path = Path(ck("add", "experiment:stock", "--out=json").json["path"])
    for name in (f"ckp-{TWO}.0001.json", f"ckp-{TWO}.0002.json", f"ckp-{TWO}.flat.json", f"ckp-{ONE}.features.json", "ckp-no"):
        (path / name).write_text("{}")
    return path


def test_points_and_their_repetitions(folder: Path) -> None:
    found = read_points(folder)
    assert found.points == (ONE, TWO)
    assert found.subpoints == {ONE: (), TWO: ("0001", "0002")}


def test_list_points(ck: Ck, folder: Path) -> None:
    answer = ck("list_points", "experiment:stock", "--out=json").json
    assert (answer["points"], answer["points_count"], answer["path"]) == ([ONE, TWO], 2, str(folder))
    assert ck("list_points", "experiment:stock", f"--point={TWO}").out == f"{TWO}-0001\n{TWO}-0002\n"
    assert ck("list_points", "experiment:stock", "--point=f0e1").code == 16
