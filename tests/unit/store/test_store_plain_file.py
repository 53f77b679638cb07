"""Reading files below a foreign folder: only regular files are opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ck_repo.store.plain_file import UnreadableError, flaw, is_folder, names, opened, read_plain, shown, walk, walk_opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, and a secret next to it."""
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_text("content")
    return root


def test_regular_file_is_read_by_name_or_path(folder: Path) -> None:
    assert read_plain(folder, "a/file") == read_plain(folder, folder / "a" / "file") == b"content"
    assert flaw(folder, "a/file") == ""


@pytest.mark.parametrize("target", ["file", "../a/file", "b/../file", "b/../../a/./file"])
def test_link_within_folder_is_followed(folder: Path, target: str) -> None:
    (folder / "a" / "link").symlink_to(target)
    assert read_plain(folder, "a/link") == b"content"
    assert flaw(folder, "a/link", links=False) == "a link, or behind one"


@pytest.mark.parametrize("target", ["../../beside/secret", "b/../../../beside/secret", "/etc/passwd", "chain"])
def test_link_outside_is_not_read(folder: Path, target: str) -> None:
    (folder / "a" / "chain").symlink_to("../../beside/secret")
    (folder / "a" / "link").symlink_to(target)
    with pytest.raises(UnreadableError, match="leads out"):
        read_plain(folder, "a/link")


def test_folder_linked_outside_is_empty(folder: Path) -> None:
    (folder / "out").symlink_to("../beside")
    assert names(folder, "out") == []
    assert not is_folder(folder, "out")
    assert "leads out" in flaw(folder, "out/secret")


def test_path_with_dots_does_not_escape(folder: Path) -> None:
    assert "leads out" in flaw(folder, "a/../../beside/secret")
    assert "outside" in flaw(folder, folder.parent / "beside" / "secret")


def test_irregular_files_are_named_and_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "self").symlink_to("self")
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.getcwd()
        os.chdir(folder)  # socket paths must be short
        try:
            bound.bind("socket")
        finally:
            os.chdir(here)
        seen = {name: flaw(folder, name) for name in ("pipe", "zero", "self", "one", "socket", "a", "none", "a/file/x")}
    assert seen == {
        "pipe": "a named pipe", "zero": f"a link that leads out of {folder}", "self": "a loop of links",
        "one": "a loop of links", "socket": "a socket", "a": "a folder", "none": "no such file", "a/file/x": "no such file",
    }  # fmt: skip


def test_oversized_file_is_not_read(folder: Path) -> None:
    with open(folder / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnreadableError, match="larger than 100 bytes"):
        read_plain(folder, "sparse", maximum=100)
    assert read_plain(folder, "a/file", maximum=7) == b"content"


def test_file_with_wrong_size_is_bounded() -> None:
    with pytest.raises(UnreadableError, match="larger than 10 bytes"):
        read_plain(Path("/proc/self"), "status", maximum=10)


def test_opened_file_is_the_checked_one(folder: Path) -> None:
    with opened(folder, "a/file") as file:
        os.replace(folder.parent / "beside" / "secret", folder / "a" / "file")
        assert file.read() == b"content"


def test_walk_names_irregular_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(".")
    os.mkdir(os.fsencode(folder) + b"/\xff")
    assert [(shown(row.name), row.flaw) for row in walk(folder)] == [
        ("a/file", ""), ("loop", "a link"), ("pipe", "a named pipe"), ("\\xff", "named with bytes that are not UTF-8"),
    ]  # fmt: skip


def test_walk_stops_in_very_deep_folders(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1400):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (found,) = walk(tmp_path)
    assert found.flaw == "a folder more than 64 levels deep"
    _remove(tmp_path / "d")


def _remove(path: Path) -> None:
    """Remove a tree that is too deep for recursion."""
    while path.exists():
        for below in list(path.iterdir()):
            os.rename(below, path.with_name("next"))
        path.rmdir()
        if (path.with_name("next")).exists():
            os.rename(path.with_name("next"), path)


def test_unprintable_characters_are_escaped() -> None:
    assert shown(os.fsdecode(b"a\xff\x1b[1mb")) == "a\\xff\\x1b[1mb"


def test_files_are_opened_while_their_folder_is_walked(folder: Path) -> None:
    (folder / "a" / "b" / "more").write_text("more")
    (folder / "a" / "large").write_text("12345678")
    (folder / "a" / "link").symlink_to("file")
    os.mkfifo(folder / "a" / "pipe")
    found = {row.name: (row.flaw, file.read() if file else b"") for row, file in walk_opened(folder, "a", maximum=7)}
    assert found == {
        "b/more": ("", b"more"),
        "file": ("", b"content"),
        "large": ("larger than 7 bytes", b""),
        "link": ("a link", b""),
        "pipe": ("a named pipe", b""),
    }


def test_file_removed_or_replaced_during_walk_is_named(folder: Path) -> None:
    for name in ("1", "2", "3"):
        (folder / "a" / "b" / name).write_text(name)
    found = {}
    for row, file in walk_opened(folder, folder / "a" / "b"):
        found[row.name] = row.flaw or (file.read().decode() if file else "")
        (folder / "a" / "b" / "2").unlink(missing_ok=True)
        (folder / "a" / "b" / "3").unlink()
        (folder / "a" / "b" / "3").symlink_to(folder.parent / "beside" / "secret")
    assert found["1"] == "1"
    assert found["2"] == "no such file"
    assert "secret" not in found["3"]


def test_walk_does_not_follow_links(folder: Path) -> None:
    (folder / "out").symlink_to("../beside")
    (folder / "in").symlink_to("a")
    assert list(walk_opened(folder, "out")) == list(walk_opened(folder, "in")) == list(walk_opened(folder, "none")) == []
