"""Read untrusted files: regular files below a folder, of limited size, without following links out of it.

Each part of a path is opened relative to its parent folder, and the kernel follows no symbolic link. Links are read and
resolved here, as long as they stay below the folder. Pipes, devices and sockets are refused before they are opened, and the
type of the file is checked again after opening it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from ck_repo.errors import CKError

MAXIMUM = 64 << 20  # maximum bytes of a file that is read into memory
MISSING, A_LINK, A_FOLDER = "no such file", "a link", "a folder"
_HOPS = 40  # maximum number of links in a path, as in Linux
_DEEPEST = 64  # maximum depth of folders
_LONGEST = 1024  # maximum bytes of a path below the folder
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: A_FOLDER,
}


class UnreadableError(CKError):
    """A file is missing, or is not a regular file of the folder.

    Parameters
    ----------
    path
        The file.
    why
        The reason: ``no such file``, ``a named pipe``, ``a link that leads out of …``, ….
    """

    code = 9

    def __init__(self, path: object, why: str) -> None:
        text = f"{shown(path)} is missing" if why == MISSING else f"{shown(path)} is not read: it is {why}"
        super().__init__(text)
        self.why = why


def shown(path: object) -> str:
    """A path as text that can be printed and stored: invalid UTF-8 and control characters are escaped."""
    text = os.fsencode(str(path)).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


@contextmanager
def opened(folder: Path, path: Path | str, *, maximum: int = MAXIMUM, links: bool = True) -> Iterator[BinaryIO]:
    """Open a regular file below `folder` for reading.

    Parameters
    ----------
    folder
        A trusted folder; links in its own path are followed.
    path
        The file: relative to the folder, or starting with the folder.
    maximum
        The largest size in bytes.
    links
        Whether to follow a link that stays below the folder.

    Raises
    ------
    UnreadableError
        If there is no such regular file.
    """
    with _regular(_descend(folder, path, links), path, maximum) as file:
        yield file


def _regular(descriptor: int, path: Path | str, maximum: int) -> BinaryIO:
    """The open file, if it is a regular one of at most that many bytes; else it is closed."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > maximum:
        os.close(descriptor)
        plain = stat.S_ISREG(found.st_mode)
        raise UnreadableError(path, f"larger than {maximum} bytes" if plain else _kind(found.st_mode))
    return os.fdopen(descriptor, "rb")


def read_plain(folder: Path, path: Path | str, *, maximum: int = MAXIMUM) -> bytes:
    """The content of a regular file below `folder`; see `opened`.

    Parameters
    ----------
    path
        Relative to `folder`, or below it.
    maximum
        Bytes.

    Raises
    ------
    UnreadableError
        If there is no such regular file, or it is larger.
    """
    with opened(folder, path, maximum=maximum) as file:
        try:
            content = file.read(maximum + 1)
        except OSError as error:
            raise UnreadableError(path, f"unreadable ({error.strerror})") from None
    if len(content) > maximum:  # it grew, or its size is not known, as in /proc
        raise UnreadableError(path, f"larger than {maximum} bytes")
    return content


def flaw(folder: Path, path: Path | str, *, maximum: int = 1 << 62, links: bool = True) -> str:
    """Why `path` is not a regular file below `folder`; empty if it is one.

    Parameters
    ----------
    maximum
        Bytes.
    links
        Whether links that stay below `folder` are followed.
    """
    try:
        with opened(folder, path, maximum=maximum, links=links):
            return ""
    except UnreadableError as error:
        return error.why


def names(folder: Path, path: Path | str = "") -> list[str]:
    """Names in a folder below `folder`, sorted; empty if it does not exist, or a link leads out to it."""
    try:
        descriptor = _descend(folder, path, True)
    except UnreadableError:
        return []
    try:
        return sorted(os.listdir(descriptor))
    except OSError:
        return []
    finally:
        os.close(descriptor)


def is_folder(folder: Path, path: Path | str) -> bool:
    """Whether there is a folder below `folder` at `path`."""
    return flaw(folder, path) == A_FOLDER


def _kind(mode: int) -> str:
    """The kind of a file that is not a regular one."""
    return _KINDS.get(stat.S_IFMT(mode), "not a regular file")


@dataclass(frozen=True)
class Found:
    """Something that is not a folder.

    Attributes
    ----------
    name
        Its path below the folder.
    flaw
        Why it is not a regular file; empty if it is one.
    unnamed
        Whether its name or depth is the reason. This is also reported for folders, whose content is then skipped.
    """

    name: str
    flaw: str
    unnamed: bool = False


