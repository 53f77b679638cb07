"""The same Python code with stock CK 2.6.4 and with this package, one import changed: the answers are equal.

Stock CK needs Python 3.11 or older, and is installed into its own venv.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ck_repo.machine.interpreter import interpreters

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stock_python")]
_OURS, _STOCK = "import ck_repo as ck", "import ck.kernel as ck"
# run by both: reads dictionaries from stdin, one after another, and prints the answers
_PROGRAM = """
import json, sys
{line}
print(json.dumps([ck.access(i) for i in json.load(sys.stdin)], default=str))
"""
_ROW = ("data_uoa", "data_uid", "module_uoa", "module_uid", "repo_uoa", "repo_uid", "path")
_PLACE = (*_ROW, "data_alias", "module_alias", "repo_alias", "path_module", "path_repo")
_NAMED = ("return", "data_uoa", "data_alias", "module_uoa", "repo_uoa", "dict", "data_name", "path")

_MAKE: list[dict[str, Any]] = [
    {"action": "add", "module_uoa": "repo", "data_uoa": "birds", "quiet": "yes"},
    {"action": "add", "repo_uoa": "birds", "module_uoa": "dataset", "data_uoa": "gulls", "tags": "sea,sky",
     "dict": {"count": 3, "by": {"year": {"2020": 1}}}, "data_name": "Gulls at the pier"},
    {"action": "add", "repo_uoa": "birds", "module_uoa": "dataset", "data_uoa": "owls", "tags": "sky,night", "dict": {}},
    {"action": "add", "repo_uoa": "birds", "module_uoa": "dataset", "tags": "night", "dict": {"count": 5}},
    {"action": "add", "repo_uoa": "birds", "module_uoa": "soft", "data_uoa": "tool.hammer", "tags": "tool",
     "dict": {"soft_name": "Hammer"}},
]  # fmt: skip
_DATASET = {"repo_uoa": "birds", "module_uoa": "dataset"}
_LISTS = [
    {"action": "search", **_DATASET},
    {"action": "search", **_DATASET, "tags": "sky"},
    {"action": "search", **_DATASET, "tags": "sky,night"},
    {"action": "search", **_DATASET, "tags": "none"},
    {"action": "search", "module_uoa": "dataset", "tags": "night", "add_meta": "yes", "add_info": "yes"},
    {"action": "list", "module_uoa": "dataset", "repo_uoa": "birds", "data_uoa": "*ull*"},
    {"action": "list", **_DATASET, "data_uoa": "gulls", "add_info": "yes"},
    {"action": "ls", "repo_uoa": "birds", "module_uoa": "s*"},
]
_ONES = [
    {"action": "load", **_DATASET, "data_uoa": "gulls"},
    {"action": "load", "cid": "birds:dataset:owls"},
    {"action": "load", "cid": "dataset", "data_uoa": "gulls"},
    {"action": "load", "repo_uoa": "birds", "module_uoa": "soft", "data_uoa": "tool.hammer"},
    {"action": "info", **_DATASET, "data_uoa": "owls"},
    {"action": "find", **_DATASET, "data_uoa": "gulls"},
    {"action": "find", **_DATASET, "tags": "sea"},
]
_MISSING = [
    {"action": "load", **_DATASET, "data_uoa": "gull"},
    {"action": "find", **_DATASET, "data_uoa": "gull"},
]
_WRITES: list[dict[str, Any]] = [
    {"action": "add", **_DATASET, "data_uoa": "terns", "tags": "sea", "dict": {"n": 1}, "data_name": "Terns"},
    {"action": "update", **_DATASET, "data_uoa": "terns", "dict": {"m": {"x": [1]}}, "tags": "sky"},
    {"action": "update", **_DATASET, "data_uoa": "terns", "dict": {"m": {"y": 2}}},
    {"action": "update", **_DATASET, "data_uoa": "terns", "dict": {"only": 1}, "substitute": "yes"},
    {"action": "cp", **_DATASET, "data_uoa": "terns", "new_data_uoa": "skuas", "new_repo_uoa": "birds"},
    {"action": "mv", **_DATASET, "data_uoa": "skuas", "new_data_uoa": "auks", "new_repo_uoa": "local"},
]  # fmt: skip
_AFTER = [
    {"action": "ren", "repo_uoa": "local", "module_uoa": "dataset", "data_uoa": "auks", "new_data_uoa": "puffins"},
    {"action": "rm", **_DATASET, "data_uoa": "terns", "force": "yes"},
]


class Side:
    """Stock CK or ours, with its own CK folders."""

    def __init__(self, python: Path, line: str, home: Path) -> None:
        self.python, self.line, self.home = python, line, home
        home.mkdir()

    def answers(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Its answer; paths are relative to its folder of repositories."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CK_")}
        environment |= {"CK_REPOS": str(self.home), "CK_TOOLS": f"{self.home}-tools", "HOME": str(self.home)}
        if self.line == _STOCK:
            environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [self.python, "-c", _PROGRAM.format(line=self.line)], env=environment, input=json.dumps(inputs),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        text = done.stdout.strip().splitlines()[-1]
        return list(json.loads(text.replace(str(self.home), "CK")))


@pytest.fixture(scope="module")
def stock_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has stock CK."""
    found = next((row for row in interpreters() if (3, 8) <= tuple(map(int, row.version.split(".")[:2])) <= (3, 11)), None)
    if found is None:
        pytest.skip("stock CK 2.6.4 needs Python 3.11 or older, and none is here")
    folder = tmp_path_factory.mktemp("stock") / "v"
    subprocess.run([found.path, "-m", "venv", folder], check=True)
    done = subprocess.run([folder / "bin/pip", "install", "--quiet", "ck==2.6.4"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"ck==2.6.4 cannot be installed: {done.stderr[-500:]}")
    return folder / "bin/python"


@pytest.fixture(scope="module")
def sides(stock_python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Side, Side]:
    """Stock CK and ours, with the same repository, created by stock."""
    home = tmp_path_factory.mktemp("sides")
    stock = Side(stock_python, _STOCK, home / "stock")
    assert [row["return"] for row in stock.answers(_MAKE)] == [0] * len(_MAKE)
    ours = Side(Path(sys.executable), _OURS, home / "ours")
    shutil.copytree(stock.home / "birds", ours.home / "birds")
    return stock, ours


def of(keys: tuple[str, ...], answer: dict[str, Any]) -> dict[str, Any]:
    return {key: answer.get(key) for key in keys}


def rows(answer: dict[str, Any], *more: str) -> list[dict[str, Any]]:
    return sorted((of((*_ROW, *more), row) for row in answer["lst"]), key=lambda row: (row["module_uoa"], row["data_uid"]))


def test_lists_are_equal(sides: tuple[Side, Side]) -> None:
    stock, ours = (side.answers(_LISTS) for side in sides)
    for i, theirs, mine in zip(_LISTS, stock, ours, strict=True):
        assert theirs["return"] == mine["return"] == 0, i
        assert rows(mine, "meta", "info") == rows(theirs, "meta", "info"), i
    assert [len(answer["lst"]) for answer in ours] == [3, 2, 1, 0, 2, 1, 1, 1]


def test_entries_are_equal(sides: tuple[Side, Side]) -> None:
    stock, ours = (side.answers(_ONES) for side in sides)
    for i, theirs, mine in zip(_ONES, stock, ours, strict=True):
        keys = (
            ("return", *_PLACE, "dict", "info", "data_name")
            if i["action"] != "find"
            else ("return", *_ROW, "number_of_entries")
        )
        assert of(keys, mine) == of(keys, theirs), i


def test_missing_entry_has_stock_return_code(sides: tuple[Side, Side]) -> None:
    stock, ours = (side.answers(_MISSING) for side in sides)
    assert [row["return"] for row in ours] == [row["return"] for row in stock] == [16, 16]
    assert all(row["error"] for row in ours)


def test_writes_leave_the_same_files(sides: tuple[Side, Side]) -> None:
    stock, ours = (side.answers(_WRITES) for side in sides)
    for i, theirs, mine in zip(_WRITES, stock, ours, strict=True):
        found = [of(_NAMED, answer) for answer in (theirs, mine)]
        for row in found:  # stock adds the name of the module as a tag to a data set
            row["dict"]["tags"] = [tag for tag in row["dict"].get("tags", []) if tag != "dataset"]
        assert found[0] == found[1], i
    assert [[row["return"] for row in side.answers(_AFTER)] for side in sides] == [[0, 0], [0, 0]]
    left = [side.answers([{"action": "list", "module_uoa": "dataset"}])[0]["lst"] for side in sides]
    named = [sorted((row["repo_uoa"], row["data_uoa"]) for row in found if len(row["data_uoa"]) != 16) for found in left]
    assert named[0] == named[1] == [("birds", "gulls"), ("birds", "owls"), ("local", "puffins")]
