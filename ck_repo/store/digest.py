"""Digests of entries and files, in 64 hexadecimal digits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

from ck_repo.errors import ConfigError
from ck_repo.store.entry import Entry
from ck_repo.store.plain_file import A_LINK, shown, walk

_IGNORED = {"__pycache__", ".cm", ".git"}


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, so that equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def of_value(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()


def of_file(path: Path, algorithm: str = "sha256") -> str:
    """Digest of a file's content.

    Parameters
    ----------
    algorithm
        A name of `hashlib`.

    Returns
    -------
    str
        Hexadecimal.
    """
    with open(path, "rb") as file:
        return of_stream(file, algorithm)


def of_stream(file: BinaryIO, algorithm: str = "sha256") -> str:
    """Digest of the rest of an open file."""
    digest = hashlib.new(algorithm)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def of_entry(entry: Entry) -> str:
    """SHA-256 of an entry's canonical meta and of its files by name, without info.json (author and date)."""
    return _add_files(hashlib.sha256(canonical(entry.meta())), entry.path).hexdigest()


def of_files(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files by name."""
    return of_file(path) if path.is_file() else _add_files(hashlib.sha256(), path).hexdigest()


def _add_files(digest: hashlib._Hash, folder: Path) -> hashlib._Hash:
    for row in walk(folder):
        if _IGNORED.intersection(row.name.split("/")):
            continue
        path = folder / row.name
        if not row.flaw or (row.flaw == A_LINK and path.is_file()):
            digest.update(f"\0{row.name}\0{of_file(path)}".encode())
        elif row.unnamed:  # a file whose name cannot be encoded cannot be part of a digest
            raise ConfigError(f"{shown(path)} is {row.flaw}", hint="rename it, or move it out of the folder")
    return digest
