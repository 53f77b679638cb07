"""`ck install package --cluster=`: machines make the parts of a package; the result equals that of one machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

ROOT = Path(__file__).parents[3]
SCRIPT = """
import argparse, json, os, pathlib
words = argparse.ArgumentParser()
words.add_argument("--output", type=pathlib.Path)
words.add_argument("--only-part", default="0/1")
words.add_argument("--made-parts", type=pathlib.Path, nargs="*")
given = words.parse_args()
index, count = map(int, given.only_part.split("/"))
failing = pathlib.Path(os.environ["PARTS_FAIL"])
if failing.exists() and failing.read_text().split()[0] in (f"{index}", "always") and not given.made_parts and count > 1:
    failing.write_text(failing.read_text().replace(f"{index}", "-"))
    raise SystemExit("this part does not work")
rows = [f"line {number}\\n" * 40000 for number in range(40)]
mine = rows[len(rows) * index // count : len(rows) * (index + 1) // count]
if given.made_parts:
    mine = [(folder / "lines.txt").read_text() for folder in given.made_parts]
(given.output / "lines.txt").write_text("".join(mine))
with open(os.environ["PARTS_LOG"], "a") as log:
    log.write(("merged" if given.made_parts else given.only_part) + "\\n")
"""
WHOLE = "".join(f"line {number}\n" * 40000 for number in range(40))
INSTALL = ("install", "package", "--tags=dataset,lines", "--trust", "--out=json")


@pytest.fixture
def lines(ck_home: Path, ck: Callable[..., Any], program: Entry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a package that a script makes, whole or in parts, and which machines of this machine's cluster can make."""
    monkeypatch.setenv("PARTS_LOG", str(ck_home / "parts.txt"))
    monkeypatch.setenv("PARTS_FAIL", str(ck_home / "failing"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CK_MACHINE", "mine")
    script = {"file": "lines.py", "arguments": ["--output", "{folder}"], "divisible": True}
    meta = {"tags": ["dataset", "lines"], "name": "Lines", "file": "lines.txt", "install": [{"script": script}]}
    entry = create_entry(Repositories().writable(), "package", "lines", meta)
    (entry.path / "lines.py").write_text(SCRIPT)
    pytest.importorskip("distributed")
    assert ck("create", "cluster").code == 0
    return ck_home / "parts.txt"


def test_a_package_of_parts_is_that_of_one_machine(ck: Callable[..., Any], lines: Path) -> None:
    whole = ck(*INSTALL)
    assert whole.code == 0, whole.err
    again = ck(*INSTALL, "--rebuild", "--cluster=local:2", "--shards=3")
    assert again.code == 0, again.err
    assert lines.read_text().split() == ["0/1", "0/3", "1/3", "2/3", "merged"]
    assert (Path(again.json["path"]) / "lines.txt").read_text() == WHOLE
    assert again.json["env"]["digest"] == whole.json["env"]["digest"]
    assert again.json["path"] == whole.json["path"]
    shards = [(row["index"], row["machine"], row["tries"]) for row in again.json["shards"]]
    assert shards == [(0, "mine", 1), (1, "mine", 1), (2, "mine", 1)]


def test_a_part_that_fails_is_made_again(ck: Callable[..., Any], lines: Path, ck_home: Path) -> None:
    (ck_home / "failing").write_text("1")
    done = ck(*INSTALL, "--cluster=local", "--shards=2")
    assert done.code == 0, done.err
    assert "mine: shard 2 of 2 failed and is repeated: lines.py failed (exit status 1): this part does not work" in done.err
    assert [row["tries"] for row in done.json["shards"]] == [1, 2]
    assert (Path(done.json["path"]) / "lines.txt").read_text() == WHOLE


def test_a_part_that_fails_again_and_again_installs_nothing(ck: Callable[..., Any], lines: Path, ck_home: Path) -> None:
    (ck_home / "failing").write_text("always")
    done = ck(*INSTALL, "--cluster=local", "--shards=2")
    assert done.code == 7
    assert "failed 3 times, the last time on mine: lines.py failed" in done.err
    assert ck("search", "env", "--tags=lines", "--out=json").json["lst"] == []


def test_damaged_pieces_are_fetched_again(ck: Callable[..., Any], lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ck_repo.campaign import package_machines

    real, given = package_machines._there, [0]

    def damaging(*words: Any) -> Any:
        found = real(*words)
        if isinstance(found, bytes):
            given[0] += 1
            return b"X" + found[1:] if given[0] == 1 else found
        return found

    monkeypatch.setattr(package_machines, "_there", damaging)
    done = ck(*INSTALL, "--cluster=local", "--shards=2")
    assert done.code == 0, done.err
    assert "lines.txt was damaged during the transfer" in done.err
    assert (Path(done.json["path"]) / "lines.txt").read_text() == WHOLE


def test_a_machine_with_other_inputs_makes_no_part(ck: Callable[..., Any], lines: Path) -> None:
    from ck_repo.campaign.remote_part import make_part

    task = {"key": "0" * 64, "of": "lines", "tags": "dataset,lines", "version": "", "added": {}, "tools": {}, "index": 0}
    answer = make_part({**task, "count": 1, "trust": True, "venv": None})
    assert "would have other inputs than lines" in str(answer["error"])
    assert not lines.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--shards=2",), "--shards= is for the machines of a cluster"),
        (("--shards=0", "--cluster=local"), "--shards=0 is not a number from 1 to 1000"),
        (("--bundle=x.zip",), "--bundle= is for the machines of a cluster"),
        (("--cluster=nowhere",), "--cluster=nowhere is not a cluster"),
    ],
)
def test_wrong_options_are_refused(ck: Callable[..., Any], lines: Path, words: tuple[str, ...], message: str) -> None:
    done = ck(*INSTALL[:-1], *words)
    assert done.code == 2
    assert message in done.err


def test_a_package_that_cannot_be_divided_is_refused(ck: Callable[..., Any], lines: Path) -> None:
    done = ck("install", "package", "--tags=framework", "--cluster=local")
    assert done.code == 2
    assert "cannot be made in parts" in done.err
