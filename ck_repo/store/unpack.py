"""Unpack zip and tar archives so that nothing can land outside the folder that they are unpacked into."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from ck_repo.errors import CKError
from ck_repo.store.atomic import storage_errors

_FILTERS = hasattr(tarfile, "data_filter")  # 3.10.12, 3.11.4 and later
Progress = Callable[[int, int], None]


class ArchiveError(CKError):
    """An archive that is damaged, or that would write where it must not."""

    code = 5


def unpack(archive: Path, destination: Path, progress: Progress | None = None) -> None:
    """Unpack `archive` into the existing folder `destination`.

    Plain files and folders are taken, symbolic links only if they lead to a place inside; every file is checked against
    the archive's own checksum. The caller unpacks into a staging folder, which it removes on an error.

    Parameters
    ----------
    archive
        A zip, tar, tar.gz, tar.bz2 or tar.xz file.
    destination
        The folder to unpack into.
    progress
        Called with the members done and the members in all.

    Raises
    ------
    ArchiveError
        If the archive is damaged or hostile.
    """
    with storage_errors(f"unpacking {archive.name}"):
        try:
            if zipfile.is_zipfile(archive):
                _unpack_zip(archive, destination, progress)
            elif tarfile.is_tarfile(archive):
                _unpack_tar(archive, destination, progress)
            else:
                raise ArchiveError(f"{archive} is neither a zip nor a tar archive")
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise _damaged(archive, error) from error
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
                raise _damaged(archive, f"{error.filename} is both a file and a folder") from error
            if error.errno:
                raise
            raise _damaged(archive, error) from error  # gzip and bz2 tell of spoilt data in this way
        except (ValueError, RuntimeError, NotImplementedError) as error:  # and zipfile of what it cannot read
            raise _damaged(archive, error) from error


def decompress(archive: Path, target: Path) -> None:
    """Write what is in a single file that gzip, bzip2 or xz compressed.

    Raises
    ------
    ArchiveError
        If it is none of these, or damaged.
    """
    openers: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
    with open(archive, "rb") as file:
        opener = openers.get(file.read(2))
    if opener is None:
        raise ArchiveError(f"{archive} is compressed neither by gzip nor by bzip2 nor by xz")
    try:
        with opener(archive) as source, open(target, "wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError) as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno:
            raise
        raise _damaged(archive, error) from error


def _damaged(archive: Path, why: object) -> ArchiveError:
    return ArchiveError(f"{archive} is damaged: {why}", hint="fetch it again")


def _checked(name: str, archive: Path) -> str:
    """The member's path with forward slashes, if it stays inside."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise ArchiveError(
            f"{archive} is refused: its member {name!r} would be written outside the folder", hint="do not use this archive"
        )
    return str(path)


def _unpack_zip(archive: Path, destination: Path, progress: Progress | None) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        for member in members:
            _checked(member.filename, archive)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise ArchiveError(
                    f"{archive} is refused: its member {member.filename!r} is a link", hint="do not use this archive"
                )
        for done, member in enumerate(members, 1):
            target = destination / _checked(member.filename, archive)
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(member) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                if (member.external_attr >> 16) & 0o100:
                    target.chmod(0o755)
            if progress:
                progress(done, len(members))


def _unpack_tar(archive: Path, destination: Path, progress: Progress | None) -> None:
    with tarfile.open(archive) as file:
        members = file.getmembers()
        for member in members:
            _checked(member.name, archive)
            if member.issym() or member.islnk():
                if not _FILTERS:  # a link behind a link is more than our own check can follow
                    raise ArchiveError(
                        f"{archive} holds links, which this Python cannot unpack safely", hint="use 3.12 or later"
                    )
                base = os.path.dirname(member.name) if member.issym() else ""
                landing = os.path.normpath(os.path.join(base, member.linkname))
                if os.path.isabs(member.linkname) or landing.split(os.sep)[0] == "..":
                    raise ArchiveError(
                        f"{archive} is refused: its link {member.name!r} leads out of the folder, to {member.linkname!r}",
                        hint="do not use this archive",
                    )
            elif not (member.isfile() or member.isdir()):
                raise ArchiveError(f"{archive} is refused: its member {member.name!r} is a device or a pipe")
        for done, member in enumerate(members, 1):
            if _FILTERS:
                try:
                    file.extract(member, destination, set_attrs=False, filter="data")
                except tarfile.FilterError as error:
                    raise ArchiveError(f"{archive} is refused: {error}", hint="do not use this archive") from error
            else:
                file.extract(member, destination, set_attrs=False)
            if member.isfile() and member.mode & 0o100:
                (destination / member.name).chmod(0o755)
            if progress:
                progress(done, len(members))
        stream = file.fileobj
        while stream is not None and stream.read(1 << 20):  # to the end, where the compression has its checksum
            pass
