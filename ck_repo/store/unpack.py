"""Unpack zip and tar archives without writing outside the target folder."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ck_repo.errors import CKError, StorageError
from ck_repo.store.atomic import storage_errors, usable
from ck_repo.store.fill_folder import Filler, RefusedError, check_links, checked_name

Progress = Callable[[int, int], None]
LARGEST_RATIO = 100  # maximum ratio of the unpacked bytes to those of the archive …
LARGEST_SMALL = 256 << 20  # … plus this number of bytes, for small archives that compress well
MAX_MEMBERS = 1_000_000
_LARGEST_HEADER = 16 << 20  # bytes that tarfile may read at once, for names and attributes
# exceptions of the libraries for damaged files
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, ValueError, RuntimeError,
    LookupError, TypeError, AttributeError, MemoryError, OverflowError,
)  # fmt: skip
_ODD_NAMES = (errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG)


class ArchiveError(CKError):
    """An archive that is damaged, or that would write outside its folder."""

    code = 5


def unpack(archive: Path, destination: Path, progress: Progress | None = None, *, links: bool = True) -> None:
    """Unpack `archive` into the existing folder `destination`.

    Regular files and folders are unpacked, and links only if they resolve to a place inside the folder; every file is verified
    by the archive's own checksum. The unpacked size is at most 100 times that of the archive plus 256 MiB, and 64 MiB of the
    disk stay free. Both limits apply to the declared and to the actual sizes. The caller unpacks into a staging folder, which
    it removes on an error.

    Parameters
    ----------
    archive
        A zip, tar, tar.gz, tar.bz2 or tar.xz file.
    destination
        The folder to unpack into.
    progress
        Called with the number of finished members and the total.
    links
        Whether the archive may contain links.

    Raises
    ------
    ArchiveError
        If the archive is damaged or malicious.
    StorageError
        If its content does not fit on the disk.
    """
    with _archive_errors(archive):
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, destination, progress)
        else:
            _unpack_tar(archive, destination, progress, links)


def decompress(archive: Path, target: Path) -> None:
    """Decompress a single file of gzip, bzip2 or xz, within the limits of `unpack`.

    Raises
    ------
    ArchiveError
        If it has none of these formats, or is damaged.
    """
    with _archive_errors(archive), open(archive, "rb") as raw:
        stream = _decompressed(raw)
        if stream is None:
            raise ArchiveError(f"{archive} is not compressed by gzip, bzip2 or xz")
        _filler(archive, target.parent, 0, 1).file(target.name, stream)


def refuse_links_out(archive: Path, folder: Path) -> None:
    """Refuse an archive if a link of `folder` leads out of it after its files were moved."""
    with _archive_errors(archive):
        check_links(folder)


@contextmanager
def _archive_errors(archive: Path) -> Iterator[None]:
    """Convert exceptions of the libraries to errors of ours."""
    with storage_errors(f"unpacking {archive.name}"):
        try:
            yield
        except RefusedError as error:
            raise ArchiveError(f"{archive} is refused: {error}", hint="do not use this archive") from error
        except _DAMAGE as error:
            raise _damaged(archive, error) from error
        except OSError as error:
            if error.errno and error.errno not in _ODD_NAMES:
                raise
            raise _damaged(archive, error) from error  # gzip and bzip2 report damaged data in this way


def _decompressed(raw: IO[bytes]) -> IO[bytes] | None:
    """The decompressed stream of gzip, bzip2 or xz; None for other formats."""
    head = raw.read(6)
    raw.seek(0)
    openers: list[tuple[bytes, Any]] = [(b"\x1f\x8b", gzip.open), (b"BZ", bz2.open), (b"\xfd7zXZ\0", lzma.open)]
    opener = next((each for magic, each in openers if head.startswith(magic)), None)
    return opener(raw, "rb") if opener else None


def _damaged(archive: Path, why: object) -> ArchiveError:
    return ArchiveError(f"{archive} is damaged: {why or type(why).__name__}", hint="download it again")


def _filler(archive: Path, destination: Path, declared: int, members: int) -> Filler:
    """A filler for the declared content of an archive, if that is within the limits."""
    maximum = largest(archive)
    if members > MAX_MEMBERS:
        raise RefusedError(f"it has {members} members; {MAX_MEMBERS} are allowed")
    if declared > maximum:
        raise RefusedError(f"it unpacks to {declared} bytes, from {archive.stat().st_size}; {maximum} are allowed")
    free = usable(destination)
    if declared > free:
        raise StorageError(
            f"unpacking {archive.name} into {destination} takes {declared} bytes, and {free} can be used",
            hint="free some space (`ck clean env` removes what no environment uses) or point CK_TOOLS elsewhere",
        )
    return Filler(destination, min(maximum, free))


def largest(archive: Path) -> int:
    """The maximum number of unpacked bytes for an archive."""
    return LARGEST_RATIO * archive.stat().st_size + LARGEST_SMALL


def _unpack_zip(archive: Path, destination: Path, progress: Progress | None) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind == stat.S_IFLNK:
                raise RefusedError(f"its member {member.filename!r} is a link")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise RefusedError(f"its member {member.filename!r} is a device or a pipe")
        names = [_named(member.filename, member.is_dir()) for member in members]
        filler = _filler(archive, destination, sum(member.file_size for member in members), len(members))
        for done, (name, member) in enumerate(zip(names, members, strict=True), 1):
            if member.is_dir():
                filler.folder(name)
            else:
                with file.open(member) as source:
                    filler.file(name, source, executable=bool((member.external_attr >> 16) & 0o100))
            if progress:
                progress(done, len(members))


def _named(name: str, folder: bool) -> str:
    """The checked name of a member; that of a file must not be empty."""
    checked = checked_name(name)
    if checked == "." and not folder:
        raise RefusedError("it has a member without a name")
    return checked


def _unpack_tar(archive: Path, destination: Path, progress: Progress | None, links: bool) -> None:
    with _tar(archive) as file:
        members: list[tuple[str, tarfile.TarInfo]] = []
        declared = 0
        for member in file:
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                raise RefusedError(f"its member {member.name!r} is a device or a pipe")
            if not links and (member.issym() or member.islnk()):
                raise RefusedError(f"its member {member.name!r} is a link")
            members.append((_named(member.name, member.isdir()), member))
            declared += max(member.size, 0) if member.isfile() else 0
            if declared > largest(archive) or len(members) > MAX_MEMBERS:  # check before decompressing further
                break
        filler = _filler(archive, destination, declared, len(members))
        symbolic = {name: member.linkname for name, member in members if member.issym()}
        hard = [(name, member.linkname) for name, member in members if member.islnk()]
        for name, _ in members if symbolic else ():
            if behind := next((str(each) for each in PurePosixPath(name).parents if str(each) in symbolic), None):
                raise RefusedError(f"its member {name!r} would be written through the link {behind!r}")
        for done, (name, member) in enumerate(members, 1):
            if member.isdir():
                filler.folder(name)
            elif member.isfile():
                source = file.extractfile(member)
                assert source is not None
                filler.file(name, source, executable=bool(member.mode & 0o100))
            if progress:
                progress(done, len(members))
        for name, target in hard:
            filler.hard_link(name, _target(name, target))
        filler.symbolic_links(symbolic)
        stream = file.fileobj
        while stream is not None and stream.read(1 << 20):  # read to the end, which has the checksum of the compression
            pass


def _target(name: str, target: str) -> str:
    try:
        return _named(target, False)
    except RefusedError:
        raise RefusedError(f"its hard link {name!r} leads out of the folder, to {target!r}") from None


@contextmanager
def _tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar file with any compression; decompressing stops at the size limit."""
    with open(archive, "rb") as raw:
        compressed = _decompressed(raw)
        stream = compressed or raw
        # headers of the allowed number of members, and padding to blocks, are added to the content
        maximum = largest(archive) + 3 * tarfile.BLOCKSIZE * MAX_MEMBERS
        try:
            file = tarfile.TarFile(fileobj=_Bounded(stream, maximum), mode="r")
        except tarfile.TarError as error:
            if compressed:
                raise
            raise ArchiveError(f"{archive} is not a zip or tar archive") from error
        with file:
            yield file


class _Bounded(io.RawIOBase):
    """A stream that raises beyond a limit, and limits single reads."""

    def __init__(self, stream: IO[bytes], maximum: int) -> None:
        self._stream, self._maximum = stream, maximum

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or size > _LARGEST_HEADER:
            raise RefusedError(f"it has a header of more than {_LARGEST_HEADER} bytes")
        content = self._stream.read(size)
        if self._stream.tell() > self._maximum:
            raise RefusedError(f"it unpacks to more than {self._maximum} bytes")
        return content

    def seek(self, place: int, whence: int = 0, /) -> int:
        if whence == 0 and place > self._maximum:
            raise RefusedError(f"it unpacks to more than {self._maximum} bytes")
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
