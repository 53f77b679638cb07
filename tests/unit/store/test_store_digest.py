"""An entry's digest depends on its content only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.errors import ConfigError
from ck_repo.store import digest, writing
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories


def test_key_order_does_not_matter() -> None:
    assert digest.of_value({"a": 1, "b": [2]}) == digest.of_value({"b": [2], "a": 1})
    assert digest.of_value({"a": 1}) != digest.of_value({"a": 2})


def test_copies_have_the_same_digest(add: Callable[..., Entry]) -> None:
    entry = add("a", "x")
    (entry.path / "file").write_text("content")
    copy = writing.copy_entry(entry, Repositories().writable(), "dataset", "b")
    (copy.path / "__pycache__").mkdir()
    (copy.path / "__pycache__" / "a.pyc").write_text("x")
    assert digest.of_entry(copy) == digest.of_entry(entry)


def test_file_content_and_name_matter(add: Callable[..., Entry]) -> None:
    entry = add("a", "x")
    seen = {digest.of_entry(entry)}
    for name, content in (("a", "1"), ("a", "2"), ("b", "2")):
        (entry.path / name).write_text(content)
        seen.add(digest.of_entry(entry))
    assert len(seen) == 4


def test_unnameable_file_is_rejected(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        digest.of_files(tmp_path)
