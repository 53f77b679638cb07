"""Entries of one module in all repositories, found by words through indexes that are opened once."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from ck_repo.errors import CKError
from ck_repo.store.entry import Entry, read_alias_file, read_uid, uid_file
from ck_repo.store.index import ModuleIndex
from ck_repo.store.plain_file import UnreadableError
from ck_repo.store.query import TagQuery
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import Repository
from ck_repo.store.uid import is_uid
from ck_repo.store.warnings_once import warn_once


class Lookup:
    """Finds entries by a tag, an alias, a UID, ``MODULE:NAME`` or ``REPOSITORY:MODULE:NAME``.

    The indexes limit which entries are read. They are updated when the lookup is created; callers compare what they read with
    what they need.

    Parameters
    ----------
    repositories
        The repositories to search.
    module
        The module's name.
    """

    def __init__(self, repositories: Repositories, module: str) -> None:
        self._module = module
        self._repositories = repositories
        self._warned: set[str] = set()
        self._by_uid: dict[str, dict[Path, set[str]]] = {}
        self._shelves = [
            _Shelf(row, folder) for row in repositories.all() for folder in row.module_folders(module) if folder.is_dir()
        ]
        for shelf in self._shelves:
            self.warn(shelf.repository.alias, shelf.problems)

    def with_words(self, words: Collection[str]) -> list[Entry]:
        """The entries that may match all words, in the order of the repositories."""
        found: list[Entry] = []
        for shelf in self._shelves:
            names = self._having(shelf, words)
            found += self._entries(shelf, sorted(names))
        return found

    def near(self, words: Collection[str], minimum: int, maximum: int) -> list[Entry]:
        """Entries that match at least `minimum` words: at most `maximum` from each repository, best matches first."""
        found: list[Entry] = []
        for shelf in self._shelves:
            count = Counter(name for word in words for name in self._with(shelf, word))
            rows = sorted((-shared, name) for name, shared in count.items() if shared >= minimum)
            found += self._entries(shelf, [name for _, name in rows[:maximum]])
        return found

    def with_key(self, key: str) -> list[Entry]:
        """The entries whose meta.json has that key."""
        return [entry for shelf in self._shelves for entry in self._entries(shelf, shelf.index.with_key(key))]

    def found_by(self, word: str) -> list[Entry]:
        """The entries whose meta.json lists that word under ``found_by``."""
        return [entry for shelf in self._shelves for entry in self._entries(shelf, shelf.index.found_by(word))]

    def of(self, aliases: Collection[str]) -> list[Entry]:
        """The entries of some repositories."""
        shelves = [shelf for shelf in self._shelves if shelf.repository.alias in aliases]
        return [entry for shelf in shelves for entry in self._entries(shelf, shelf.index.folders())]

    def tags(self, words: Collection[str] = ()) -> set[str]:
        """Every tag and alias in use; with `words` only those of the entries that may match all of them."""
        found: set[str] = set()
        for shelf in self._shelves:
            if not words:
                found.update(shelf.index.tags(), shelf.index.with_tags(TagQuery(frozenset())))
            for name in self._having(shelf, words) if words else ():
                found |= {name, *shelf.index.tags_of(name)}
        return found

    def names(self) -> list[str]:
        """The names of all entries, with and without their repository."""
        found: list[str] = []
        for shelf in self._shelves:
            for name in shelf.index.folders():
                found += [f"{shelf.repository.alias}:{self._module}:{name}", f"{self._module}:{name}"]
        return found

    def named(self, word: str) -> Iterator[Entry]:
        """The entries with that alias, UID or longer name.

        Raises
        ------
        ConfigError
            If an entry of that name cannot be read.
        """
        repository, name = self._parts(word)
        for shelf in self._shelves:
            if repository in ("", shelf.repository.alias):
                for folder in sorted(self._named(shelf, name)):
                    yield shelf.entry(self._module, folder)

    def warn(self, repository: str, problems: list[str]) -> None:
        """Warn of entries that cannot be used, at most once for each repository; earlier warnings are not repeated."""
        if repository not in self._warned and warn_once(repository, self._module, problems):
            self._warned.add(repository)

    def _having(self, shelf: _Shelf, words: Collection[str]) -> set[str]:
        names: set[str] | None = None
        for word in words:
            names = self._with(shelf, word) if names is None else names & self._with(shelf, word)
            if not names:
                return set()
        return set(shelf.index.folders()) if names is None else names

    def _with(self, shelf: _Shelf, word: str) -> set[str]:
        if ":" not in word:
            return shelf.with_word(word) | self._named(shelf, word)
        repository, name = self._parts(word)
        return self._named(shelf, name) if name and repository in ("", shelf.repository.alias) else set()

    def _named(self, shelf: _Shelf, name: str) -> set[str]:
        """The folders of an alias or a UID in one repository, including those of unreadable entries."""
        if not is_uid(name):
            return shelf.called(name)
        if name not in self._by_uid:
            found = {row.folder: row.with_uid(name) for row in self._shelves}
            if not any(found.values()):  # an index does not monitor the files with UIDs: read every entry
                found = {row.folder: set(row.index.with_uid(name)) for row in self._shelves}
            self._by_uid[name] = found
        return self._by_uid[name][shelf.folder] | shelf.called(name)

    def _parts(self, word: str) -> tuple[str, str]:
        """Repository and name of ``[REPOSITORY:]MODULE:NAME``; the name is empty if the word belongs to another module."""
        before, colon, name = word.rpartition(":")
        repository, _, module = before.rpartition(":")
        return repository, name if not colon or module == self._module else ""

    def _entries(self, shelf: _Shelf, names: Collection[str]) -> Iterator[Entry]:
        problems = []
        for name in names:
            try:
                yield shelf.entry(self._module, name)
            except CKError as error:
                problems.append(error.what)
        self.warn(shelf.repository.alias, problems)


class _Shelf:
    """A module's folder in one repository, with its index."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository, self.folder = repository, folder
        self.index = ModuleIndex(folder)
        self._module_uid = ""
        self._words: dict[str, set[str]] = {}
        self.problems = self.index.problems()
        weakref.finalize(self, self.index.close)

    def with_word(self, word: str) -> set[str]:
        """The folders of entries that match a word by name or by tag."""
        if word not in self._words:
            self._words[word] = self.index.with_word(word)
        return self._words[word]

    def called(self, name: str) -> set[str]:
        """The folder of an alias, if there is one."""
        return {name} if self.index.has_folder(name) else set()

    def with_uid(self, uid: str) -> set[str]:
        """The folders that the index or the alias file has for a UID; the latter also for unreadable entries."""
        found = self.index.with_word(uid)
        try:
            alias = read_alias_file(uid_file(self.folder, uid))
        except UnreadableError:
            return found
        return found | self.called(alias)

    def entry(self, module: str, name: str) -> Entry:
        """The entry in a folder."""
        row = self.repository
        self._module_uid = self._module_uid or row.module_uid(module)
        return Entry(row.alias, module, name, read_uid(self.folder / name), self.folder / name, row.uid, self._module_uid)
