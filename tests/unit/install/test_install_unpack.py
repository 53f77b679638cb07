"""`unpack`: valid archives are unpacked completely; corrupt and malicious ones are rejected, and nothing is written outside."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from ck_repo.errors import CKError, StorageError
from ck_repo.store.unpack import ArchiveError, unpack

FILES = {"model/a.bin": bytes(range(256)) * 40, "model/deep/b.txt": b"two", "c": b""}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The folder to unpack into; escaped files appear next to it."""
    folder = tmp_path / "around" / "inside"
    folder.mkdir(parents=True)
    return folder


def zipped(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, cast("Any", mode)) as file:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def malicious(path: Path, *members: tuple[str, bytes, str]) -> Path:
    """A tar of (name, type, target) members."""
    with tarfile.open(path, "w") as file:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            file.addfile(member)
    return path


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_archive_is_unpacked_with_progress(tmp_path: Path, inside: Path, kind: str) -> None:
    archive = zipped(tmp_path / "f", FILES) if kind == "zip" else tarred(tmp_path / "f", FILES, kind)
    steps: list[tuple[int, int]] = []
    unpack(archive, inside, lambda done, total: steps.append((done, total)))
    assert held(inside) == FILES
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_link_to_inside_is_kept(tmp_path: Path, inside: Path) -> None:
    unpack(malicious(tmp_path / "f.tar", ("folder", tarfile.DIRTYPE, ""), ("folder/up", tarfile.SYMTYPE, "../folder")), inside)
    assert (inside / "folder/up").resolve() == (inside / "folder").resolve()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil-of-a-test", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_name_outside_folder_is_rejected(tmp_path: Path, inside: Path, name: str, pack: Callable[..., Path]) -> None:
    archive = pack(tmp_path / "f", {"good": b"1", name: b"evil"})
    with pytest.raises(ArchiveError, match="would be written outside the folder") as caught:
        unpack(archive, inside)
    assert repr(name) in str(caught.value)
    assert held(tmp_path / "around") == {}
    assert not Path("/tmp/evil-of-a-test").exists()


@pytest.mark.parametrize(
    "members",
    [
        [("link", tarfile.SYMTYPE, "/etc/passwd")],
        [("folder/link", tarfile.SYMTYPE, "../../beside")],
        [("link", tarfile.LNKTYPE, "../beside")],
        [("link", tarfile.LNKTYPE, "/etc/passwd")],
        [("here", tarfile.SYMTYPE, "."), ("here/up", tarfile.SYMTYPE, ".."), ("here/up/evil", tarfile.REGTYPE, "")],
        [("device", tarfile.CHRTYPE, "")],
        [("disk", tarfile.BLKTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
    ],
    ids=["link out", "link up", "hard link out", "hard link to /", "link of links", "device", "block device", "pipe"],
)
def test_outside_links_and_devices_are_rejected(tmp_path: Path, inside: Path, members: list[tuple[str, bytes, str]]) -> None:
    with pytest.raises(ArchiveError, match="is refused"):
        unpack(malicious(tmp_path / "f.tar", *members), inside)
    assert held(tmp_path / "around") == {}
    assert [path.name for path in (tmp_path / "around").iterdir()] == ["inside"]


def test_link_in_zip_is_rejected(tmp_path: Path, inside: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="'link' is a link"):
        unpack(tmp_path / "f.zip", inside)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_file_in_place_of_folder_is_reported(tmp_path: Path, inside: Path, pack: Callable[..., Path]) -> None:
    with pytest.raises(ArchiveError, match="both a file and a folder"):
        unpack(pack(tmp_path / "f", {"a": b"1", "a/b": b"2"}), inside)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["zip", "w:gz", "w:bz2", "w:xz"])
def test_truncated_archive_is_rejected(tmp_path: Path, inside: Path, kind: str, share: float) -> None:
    archive = zipped(tmp_path / "f", FILES) if kind == "zip" else tarred(tmp_path / "f", FILES, kind)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArchiveError):
        unpack(archive, inside)


