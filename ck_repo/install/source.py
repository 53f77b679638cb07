"""The source of a download, and how it is verified."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ck_repo.errors import ConfigError
from ck_repo.install.git_source import read_commit
from ck_repo.resolve.package_keys import STEPS
from ck_repo.store.fields import Fields

_ZENODO_FILE = re.compile(r"https?://(?:www\.)?zenodo\.org/records?/(\d+)/files/([^?]+)")
_HEX = {"sha256": 64, "sha1": 40, "md5": 32}


@dataclass(frozen=True)
class Source:
    """A file to download.

    Attributes
    ----------
    urls
        Its URLs, the publisher first, then mirrors. Supported are http, https and file, and commits (`read_commit`), whose
        files are stored as a tar.
    size
        Bytes, if known.
    sha256, md5, sha1
        Digests, lower-case hexadecimal; empty if unknown.
    """

    urls: tuple[str, ...]
    size: int | None = None
    sha256: str = ""
    md5: str = ""
    sha1: str = ""

    @property
    def weaker(self) -> tuple[tuple[str, str], ...]:
        """Algorithm and value of the known digests other than SHA-256."""
        return tuple((name, value) for name, value in (("sha1", self.sha1), ("md5", self.md5)) if value)

    @property
    def name(self) -> str:
        """The file's name, from the first URL."""
        if commit := read_commit(self.urls[0]):
            return f"{commit.url.rpartition('/')[2].removesuffix('.git')}-{commit.digest[:12]}.tar"
        return unquote(urlsplit(self.urls[0]).path.rpartition("/")[2]) or "file"

    @property
    def digest(self) -> str:
        """The best known digest of the file; empty if none is known."""
        return self.sha256 or self.sha1 or self.md5

    @property
    def pinned(self) -> bool:
        """Whether the content is determined: by a digest, or as a commit, whose digest covers its content."""
        return bool(self.digest) or read_commit(self.urls[0]) is not None


def read_source(fields: Fields) -> Source:
    """Parse the `download` of a recipe."""
    fields.only(*STEPS["download"])
    digests = {}
    for name, length in _HEX.items():
        digests[name] = fields.text(name).lower()
        if digests[name] and not re.fullmatch(f"[0-9a-f]{{{length}}}", digests[name]):
            raise ConfigError(f"{name} {digests[name]!r} is not {length} hexadecimal digits", hint="fix the recipe")
    urls = (fields.needed("url"), *fields.texts("mirrors"))
    for url in urls:
        if not _is_url(url) and not read_commit(url):
            raise ConfigError(
                f"{url!r} is not http, https or file, and not a commit",
                hint="fix the recipe; a commit is git+https://…@ and its 40 digits",
            )
    return Source(urls, fields.integer("size"), digests["sha256"], digests["md5"], digests["sha1"])


def _is_url(url: str) -> bool:
    """Whether a file can be downloaded from the URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "file" or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:  # an incomplete IPv6 address, or an invalid port
        return False


def source_of(row: Mapping[str, Any], where: object) -> Source:
    """The source of a downloaded file in a lock; checked like a recipe's, because locks may be untrusted.

    Parameters
    ----------
    row
        ``urls``, ``sha256``, and optionally ``size`` in bytes and other digests.
    where
        The lock, for messages.

    Raises
    ------
    ConfigError
        If it has no URL or no digest, or they are invalid.
    """
    urls = Fields(row, where).texts("urls")
    if not urls:
        raise ConfigError(f"{where}: a download has no URL", hint="the lock was edited")
    if not row.get("sha256"):
        raise ConfigError(f"{where}: {urls[0]} has no sha256", hint="the lock was edited: locks have the digest of every file")
    known = {key: row[key] for key in ("size", *_HEX) if row.get(key) is not None}
    return read_source(Fields({"url": urls[0], "mirrors": list(urls[1:]), **known}, where))


def is_local(url: str) -> bool:
    """Whether a URL refers to this machine."""
    return urlsplit(url).scheme in ("file", "git+file")


def local_file(url: str) -> Path:
    """The file of a ``file:`` URL.

    >>> local_file("file:///a%20b")
    PosixPath('/a b')
    """
    return Path(unquote(urlsplit(url).path))


def with_local_mirrors(source: Source) -> Source:
    """The source with configured mirrors first: CK_MIRRORS is a list of ``FROM=TO`` prefixes, separated by spaces.

    A URL that would lead out of the mirror's folder, with ``..``, is not searched there.
    """
    extra = []
    for row in os.environ.get("CK_MIRRORS", "").split():
        before, _, after = row.partition("=")
        below = [url.removeprefix(before) for url in source.urls if before and url.startswith(before)]
        extra += [after + name for name in below if ".." not in unquote(name).split("/")]
    return replace(source, urls=(*extra, *source.urls))


def zenodo_file(source: Source) -> tuple[str, str] | None:
    """Record and file name, if the file is on Zenodo."""
    for url in source.urls:
        if match := _ZENODO_FILE.match(url):
            return match.group(1), unquote(match.group(2))
    return None
