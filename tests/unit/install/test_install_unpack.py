"""`unpack`: good archives arrive whole; damaged and hostile ones are refused, and nothing lands outside."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from ck_repo.store.unpack import ArchiveError, unpack

FILES = {"model/a.bin": bytes(range(256)) * 40, "model/deep/b.txt": b"two", "c": b""}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The folder to unpack into; what leaves it lies beside."""
    folder = tmp_path / "around" / "inside"
    folder.mkdir(parents=True)
    return folder


def zipped(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as file:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def hostile(path: Path, *members: tuple[str, bytes, str]) -> Path:
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
def test_a_good_archive_arrives_whole_and_tells_how_far_it_is(tmp_path: Path, inside: Path, kind: str) -> None:
    archive = zipped(tmp_path / "f", FILES) if kind == "zip" else tarred(tmp_path / "f", FILES, kind)
    steps: list[tuple[int, int]] = []
    unpack(archive, inside, lambda done, total: steps.append((done, total)))
    assert held(inside) == FILES
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_link_to_a_place_inside_is_kept(tmp_path: Path, inside: Path) -> None:
    unpack(hostile(tmp_path / "f.tar", ("folder", tarfile.DIRTYPE, ""), ("folder/up", tarfile.SYMTYPE, "../folder")), inside)
    assert (inside / "folder/up").resolve() == (inside / "folder").resolve()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil-of-a-test", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, inside: Path, name: str, pack: object) -> None:
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
def test_links_out_and_devices_are_refused(tmp_path: Path, inside: Path, members: list[tuple[str, bytes, str]]) -> None:
    with pytest.raises(ArchiveError, match="is refused"):
        unpack(hostile(tmp_path / "f.tar", *members), inside)
    assert held(tmp_path / "around") == {}
    assert [path.name for path in (tmp_path / "around").iterdir()] == ["inside"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path, inside: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="'link' is a link"):
        unpack(tmp_path / "f.zip", inside)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path, inside: Path, pack: object) -> None:
    with pytest.raises(ArchiveError, match="f"):
        unpack(pack(tmp_path / "f", {"a": b"1", "a/b": b"2"}), inside)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["zip", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path, inside: Path, kind: str, share: float) -> None:
    archive = zipped(tmp_path / "f", FILES) if kind == "zip" else tarred(tmp_path / "f", FILES, kind)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArchiveError):
        unpack(archive, inside)


@pytest.mark.parametrize("kind", ["stored", "deflated", "w:gz"])
def test_a_spoilt_byte_is_found_by_the_archive_s_own_checksum(tmp_path: Path, inside: Path, kind: str) -> None:
    compression = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
    archive = tarred(tmp_path / "f", FILES) if kind == "w:gz" else zipped(tmp_path / "f", FILES, compression)
    content = bytearray(archive.read_bytes())
    content[len(content) // 3] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(archive, inside)


def test_an_encrypted_zip_is_told(tmp_path: Path, inside: Path) -> None:
    archive = zipped(tmp_path / "f.zip", {"secret": b"1"})
    content = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the flag of encryption, where the file and the directory have it
        content[content.index(mark) + place] |= 1
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack(archive, inside)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_archive_is_told(tmp_path: Path, inside: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(ArchiveError, match="neither a zip nor a tar archive"):
        unpack(tmp_path / "f", inside)
