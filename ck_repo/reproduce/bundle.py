"""A venv with all its dependencies in one file, for a machine without network."""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from ck_repo import network, progress
from ck_repo.environment.lockfile import NAME, Lock, parse_lock, read_lock, write_lock
from ck_repo.environment.locking import read_venv_lock
from ck_repo.environment.venv import Venv
from ck_repo.errors import ConfigError, ConflictError, MismatchError, NotFoundError
from ck_repo.install.python_packages import collect_wheel_for, collect_wheels
from ck_repo.reproduce.artifacts import bring_in, gather
from ck_repo.reproduce.check import drift
from ck_repo.reproduce.recipes import RECIPES, gather_recipes, recipes_brought_in
from ck_repo.reproduce.recreate import Recreated, interpreter_for, recreate
from ck_repo.session import Session
from ck_repo.store.archive import unpack_foreign
from ck_repo.store.atomic import storage_errors, write_json
from ck_repo.store.digest import of_file
from ck_repo.store.entry import read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.folders import tools_root
from ck_repo.store.unpack import ArchiveError
from ck_repo.store.work import scratch_folder, writing_file

FORMAT, VERSION = "ck-bundle", 1
_CONTENTS = "bundle.json"
_WHEELS = "wheels"
_LONGEST_LOCK = 1 << 26  # bytes


@dataclass(frozen=True)
class Bundle:
    """A new bundle."""

    lock: Lock
    files: int
    wheels: int


def make_bundle(session: Session, venv: Venv, output: Path, *, overwrite: bool = False) -> Bundle:
    """Pack wheels, downloaded and registered files, recipes and the lock of a venv into one archive, atomically.

    Raises
    ------
    MismatchError
        If the venv differs from its lock.
    """
    if output.exists() and not overwrite:
        raise _taken(output)
    lock = read_venv_lock(session, venv)
    changed = drift(session, venv, lock)
    if changed:
        raise MismatchError(
            f"venv:{venv.name} differs from its lock: {changed[0]}",
            hint=f"`ck check venv:{venv.name}` lists the differences; `ck lock venv:{venv.name}` accepts them",
        )
    with storage_errors(f"writing {output}"), scratch_folder(tools_root(), "bundle") as scratch:
        wheels = scratch / _WHEELS
        wheels.mkdir()
        _gather_wheels(venv.python, lock, wheels, scratch / "log")
        rows = {f"{_WHEELS}/{path.name}": path for path in sorted(wheels.iterdir())}
        rows |= gather(session, lock, only_free=False).rows
        rows |= gather_recipes(session, lock)
        write_lock(scratch / NAME, lock)
        rows[NAME] = scratch / NAME
        _write(output, rows, scratch / _CONTENTS, overwrite)
    return Bundle(lock, len(rows), len(lock.packages))


def _taken(output: Path) -> ConflictError:
    return ConflictError(f"{output} already exists", hint="choose another name with --output=, or use --overwrite")


def _gather_wheels(python: Path, lock: Lock, folder: Path, log: Path) -> None:
    """The wheels of the locked packages; if there are several for a version, the installed one."""
    pins = {name: f"{name}=={row.version}" for name, row in lock.packages.items()}
    collect_wheels(python, sorted(pins.values()), folder, log)
    for path in sorted(folder.glob("*.whl")):
        name, _, _, tags = parse_wheel_filename(path.name)
        wanted = {Tag(*text.split("-", 2)) for text in lock.packages[name].tags.split(".") if text.count("-") == 2}
        platforms = sorted({tag.platform for tag in wanted} - {"any"})
        if platforms and not wanted & tags:
            other = folder / "other"
            if collect_wheel_for(python, pins[name], platforms, other, log):
                path.unlink()
                for found in other.glob("*.whl"):
                    found.rename(folder / found.name)
            shutil.rmtree(other, ignore_errors=True)


