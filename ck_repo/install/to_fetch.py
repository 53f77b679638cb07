"""The downloads of an installation and their sizes, before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ck_repo.errors import CKError
from ck_repo.install.fetch import is_cached
from ck_repo.install.git_source import read_commit
from ck_repo.install.http_request import size_of
from ck_repo.install.source import Source, is_local, read_source, with_local_mirrors
from ck_repo.network import is_offline
from ck_repo.resolve.plan import Choice, NewPackage, PythonPackage, in_order

_LISTED = 6  # maximum number of listed files


@dataclass(frozen=True)
class ToFetch:
    """A file to download.

    Attributes
    ----------
    size
        Bytes; None if neither the recipe nor the server has the size.
    """

    name: str
    size: int | None


def to_fetch(choices: Mapping[str, Choice], *, ask: bool = False) -> list[ToFetch]:
    """The files that an installation of these choices would download.

    Parameters
    ----------
    choices
        Choices of a plan. Installed components and files in the cache are excluded.
    ask
        Whether to query servers for sizes that recipes lack. One that does not answer costs its timeout.
    """
    found = []
    for source in _sources(choices):
        size = source.size
        if size is None and ask and not is_offline() and not read_commit(source.urls[0]):
            size = size_of(with_local_mirrors(source).urls)
        found.append(ToFetch(source.name, size))
    return found


def _sources(choices: Mapping[str, Choice]) -> Iterator[Source]:
    for _, choice in in_order(choices):
        if not isinstance(choice, NewPackage):
            continue
        try:
            steps = choice.variant.component.fields(choice.variant.chosen).rows("install")
            sources = [read_source(step.fields("download")) for step in steps if "download" in step]
        except CKError:  # the installation reports errors of the recipe
            continue
        for source in sources:
            if not is_local(with_local_mirrors(source).urls[0]) and not is_cached(source):
                yield source


def fetch_lines(choices: Mapping[str, Choice], *, ask: bool = False) -> list[str]:
    """A summary as text; empty if nothing is downloaded.

    Parameters
    ----------
    ask
        Whether servers are asked for sizes that recipes do not have.
    """
    files = to_fetch(choices, ask=ask)
    if not files:
        return []
    python = sum(1 for _, choice in in_order(choices) if isinstance(choice, PythonPackage) and not choice.ready)
    parts = []
    if known := [file.size for file in files if file.size is not None]:
        parts.append(readable(sum(known)))
    if unknown := sum(1 for file in files if file.size is None):
        parts.append(f"{unknown} file{'s' if unknown > 1 else ''} of unknown size")
    if python:
        parts.append(f"{python} Python package{'s' if python > 1 else ''}")
    named = [file.name + ("" if file.size is None else f" {readable(file.size)}") for file in files[:_LISTED]]
    more = [f"{len(files) - _LISTED} more"] if len(files) > _LISTED else []
    listed = f" ({', '.join([*named, *more])})"
    return [f"to download: {', '.join(parts)}{listed}"]


def readable(size: int) -> str:
    """A number of bytes as text.

    >>> readable(815_585_330)
    '816 MB'
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} B"
