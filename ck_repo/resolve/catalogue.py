"""The packages that there are, read only as far as they may meet a need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from ck_repo.errors import CKError
from ck_repo.resolve.component import Component, read_component
from ck_repo.store.entry import Entry
from ck_repo.store.lookup import Lookup
from ck_repo.store.repositories import Repositories

_NEAREST = 20  # packages of a repository that are read to explain a failure


class Catalogue(Protocol):
    """What a resolver asks of the packages. An answer may hold more than what was asked for: the resolver compares."""

    def candidates(self, words: Collection[str]) -> Sequence[Component]:
        """The packages that may have all the words: tags, tags of variations, names."""

    def near(self, words: Collection[str], least: int) -> Sequence[Component]:
        """Packages that have at least `least` of the words, to explain why none has all."""

    def conversions(self) -> Sequence[Component]:
        """The packages that convert models."""

    def of(self, aliases: Collection[str]) -> Sequence[Component]:
        """The packages of some repositories."""

    def tags(self, words: Collection[str] = ()) -> frozenset[str]:
        """Every tag in use, those of variations and aliases too; with `words` of the packages that have all of these."""

    def names(self) -> Sequence[str]:
        """The names of all packages, with and without their repository."""

    def canonical(self, word: str) -> str:
        """``REPOSITORY:MODULE:NAME`` with the repository's alias, whichever of its names was used.

        Raises
        ------
        NotFoundError
            If there is no such repository.
        """

    def fault(self, word: str) -> CKError | None:
        """Why the package of that name cannot be read; None if it can, or if there is none."""


class Listed:
    """Packages that were read already."""

    def __init__(self, packages: Iterable[Component]) -> None:
        self._packages = tuple(packages)

    def candidates(self, words: Collection[str]) -> Sequence[Component]:
        """All of them."""
        return self._packages

    def near(self, words: Collection[str], least: int) -> Sequence[Component]:
        """All of them."""
        return self._packages

    def conversions(self) -> Sequence[Component]:
        """Those that convert models."""
        return [row for row in self._packages if row.conversion]

    def of(self, aliases: Collection[str]) -> Sequence[Component]:
        """Those of some repositories."""
        return [row for row in self._packages if row.entry.repository in aliases]

    def tags(self, words: Collection[str] = ()) -> frozenset[str]:
        """Their tags."""
        return frozenset().union(*(row.possible for row in self._packages if set(words) <= row.possible))

    def names(self) -> Sequence[str]:
        """Their names."""
        return [name for row in self._packages for name in (row.full_name, row.entry.cid)]

    def canonical(self, word: str) -> str:
        """The word itself: where there are no repositories, an alias is the only name."""
        return word

    def fault(self, word: str) -> CKError | None:
        """None: all were read."""
        return None


class Stored:
    """The packages of all repositories, found through the search index and read once each when they are candidates.

    Packages that cannot be read are left out with a warning.
    """

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories
        self._lookup = Lookup(repositories, "package")
        self._read: dict[Entry, Component | None] = {}

    def candidates(self, words: Collection[str]) -> Sequence[Component]:
        """Those whose tags, variations or names the index has for every word."""
        return self._components(self._lookup.with_words(words))

    def near(self, words: Collection[str], least: int) -> Sequence[Component]:
        """Those with the most of the words, some of each repository."""
        return self._components(self._lookup.near(words, least, _NEAREST))

    def conversions(self) -> Sequence[Component]:
        """Those whose meta has the key `conversion`."""
        return [row for row in self._components(self._lookup.with_key("conversion")) if row.conversion]

    def of(self, aliases: Collection[str]) -> Sequence[Component]:
        """Those of some repositories, all of them read."""
        return self._components(self._lookup.of(aliases))

    def tags(self, words: Collection[str] = ()) -> frozenset[str]:
        """The tags that the index has."""
        return frozenset(self._lookup.tags(words))

    def names(self) -> Sequence[str]:
        """The names that the index has."""
        return self._lookup.names()

    def canonical(self, word: str) -> str:
        """The word with its repository's alias."""
        repository, colon, rest = word.partition(":")
        return f"{self._repositories.get(repository).alias}:{rest}" if colon and ":" in rest else word

    def fault(self, word: str) -> CKError | None:
        """Read what has the name."""
        try:
            for entry in self._lookup.named(word):
                read_component(entry)
        except CKError as error:
            return error
        return None

    def _components(self, entries: Iterable[Entry]) -> list[Component]:
        found, problems = [], dict[str, list[str]]()
        for entry in entries:
            if entry not in self._read:
                try:
                    self._read[entry] = read_component(entry)
                except CKError as error:
                    self._read[entry] = None
                    problems.setdefault(entry.repository, []).append(error.what)
            if component := self._read[entry]:
                found.append(component)
        for repository, rows in problems.items():
            self._lookup.warn(repository, rows)
        return found
