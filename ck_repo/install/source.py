"""Where a file comes from, and how it is known to be the right one."""

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
    """A file to fetch.

    Attributes
    ----------
    urls
        Where it is, the publisher first, then mirrors. http, https and file are known, and a commit (`read_commit`), of which
        the files come as a tar.
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
        """Algorithm and value of the known digests beside the SHA-256."""
        return tuple((name, value) for name, value in (("sha1", self.sha1), ("md5", self.md5)) if value)

    @property
    def name(self) -> str:
        """The file's name, from the first URL."""
        if commit := read_commit(self.urls[0]):
            return f"{commit.url.rpartition('/')[2].removesuffix('.git')}-{commit.digest[:12]}.tar"
        return unquote(urlsplit(self.urls[0]).path.rpartition("/")[2]) or "file"

    @property
    def digest(self) -> str:
        """The digest of the file that is known; empty if none is."""
        return self.sha256 or self.sha1 or self.md5

    @property
    def pinned(self) -> bool:
        """Whether it is known what the file has to be: by its digest, or as a commit, whose digest names its content."""
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
                f"{url!r} is neither http, https nor file, nor a commit",
                hint="fix the recipe; a commit is git+https://…@ and its 40 digits",
            )
    return Source(urls, fields.whole("size"), digests["sha256"], digests["md5"], digests["sha1"])


def _is_url(url: str) -> bool:
    """Whether it is a URL from which a file can be fetched."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "file" or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:  # half of an IPv6 address, a port that is no number
        return False


def source_of(row: Mapping[str, Any], where: object) -> Source:
    """The source of a file that was fetched, as a lock has it; checked as a recipe's is, for the lock may be anybody's."""
    urls = Fields(row, where).texts("urls")
    if not urls:
        raise ConfigError(f"{where}: a download has no URL", hint="the lock was edited")
    if not row.get("sha256"):
        raise ConfigError(f"{where}: {urls[0]} has no sha256", hint="the lock was edited: it knows the digest of every file")
    known = {key: row[key] for key in ("size", *_HEX) if row.get(key) is not None}
    return read_source(Fields({"url": urls[0], "mirrors": list(urls[1:]), **known}, where))


def is_local(url: str) -> bool:
    """Whether a URL leads to a place on this machine."""
    return urlsplit(url).scheme in ("file", "git+file")


def local_file(url: str) -> Path:
    """The file that a ``file:`` URL names.

    >>> local_file("file:///a%20b")
    PosixPath('/a b')
    """
    return Path(unquote(urlsplit(url).path))


def with_local_mirrors(source: Source) -> Source:
    """The source with the site's own mirrors first: CK_MIRRORS is a list of ``FROM=TO`` prefixes, separated by spaces.

    A URL that would lead out of the mirror's folder, with ``..``, is not looked for there.
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
