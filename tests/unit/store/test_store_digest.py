"""An entry's digest tells its content, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ck_repo.store import digest, writing
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories


def test_the_order_of_keys_does_not_count() -> None:
    assert digest.of_value({"a": 1, "b": [2]}) == digest.of_value({"b": [2], "a": 1})
    assert digest.of_value({"a": 1}) != digest.of_value({"a": 2})


def test_a_file_s_digest_is_the_public_one(tmp_path: Path) -> None:
    content = bytes(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert digest.of_file(tmp_path / "a") == sha256(content).hexdigest()


def test_a_copy_has_the_same_digest(add: Callable[..., Entry]) -> None:
    entry = add("a", "x")
    (entry.path / "file").write_text("content")
    copy = writing.copy_entry(entry, Repositories().writable(), "dataset", "b")
    assert digest.of_entry(copy) == digest.of_entry(entry)


def test_a_file_s_content_and_its_name_count(add: Callable[..., Entry]) -> None:
    entry = add("a", "x")
    seen = {digest.of_entry(entry)}
    for name, content in (("a", "1"), ("a", "2"), ("b", "2")):
        (entry.path / name).write_text(content)
        seen.add(digest.of_entry(entry))
    assert len(seen) == 4


def test_who_wrote_it_and_compiled_files_do_not_count(add: Callable[..., Entry]) -> None:
    entry = add("a", "x")
    before = digest.of_entry(entry)
    (entry.path / ".cm" / "info.json").write_text("{}")
    (entry.path / "__pycache__").mkdir()
    (entry.path / "__pycache__" / "a.pyc").write_text("x")
    assert digest.of_entry(entry) == before
