"""`ck restore` restores entries that `ck rm` removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Ck = Callable[..., Any]  # the fixture `ck`


def test_removed_entries_are_listed_and_restored(ck: Ck) -> None:
    for name in ("a", "b"):
        ck("add", f"dataset:{name}", "--tags=x")
    done = ck("rm", "dataset:a")
    assert done.out.splitlines() == ["removed dataset:a", "`ck restore dataset:a` restores it"]
    assert ck("rm", "dataset:*", "--force").code == 0
    assert [line.split()[0] for line in ck("restore", "dataset").out.splitlines()[2:]] == ["dataset:b", "dataset:a"]
    assert ck("restore", "dataset:*", "--dry-run", "--out=json").json["lst"][0]["cid"] == "dataset:b"
    assert ck("ls", "dataset").out == ""
    assert ck("restore", "dataset:*").code == 0
    assert ck("ls", "dataset").out.split() == ["a", "b"]
    assert ck("find", "dataset", "--tags=x").code == 0


def test_last_removed_entry_of_a_name_is_restored(ck: Ck) -> None:
    for value in ("first", "second"):
        ck("add", "dataset:a", f"--tags={value}")
        ck("rm", "dataset:a")
    ck("restore", "dataset:a")
    assert ck("load", "dataset:a", "--out=json").json["dict"] == {"tags": ["second"]}


def test_unkept_entries_are_reported(ck: Ck) -> None:
    ck("add", "dataset:a")
    ck("rm", "dataset:a")
    assert ck("restore", "dataset:zz").code == 16
    assert ck("clean", "env", "--bin", "--force").code == 0
    assert ck("restore", "dataset:a").code == 16
    assert ck("restore", "dataset").out == "there is no removed dataset\n"


def test_unkeepable_entry_is_deleted_with_message(ck: Ck, monkeypatch: Any) -> None:
    monkeypatch.setenv("CK_BIN_DAYS", "0")
    ck("add", "dataset:a")
    assert ck("rm", "dataset:a").out == "removed dataset:a permanently\n"