@pytest.mark.parametrize("kind", ["stored", "deflated", "w:gz"])
def test_corrupt_byte_is_found_by_checksum(tmp_path: Path, inside: Path, kind: str) -> None:
    compression = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
    archive = tarred(tmp_path / "f", FILES) if kind == "w:gz" else zipped(tmp_path / "f", FILES, compression)
    content = bytearray(archive.read_bytes())
    content[len(content) // 3] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(archive, inside)


def test_encrypted_zip_is_reported(tmp_path: Path, inside: Path) -> None:
    archive = zipped(tmp_path / "f.zip", {"secret": b"1"})
    content = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the encryption flag, in the file header and in the directory
        content[content.index(mark) + place] |= 1
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack(archive, inside)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_invalid_archive_is_reported(tmp_path: Path, inside: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(ArchiveError, match="not a zip or tar archive"):
        unpack(tmp_path / "f", inside)


# links are checked on the disk


def test_long_link_chain_does_not_escape(tmp_path: Path, inside: Path) -> None:
    """As in CVE-2025-4517: a path so long that path resolution gives up, and the kernel does not."""
    members: list[tuple[str, bytes, str]] = []
    name, here = "d" * 50, ""
    for step in "abcdefghijklmnop":
        members += [(here + name, tarfile.DIRTYPE, ""), (here + step, tarfile.SYMTYPE, name)]
        here += f"{name}/"
    chain = "/".join("abcdefghijklmnop")
    members += [
        (f"{chain}/" + "l" * 254, tarfile.SYMTYPE, "../" * 16),
        ("escape", tarfile.SYMTYPE, f"{chain}/" + "l" * 254 + "/../../beside"),
        ("escape/evil", tarfile.REGTYPE, ""),
    ]
    with pytest.raises(ArchiveError, match="is refused"):
        unpack(malicious(tmp_path / "f.tar", *members), inside)
    assert [path.name for path in (tmp_path / "around").iterdir()] == ["inside"]


@pytest.mark.parametrize(
    "members",
    [
        [("a", tarfile.SYMTYPE, "b/../.."), ("b", tarfile.SYMTYPE, "c/d"), ("c/d", tarfile.DIRTYPE, "")],
        [("here", tarfile.SYMTYPE, "."), ("up", tarfile.SYMTYPE, "here/../beside")],
        [("self", tarfile.SYMTYPE, "self")],
        [("one", tarfile.SYMTYPE, "two"), ("two", tarfile.SYMTYPE, "one")],
        [("folder", tarfile.SYMTYPE, "."), ("folder/file", tarfile.REGTYPE, "")],
        [("link", tarfile.SYMTYPE, "file"), ("hard", tarfile.LNKTYPE, "link"), ("file", tarfile.REGTYPE, "")],
        [("hard", tarfile.LNKTYPE, "none")],
        [("d", tarfile.DIRTYPE, ""), ("hard", tarfile.LNKTYPE, "d")],
        [("hard", tarfile.LNKTYPE, "d/../../beside")],
        [("empty", tarfile.SYMTYPE, "")],
    ],
    ids=[
        "chain", "over here", "self", "loop", "into a link", "hard to soft", "hard to nothing", "hard to folder", "hard out",
        "empty",
    ],
)  # fmt: skip
def test_links_are_resolved_on_disk(tmp_path: Path, inside: Path, members: list[tuple[str, bytes, str]]) -> None:
    with pytest.raises(ArchiveError, match="is refused"):
        unpack(malicious(tmp_path / "f.tar", *members), inside)
    assert [path.name for path in (tmp_path / "around").iterdir()] == ["inside"]


def test_second_archive_cannot_write_through_links_of_first(tmp_path: Path, inside: Path) -> None:
    unpack(malicious(tmp_path / "1.tar", ("real", tarfile.DIRTYPE, ""), ("link", tarfile.SYMTYPE, "real")), inside)
    with pytest.raises(ArchiveError, match="'link' is a link"):
        unpack(tarred(tmp_path / "2.tar", {"link/file": b"x"}), inside)
    unpack(malicious(tmp_path / "3.tar", ("dangling", tarfile.SYMTYPE, "later/../b")), inside)
    with pytest.raises(ArchiveError, match="leads out"):
        unpack(malicious(tmp_path / "4.tar", ("later", tarfile.SYMTYPE, ".")), inside)


def test_hard_link_inside_has_the_same_content(tmp_path: Path, inside: Path) -> None:
    with tarfile.open(tmp_path / "f.tar", "w") as file:
        member = tarfile.TarInfo("a/file")
        member.size = 3
        file.addfile(member, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("b/link")
        link.type, link.linkname = tarfile.LNKTYPE, "a/file"
        file.addfile(link)
    unpack(tmp_path / "f.tar", inside)
    assert held(inside) == {"a/file": b"abc", "b/link": b"abc"}


# bombs


def test_oversized_zip_is_rejected_before_unpacking(tmp_path: Path, inside: Path) -> None:
    archive = zipped(tmp_path / "f.zip", {"zeros": bytes(300 << 20)})
    with pytest.raises(ArchiveError, match="are allowed"):
        unpack(archive, inside)
    assert list(inside.iterdir()) == []


def test_zip_with_understated_size_is_rejected(tmp_path: Path, inside: Path) -> None:
    archive = zipped(tmp_path / "f.zip", {"zeros": bytes(1 << 20)})
    content = archive.read_bytes()
    size = (1 << 20).to_bytes(4, "little")
    assert content.count(size) == 2
    archive.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(ArchiveError):
        unpack(archive, inside)
    assert sum(path.stat().st_size for path in inside.iterdir()) <= 10


@pytest.mark.parametrize("where", ["content", "header", "end"])
def test_expanding_tar_is_rejected(tmp_path: Path, inside: Path, where: str) -> None:
    with gzip.open(tmp_path / "f.tar.gz", "wb", compresslevel=9) as sink:
        member = tarfile.TarInfo("zeros")
        member.size = 300 << 20 if where != "end" else 0
        if where == "header":
            member.type = tarfile.XHDTYPE
        sink.write(member.tobuf())
        for _ in range(300 if where != "end" else 1):
            sink.write(bytes(1 << 20))
    if where == "end":
        unpack(tmp_path / "f.tar.gz", inside)
        return
    with pytest.raises(ArchiveError, match=r"are allowed|header of more"):
        unpack(tmp_path / "f.tar.gz", inside)
    assert list(inside.iterdir()) == []


def test_archive_larger_than_free_space_is_rejected_first(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zipped(tmp_path / "f.zip", {"a": bytes(1000)})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 40, 1 << 40, 64 << 20))
    with pytest.raises(StorageError, match="takes 1000 bytes, and 0 can be used"):
        unpack(archive, inside)
    assert list(inside.iterdir()) == []


# random bytes


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_random_bytes_are_our_error(tmp_path: Path, kind: str) -> None:
    archive = zipped(tmp_path / "f", FILES) if kind == "zip" else tarred(tmp_path / "f", FILES, kind)
    content, chance = archive.read_bytes(), random.Random(kind)
    for number in range(150):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 12)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        archive.write_bytes(damaged)
        folder = tmp_path / "noise" / str(number)
        folder.mkdir(parents=True)
        with suppress(CKError):  # the changed byte may be in a date
            unpack(archive, folder)


@pytest.mark.parametrize("name", ["", "/", ".", "a" * 300, "a/" * 500 + "b", "a\0b", "n\udcff"])
def test_empty_and_invalid_names(tmp_path: Path, inside: Path, name: str) -> None:
    with tarfile.open(tmp_path / "f.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as file:
        file.addfile(tarfile.TarInfo(name))
    with suppress(ArchiveError):  # some are truncated because of the format itself
        unpack(tmp_path / "f.tar", inside)
    assert all(len(os.fsencode(path.name)) < 256 for path in inside.iterdir())


def test_non_utf_8_target_is_kept_or_rejected(tmp_path: Path, inside: Path) -> None:
    with tarfile.open(tmp_path / "f.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as file:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo(f"link{kind!r}")
            link.type, link.linkname = kind, "a\udcff"
            file.addfile(link)
    with pytest.raises(ArchiveError, match="is refused"):
        unpack(tmp_path / "f.tar", inside)
