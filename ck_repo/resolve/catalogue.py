"""The available packages, of which only those that may meet a need are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from ck_repo.errors import CKError
from ck_repo.resolve.component import Component, read_component
from ck_repo.store.entry import Entry
from ck_repo.store.lookup import Lookup
from ck_repo.store.repositories import Repositories

_NEAREST = 20  # maximum packages of a repository that are read to explain a failure


class Catalogue(Protocol):
    """The resolver's interface to packages. Answers may have more than requested: the resolver compares."""

    def candidates(self, words: Collection[str]) -> Sequence[Component]:
        """The packages that may have all words: tags, tags of variations, names."""

    def near(self, words: Collection[str], minimum: int) -> Sequence[Component]:
        """Packages that have at least `minimum` of the words, to explain why none has all."""

    def conversions(self) -> Sequence[Component]:
        """The packages that convert models."""

    def of(self, aliases: Collection[str]) -> Sequence[Component]:
        """The packages of some repositories."""

    def tags(self, words: Collection[str] = ()) -> frozenset[str]:
        """Every tag in use, including aliases and tags of variations; with `words` of the packages that have all of these."""

    def names(self) -> Sequence[str]:
        """The names of all packages, with and without their repository."""

    def canonical(self, word: str) -> str:
        """``REPOSITORY:MODULE:NAME`` with the repository's alias instead of another name.

        Raises
        ------
        NotFoundError
            If there is no such repository.
        """

    def fault(self, word: str) -> CKError | None:
        """Why the package of that name cannot be read; None if it can, or does not exist."""


class Listed:
    """A catalogue of packages that were already read."""

    def __init__(self, packages: Iterable[Component]) -> None:
        self._packages = tuple(packages)

    def candidates(self, words: Collection[str]) -> Sequence[Component]:
        """All of them."""
        return self._packages

    def near(self, words: Collection[str], minimum: int) -> Sequence[Component]:
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
        """The word itself: without repositories, an alias is the only name."""
        return word

    def fault(self, word: str) -> CKError | None:
        """None: all were read."""
        return None


class Stored:
    """The packages of all repositories, found through the search index and read once when they are candidates.

    Unreadable packages are skipped with a warning.
    """

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories
        self._lookup = Lookup(repositories, "package")
        self._read: dict[Entry, Component | None] = {}

    def candidates(self, words: Collection[str]) -> Sequence[Component]:
        """Those whose tags, variations or names have every word in the index."""
        return self._components(self._lookup.with_words(words))

    def near(self, words: Collection[str], minimum: int) -> Sequence[Component]:
        """Those with most of the words, some of each repository."""
        return self._components(self._lookup.near(words, minimum, _NEAREST))

    def conversions(self) -> Sequence[Component]:
        """Those whose meta has the key `conversion`."""
        return [row for row in self._components(self._lookup.with_key("conversion")) if row.conversion]

    def of(self, aliases: Collection[str]) -> Sequence[Component]:
        """Those of some repositories, all of which are read."""
        return self._components(self._lookup.of(aliases))

    def tags(self, words: Collection[str] = ()) -> frozenset[str]:
        """The tags in the index."""
        return frozenset(self._lookup.tags(words))

    def names(self) -> Sequence[str]:
        """The names in the index."""
        return self._lookup.names()

    def canonical(self, word: str) -> str:
        """The word with its repository's alias."""
        repository, colon, rest = word.partition(":")
        return f"{self._repositories.get(repository).alias}:{rest}" if colon and ":" in rest else word

    def fault(self, word: str) -> CKError | None:
        """Read the package of that name."""
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
