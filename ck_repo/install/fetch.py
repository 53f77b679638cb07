"""A cache of verified files, which are stored under their digests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import DownloadError, MismatchError, StorageError
from ck_repo.install.download import download
from ck_repo.install.git_source import read_commit, unproven
from ck_repo.install.publisher import pin
from ck_repo.install.source import Source, is_local, with_local_mirrors
from ck_repo.network import refuse_offline
from ck_repo.store.atomic import storage_errors, write_text
from ck_repo.store.digest import of_file
from ck_repo.store.folders import tools_root
from ck_repo.store.lock import locked
from ck_repo.store.work import scratch_folder, writing_file

Fetched = tuple[Path, str]  # a file in the cache, and its SHA-256


def cache_root() -> Path:
    """The folder of downloaded files."""
    return tools_root() / ".cache"


def fetch(source: Source) -> Fetched:
    """Download a file, or take it from the cache; verify it in both cases.

    Returns
    -------
    path, sha256
        The file in the cache, which must not be changed, and its digest.

    Raises
    ------
    DownloadError
        If no URL has the file, or its digest differs; the message has expected and actual values.
    OfflineError
        If it is not in the cache, and the network is disabled.
    StorageError
        If the disk is full or not writable.
    """
    if found := _cached(source):
        return found
    if not any(is_local(url) for url in with_local_mirrors(source).urls):
        refuse_offline(f"{source.name} ({source.urls[0]})")
    wanted, source = source, _pinned(source)
    name = sha256("\n".join([source.digest or source.urls[0], source.name]).encode()).hexdigest()[:24]
    with locked(cache_root() / "locks" / f"{name}.lock", f"downloading {source.name}"):
        if found := _cached(source):  # another process downloaded it first
            return found
        part = cache_root() / "partial" / f"{name}.part"
        with storage_errors(f"downloading {source.name}"):
            part.parent.mkdir(parents=True, exist_ok=True)
            _check_space(source, part)
            try:
                path, digest = _fetch_into(source, part, wanted)
                if not wanted.digest:
                    write_text(_pin_of(wanted), digest + "\n")
                return path, digest
            except OSError:
                part.unlink(missing_ok=True)  # free the space of a full disk again
                raise


def is_cached(source: Source) -> bool:
    """Whether a file with that digest is in the cache; it is only verified when it is used."""
    digest = source.sha256
    if not digest:
        known = next((cache_root() / algorithm / weak for algorithm, weak in source.weaker), _pin_of(source))
        digest = known.read_text().strip() if known.exists() else ""
    return bool(digest) and _place(digest).exists()


def fetch_unknown(source: Source, known: str = "") -> Fetched:
    """Download a file without a known digest; the caller holds a lock on its URL, and decides what may be used.

    Parameters
    ----------
    known
        SHA-256 of the file from the last time: if that is still in the cache, it is used.

    Returns
    -------
    path, sha256
        The file in the cache, and its digest.
    """
    if known and (found := _cached(replace(source, sha256=known))):
        return found
    if not any(is_local(url) for url in with_local_mirrors(source).urls):
        refuse_offline(f"{source.name} ({source.urls[0]})")
    # the rest of an earlier attempt may belong to another file and is not used
    with storage_errors(f"downloading {source.name}"), scratch_folder(cache_root() / "partial", "fetch") as scratch:
        part, urls = scratch / "file.part", with_local_mirrors(source).urls
        download(urls, part, source.size, f"downloading {source.name}", lambda path, sha256: "", unknown=True)
        return _keep(part, source)


def _fetch_into(source: Source, part: Path, wanted: Source) -> Fetched:
    urls = with_local_mirrors(source).urls
    try:
        download(urls, part, source.size, f"downloading {source.name}", lambda path, sha256: mismatch(path, source, sha256))
    except DownloadError as error:
        if not wanted.digest and source.sha256:
            error.hint += f"\nthe file was pinned when it was first verified; to accept another one, remove {_pin_of(wanted)}"
        raise
    return _keep(part, source)


def adopt(path: Path, source: Source) -> Path:
    """Add a file that did not come over the network to the cache, where it is only found by its digest.

    It does not become the file of its URL, because only the recipe or the publisher determine that.

    Parameters
    ----------
    path
        The file; it is copied.
    source
        The source that it belongs to, whose SHA-256 must be known.

    Raises
    ------
    MismatchError
        If the digest differs.
    """
    if wrong := mismatch(path, source):
        raise MismatchError(f"{path.name} is not {source.name}: {wrong}", hint="create the bundle again: it was damaged")
    final = _place(source.sha256)
    if not final.exists():
        with storage_errors(f"writing {source.name}"):
            final.parent.mkdir(parents=True, exist_ok=True)
            with writing_file(final, overwrite=True) as beside:
                shutil.copyfile(path, beside)
    for algorithm, weak in source.weaker:
        write_text(cache_root() / algorithm / weak, source.sha256 + "\n")
    if read_commit(source.urls[0]):  # the content was proven to be that of the commit
        write_text(_pin_of(source), source.sha256 + "\n")
    return final


def pinned_digest(source: Source) -> str:
    """The SHA-256 that was verified earlier for a source whose recipe has none; empty if there was none."""
    path = _pin_of(source)
    return path.read_text().strip() if path.exists() else ""


def forget_fetched(digests: Iterable[str]) -> None:
    """Remove files from the cache, by their SHA-256, so that they are downloaded again."""
    for digest in digests:
        if digest:
            _place(digest).unlink(missing_ok=True)


def mismatch(path: Path, source: Source, known: str = "") -> str:
    """How a file differs from the expected one; empty if it does not.

    Parameters
    ----------
    known
        The SHA-256 of the file, if it was computed already.
    """
    size = path.stat().st_size
    if source.size is not None and size != source.size:
        return f"{source.size} bytes expected, {size} received"
    for algorithm, wanted in (("sha256", source.sha256), ("sha1", source.sha1), ("md5", source.md5)):
        if wanted:
            with progress.task(f"verifying {source.name}"):
                seen = known if known and algorithm == "sha256" else of_file(path, algorithm)
            if seen != wanted:
                return f"{algorithm} {wanted} expected, {seen} received"
    commit = read_commit(source.urls[0])
    return unproven(path, commit) if commit else ""


def _keep(part: Path, source: Source) -> Fetched:
    digest = source.sha256 or of_file(part)
    final = _place(digest)
    final.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, final)
    for algorithm, weak in source.weaker:
        write_text(cache_root() / algorithm / weak, digest + "\n")
    return final, digest


def _place(digest: str) -> Path:
    return cache_root() / "sha256" / digest[:2] / digest


def _pin_of(source: Source) -> Path:
    """The file with the SHA-256 of a download whose recipe has none, after it was verified with the publisher's digest.

    Later downloads must have this digest, whatever the publisher says then; `ck clean env` keeps the pins.
    """
    return cache_root() / "pins" / sha256(source.urls[0].encode()).hexdigest()


def _pinned(source: Source) -> Source:
    """The source with a digest: the recipe's, a pinned one, or the publisher's."""
    known = _pin_of(source)
    if not source.pinned and known.exists() and (digest := known.read_text().strip()):
        return replace(source, sha256=digest)
    return pin(source)


def _cached(source: Source) -> Fetched | None:
    digest = source.sha256
    if not digest:
        known = next((cache_root() / algorithm / weak for algorithm, weak in source.weaker), _pin_of(source))
        digest = known.read_text().strip() if known.exists() else ""
    path = _place(digest) if digest else None
    if path is None or not path.exists():
        return None
    if of_file(path) != digest:
        progress.say(f"the cached copy of {source.name} was changed; downloading it again")
        path.unlink()
        return None
    return path, digest


def _check_space(source: Source, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(part.parent).free
    if source.size is not None and source.size - have > free:
        raise StorageError(
            f"downloading {source.name}: it needs {source.size / 1e6:.0f} MB, and {part.parent} has {free / 1e6:.0f} MB free",
            hint="free some space (`ck clean env`) or point CK_TOOLS elsewhere",
        )
