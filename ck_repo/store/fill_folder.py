"""Write files with untrusted names into a folder, and nothing outside it.

Each folder of a path is opened relative to its parent and never through a link, so the check is made on the disk and not on
names. Links are created last, and then each is resolved on the disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ck_repo.store.plain_file import A_LINK, flaw, walk

_DEEPEST = 63  # maximum depth of folders, one less than that of `walk`
_LONGEST = 1000  # bytes of a path
_LONGEST_NAME = 255  # bytes of a name; the limit of file systems
_BLOCK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
GIT_FOLDER = ".git"  # never accepted: git's settings can name programs to run


class RefusedError(Exception):
    """A name or link that leads out of the folder, or is not valid on the file system."""


def checked_name(name: str) -> str:
    """A file's path below a folder, with forward slashes."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise RefusedError(f"its member {name!r} would be written outside the folder")
    try:
        sizes = [len(part.encode()) for part in path.parts]
    except UnicodeEncodeError:
        raise RefusedError(f"the name of its member {name!r} is not valid text") from None
    if GIT_FOLDER in (part.lower() for part in path.parts):
        raise RefusedError(f"it holds {name!r}: git's settings can name programs to run")
    if "\0" in name:
        raise RefusedError(f"the name of its member {name!r} contains a NUL")
    if len(sizes) > _DEEPEST or sum(sizes) > _LONGEST or max(sizes, default=0) > _LONGEST_NAME:
        raise RefusedError(f"the name of its member {name[:60]!r}… is too long or too deep")
    return str(path)


def check_links(root: Path) -> None:
    """Resolve every link below a folder on the disk, and refuse those that lead out of it."""
    for row in walk(root):
        why = flaw(root, row.name) if row.flaw == A_LINK else ""
        if "leads out" in why or "loop" in why:
            raise RefusedError(f"its link {row.name!r} is {why}")


class Filler:
    """Writes into one existing folder. Names have to come from `checked_name`."""

    def __init__(self, root: Path, maximum: int) -> None:
        self._root, self._left, self._maximum = root, maximum, maximum

    def folder(self, name: str) -> None:
        """Create a folder, if it does not exist."""
        with self._opened(PurePosixPath(name).parts):
            pass

    def file(self, name: str, source: IO[bytes], *, executable: bool = False) -> None:
        """Write a file from a stream; replace an existing one.

        Parameters
        ----------
        name
            Path in the folder, with slashes.

        Raises
        ------
        RefusedError
            If the path is invalid, or all files together exceed the maximum size.
        """
        path = PurePosixPath(name)
        with self._opened(path.parent.parts) as folder:
            _make_way(path.name, folder)
            mode = 0o777 if executable else 0o666
            with os.fdopen(os.open(path.name, _NEW_FILE, mode, dir_fd=folder), "wb") as sink:
                while block := source.read(_BLOCK):
                    self._left -= len(block)
                    if self._left < 0:
                        raise RefusedError(f"it unpacks to more than {self._maximum} bytes")
                    sink.write(block)

    def hard_link(self, name: str, target: str) -> None:
        """Give a file that was written a second name.

        Parameters
        ----------
        name, target
            Paths in the folder, with slashes: the new one, and that of the file.

        Raises
        ------
        RefusedError
            If `target` is not a regular file of the folder.
        """
        path, other = PurePosixPath(name), PurePosixPath(target)
        with self._opened(path.parent.parts) as folder, self._opened(other.parent.parts, make=False) as there:
            try:
                mode = os.stat(other.name, dir_fd=there, follow_symlinks=False).st_mode
            except FileNotFoundError:
                mode = 0
            if not stat.S_ISREG(mode):
                raise RefusedError(f"its hard link {name!r} leads to {target!r}, which is not one of its files")
            if path != other:
                _make_way(path.name, folder)
                os.link(other.name, path.name, src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False)

    def symbolic_links(self, links: dict[str, str]) -> None:
        """Create links, by name and target; refuse them if any link of the folder then leads out of it."""
        for name, target in links.items():
            path = PurePosixPath(name)
            landing = os.path.normpath(os.path.join(str(path.parent), target))
            if not target or os.path.isabs(target) or landing.split(os.sep)[0] == "..":
                raise RefusedError(f"its link {name!r} leads out of the folder, to {target!r}")
            with self._opened(path.parent.parts) as folder:
                _make_way(path.name, folder)
                os.symlink(target, path.name, dir_fd=folder)
        if links:
            check_links(self._root)

    @contextmanager
    def _opened(self, parts: tuple[str, ...], *, make: bool = True) -> Iterator[int]:
        """Open a folder below the root; missing folders are created."""
        here = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            for part in parts:
                below = _enter(part, here, make)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)


def _enter(name: str, folder: int, make: bool) -> int:
    for _ in range(2):
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise RefusedError(f"{name!r} is not one of its folders") from None
            os.mkdir(name, dir_fd=folder)
        except OSError as error:
            try:
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            except OSError:
                raise error from None
            if stat.S_ISLNK(mode):
                raise RefusedError(f"its folder {name!r} is a link") from None
            if not stat.S_ISDIR(mode):
                raise RefusedError(f"{name!r} is both a file and a folder") from None
            raise
    raise RefusedError(f"{name!r} cannot be created")


def _make_way(name: str, folder: int) -> None:
    """Remove a file or link with that name; a folder is an error."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as error:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise RefusedError(f"{name!r} is both a file and a folder") from None
        raise error
