"""What an installation would fetch, and how large it is, before it begins."""

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

_LISTED = 6  # files that are named


@dataclass(frozen=True)
class ToFetch:
    """A file that will be fetched.

    Attributes
    ----------
    size
        Bytes; None if neither the recipe nor the server says.
    """

    name: str
    size: int | None


def to_fetch(choices: Mapping[str, Choice], *, ask: bool = False) -> list[ToFetch]:
    """The files that installing these choices would fetch.

    Parameters
    ----------
    choices
        Of a plan. What is installed or in the cache of fetched files is left out.
    ask
        Whether servers are asked for sizes that recipes do not have. One that does not answer costs its timeout.
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
        except CKError:  # the installation says what is wrong with the recipe
            continue
        for source in sources:
            if not is_local(with_local_mirrors(source).urls[0]) and not is_cached(source):
                yield source


def fetch_lines(choices: Mapping[str, Choice], *, ask: bool = False) -> list[str]:
    """The same for a person; nothing if nothing is fetched."""
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
    return [f"to fetch: {', '.join(parts)}{listed}"]


def readable(size: int) -> str:
    """A number of bytes for a person.

    >>> readable(815_585_330)
    '816 MB'
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} B"