def walk(folder: Path) -> Iterator[Found]:
    """Everything below a folder, sorted. Links are reported and not followed; a folder that is too deep is reported without
    its content."""
    try:
        descriptor = _descend(folder, "", True)
    except UnreadableError:
        return
    try:
        for found, _ in _walk(descriptor, "", 1):
            yield found
    finally:
        os.close(descriptor)


def walk_opened(folder: Path, path: Path | str, *, maximum: int = MAXIMUM) -> Iterator[tuple[Found, BinaryIO | None]]:
    """Everything below `path`, as `walk` yields it, with the regular files opened for reading until the next one.

    Parameters
    ----------
    folder, path
        See `opened`; links are not followed.
    maximum
        The largest size in bytes; the flaw of a larger file is its size.
    """
    try:
        descriptor = _descend(folder, path, False)
    except UnreadableError:
        return
    try:
        for found, parent in _walk(descriptor, "", 1):
            if found.flaw:
                yield found, None
                continue
            try:
                file = _regular(os.open(found.name.rpartition("/")[2], _FLAGS, dir_fd=parent), found.name, maximum)
            except OSError as error:
                yield replace(found, flaw=MISSING if error.errno == errno.ENOENT else f"unreadable ({error.strerror})"), None
            except UnreadableError as error:
                yield replace(found, flaw=error.why), None
            else:
                with file:
                    yield found, file
    finally:
        os.close(descriptor)


def _walk(descriptor: int, prefix: str, depth: int) -> Iterator[tuple[Found, int]]:
    """What is below a folder, each with the descriptor of its own folder."""
    with os.scandir(descriptor) as rows:
        found = sorted(rows, key=lambda row: row.name)
    for row in found:
        name = f"{prefix}{row.name}"
        if not _is_text(row.name):
            yield Found(name, "named with bytes that are not UTF-8", True), descriptor
        elif len(os.fsencode(name)) > _LONGEST:
            yield Found(name, f"in a path of more than {_LONGEST} bytes", True), descriptor
        elif row.is_symlink():
            yield Found(name, A_LINK), descriptor
        elif not row.is_dir(follow_symlinks=False):
            yield Found(name, _flaw_of(row)), descriptor
        elif depth == _DEEPEST:
            yield Found(name, f"a folder more than {_DEEPEST} levels deep", True), descriptor
        else:
            try:
                below = os.open(row.name, _FLAGS | os.O_DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                yield Found(name, f"unreadable ({error.strerror})"), descriptor
                continue
            try:
                yield from _walk(below, f"{name}/", depth + 1)
            finally:
                os.close(below)


def _flaw_of(row: os.DirEntry[str]) -> str:
    """Why something in a folder that is being walked is not a regular file; empty if it is one."""
    try:
        mode = row.stat(follow_symlinks=False).st_mode
    except OSError:  # it was removed meanwhile
        return MISSING
    return "" if stat.S_ISREG(mode) else _kind(mode)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _below(folder: Path, path: Path | str) -> str:
    """A path relative to the folder."""
    text, base = os.fspath(path), os.fspath(folder)
    if not os.path.isabs(text):
        return text
    if text.startswith(f"{base}/"):  # the usual case
        return text[len(base) :]
    try:
        return str(Path(text).relative_to(folder))
    except ValueError:
        raise UnreadableError(path, f"outside {folder}") from None


def _descend(folder: Path, path: Path | str, links: bool) -> int:
    """A descriptor of `path`, opened part by part from `folder`."""
    todo = [part for part in reversed(_below(folder, path).split("/")) if part not in ("", ".")]
    stack: list[int] = []
    hops = 0
    try:
        stack.append(os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY))
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(stack) == 1:
                    raise UnreadableError(path, f"a link that leads out of {folder}")
                os.close(stack.pop())
                continue
            if todo:
                try:
                    stack.append(os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=stack[-1]))
                    continue
                except OSError as error:
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP):  # those of a link
                        raise
            mode = os.stat(name, dir_fd=stack[-1], follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                target = os.readlink(name, dir_fd=stack[-1])
                hops += 1
                if not links:
                    raise UnreadableError(path, "a link, or behind one")
                if hops > _HOPS:
                    raise UnreadableError(path, "a loop of links")
                if target.startswith("/"):
                    raise UnreadableError(path, f"a link that leads out of {folder}")
                todo += reversed(target.split("/"))
            elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise UnreadableError(path, _kind(mode))
            else:
                stack.append(os.open(name, _FLAGS | (os.O_DIRECTORY if todo else 0), dir_fd=stack[-1]))
        return stack.pop()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise UnreadableError(path, MISSING) from None
        raise UnreadableError(path, f"unreadable ({error.strerror})") from None
    except ValueError:  # a NUL in the name
        raise UnreadableError(path, MISSING) from None
    finally:
        for descriptor in stack:
            os.close(descriptor)
