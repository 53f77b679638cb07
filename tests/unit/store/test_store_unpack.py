"""Archives are unpacked inside their folder or refused."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from ck_repo.store.unpack import ArchiveError, unpack

_LINK = 0o120777 << 16


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The folder to unpack into."""
    folder = tmp_path / "outer" / "inside"
    folder.mkdir(parents=True)
    return folder


def _zip(path: Path, *members: tuple[str, str], attributes: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            row = zipfile.ZipInfo(name)
            row.external_attr = attributes
            file.writestr(row, content)
    return path


def _tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for member in members:
            file.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def _member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "", size: int = 0) -> tarfile.TarInfo:
    row = tarfile.TarInfo(name)
    row.type, row.linkname, row.size = kind, to, size
    return row


def test_a_zip_comes_with_its_folders_and_programs(tmp_path: Path, inside: Path) -> None:
    archive = _zip(tmp_path / "a.zip", ("d/run.sh", "echo"), ("d/e/", ""), attributes=0o100755 << 16)
    seen: list[tuple[int, int]] = []
    unpack(archive, inside, lambda done, total: seen.append((done, total)))
    assert (inside / "d" / "run.sh").read_text() == "echo"
    assert os.access(inside / "d" / "run.sh", os.X_OK)
    assert (inside / "d" / "e").is_dir()
    assert seen == [(1, 2), (2, 2)]


def test_a_tar_comes_with_links_that_stay_inside(tmp_path: Path, inside: Path) -> None:
    archive = _tar(tmp_path / "a.tgz", _member("d/a", size=3), _member("d/link", tarfile.SYMTYPE, "a"), _member("hard", tarfile.LNKTYPE, "d/a"))
    unpack(archive, inside)
    assert [(inside / name).read_bytes() for name in ("d/a", "d/link", "hard")] == [bytes(3)] * 3


@pytest.mark.parametrize("name", ["../out", "d/../../out", "/tmp/out", "..\\out", "C:\\out", "C:out"])
def test_a_zip_that_would_write_elsewhere_is_refused_whole(tmp_path: Path, inside: Path, name: str) -> None:
    archive = _zip(tmp_path / "a.zip", ("good", "x"), (name, "x"))
    with pytest.raises(ArchiveError, match="would be written outside the folder"):
        unpack(archive, inside)
    assert os.listdir(inside) == []
    assert os.listdir(inside.parent) == ["inside"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path, inside: Path) -> None:
    with pytest.raises(ArchiveError, match="is a link"):
        unpack(_zip(tmp_path / "a.zip", ("link", "/etc"), attributes=_LINK), inside)
    assert os.listdir(inside) == []


@pytest.mark.parametrize(
    "members",
    [
        [_member("../out")],
        [_member("/tmp/out")],
        [_member("link", tarfile.SYMTYPE, "/etc")],
        [_member("d/link", tarfile.SYMTYPE, "../../outer")],
        [_member("hard", tarfile.LNKTYPE, "../../a")],
        [_member("here", tarfile.SYMTYPE, "."), _member("here/up", tarfile.SYMTYPE, ".."), _member("here/up/out")],
        [_member("pipe", tarfile.FIFOTYPE)],
        [_member("device", tarfile.CHRTYPE)],
    ],
    ids=["dots", "absolute", "link", "relative link", "hard link", "link through a link", "pipe", "device"],
)
def test_a_tar_that_would_leave_its_folder_is_refused(tmp_path: Path, inside: Path, members: list[tarfile.TarInfo]) -> None:
    with pytest.raises(ArchiveError, match="is refused"):
        unpack(_tar(tmp_path / "a.tgz", *members), inside)
    assert os.listdir(inside.parent) == ["inside"]


@pytest.mark.parametrize("kind", ["zip", "tgz"])
@pytest.mark.parametrize("keep", [0.3, 0.95])
def test_an_archive_that_was_cut_is_damaged(tmp_path: Path, inside: Path, kind: str, keep: float) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        _zip(path, ("a", os.urandom(30_000).hex()))
    else:
        with tarfile.open(path, "w:gz") as file:
            file.addfile(_member("a", size=60_000), io.BytesIO(os.urandom(60_000)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ArchiveError, match="is damaged|neither a zip nor a tar") as caught:
        unpack(path, inside)
    assert str(path) in str(caught.value)


def test_a_zip_with_one_wrong_byte_is_damaged(tmp_path: Path, inside: Path) -> None:
    content = bytearray(_zip(tmp_path / "a.zip", ("a", os.urandom(10_000).hex())).read_bytes())
    content[5_000] ^= 255
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(tmp_path / "a.zip", inside)


def test_a_file_where_a_folder_has_to_be_is_damaged(tmp_path: Path, inside: Path) -> None:
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(_zip(tmp_path / "a.zip", ("a", "file"), ("a/b", "below a file")), inside)