def _write(output: Path, rows: dict[str, Path], contents: Path, overwrite: bool) -> None:
    total = sum(path.stat().st_size for path in rows.values())
    listed, done = {}, 0
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            progress.task(f"writing {output.name}", total, "B") as task,
            writing_file(output, overwrite=overwrite) as beside,
            zipfile.ZipFile(beside, "w", strict_timestamps=False) as file,
        ):
            for name, path in sorted(rows.items()):
                listed[name] = {"sha256": of_file(path), "size": path.stat().st_size}
                file.write(path, name)  # not compressed: wheels and images already are
                done += path.stat().st_size
                task.advance_to(done)
            write_json(contents, {"format": FORMAT, "version": VERSION, "files": listed})
            file.write(contents, _CONTENTS)
    except FileExistsError:  # another process created it first
        raise _taken(output) from None


def lock_of_bundle(path: Path) -> Lock:
    """The lock in a bundle; nothing else of it is read.

    Raises
    ------
    ConfigError
        If it is not a bundle, or its lock cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            listed = {row.filename: row for row in file.infolist()}
            if NAME not in listed or _CONTENTS not in listed or listed[NAME].file_size > _LONGEST_LOCK:
                raise ConfigError(
                    f"{path} is not a bundle: it lacks {_CONTENTS} and {NAME}", hint="`ck bundle venv:NAME` makes one"
                )
            return parse_lock(json.loads(file.read(NAME)), f"{path}: {NAME}")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(f"{path} is damaged or truncated: {error}", hint="copy it again, or create it again") from None


def create_from_bundle(session: Session, name: str, path: Path, python: str = "", *, force: bool = False) -> Recreated:
    """Create a venv from a bundle; the network is not used.

    Raises
    ------
    ConfigError
        If it is not a bundle, or has a newer format.
    MismatchError
        If it is truncated, or a file differs from the bundle's list.
    """
    path = path.expanduser().absolute()
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist", hint="`ck bundle venv:NAME --output=FILE` creates a bundle")
    network.go_offline()
    with scratch_folder(tools_root(), "bundle") as scratch:
        _unpack(path, scratch)
        lock = read_lock(scratch / NAME)
        interpreter = interpreter_for(lock, python)
        with recipes_brought_in(session, scratch / RECIPES):
            bring_in(session, lock, scratch, f"venv:{name}")
            # the user of a bundle trusts its wheels: there is no other source
            wheels = scratch / _WHEELS
            return recreate(session, name, lock, interpreter, wheels=wheels, force=force, own=True)


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a bundle, and verify every file against its list."""
    again = "copy it again, or create it again with `ck bundle venv`"
    try:
        with progress.task(f"unpacking {path.name}", unit="files") as task:
            unpack_foreign(path, folder, task.advance_to)
    except ArchiveError as error:
        raise MismatchError(f"{path} is damaged or truncated: {error.what}", hint=again) from error
    if not (folder / _CONTENTS).is_file():
        raise ConfigError(f"{path} is not a bundle: it has no {_CONTENTS}", hint="`ck bundle venv:NAME` creates one")
    fields = Fields(read_json_object(folder / _CONTENTS), path)
    version = fields.integer("version", 0) or 0
    if fields.text("format") != FORMAT or version > VERSION:
        raise ConfigError(f"{path} is a bundle of format {fields.text('format')} {version}; this ck reads {FORMAT} {VERSION}")
    listed = fields.each("files")
    there = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()} - {_CONTENTS}
    if odd := sorted(there ^ set(listed)):
        what = "has a file that it does not list" if odd[0] in there else "lacks a file that it lists"
        raise MismatchError(f"{path} {what}: {odd[0]}", hint=again)
    with progress.task(f"verifying {path.name}", len(listed), "files") as task:
        for number, (name, row) in enumerate(listed.items(), 1):
            seen = of_file(folder / name)
            if seen != row.text("sha256"):
                raise MismatchError(
                    f"{path}: {name} differs from the bundle's list: {row.text('sha256')} expected, got {seen}", hint=again
                )
            task.advance_to(number)
