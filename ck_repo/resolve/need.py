"""A need: tags to have, tags not to have, and a version."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ck_repo.resolve.versions import is_version, range_of
from ck_repo.store.query import TagQuery


@dataclass(frozen=True)
class Need:
    """What something has to be.

    Attributes
    ----------
    query
        Tags and names to have, among them words that read as versions, and tags not to have.
    version
        A PEP 440 range; empty for any.
    """

    query: TagQuery
    version: str = ""

    @classmethod
    def parse(cls, tags: Iterable[str], version: str, asker: str) -> Need:
        """A need as a person or a recipe writes it.

        Raises
        ------
        ConfigError
            If the version is not a range.
        """
        range_of(version, f"the version that {asker} asks for")
        return cls(TagQuery.parse(tags), version)

    @property
    def words(self) -> frozenset[str]:
        """The tags and names without those that read as versions: what everything that meets the need has."""
        return frozenset(word for word in self.query.required if not is_version(word))

    def of(self, tags: Collection[str], versions: Collection[str] = ()) -> tuple[frozenset[str], str]:
        """Tags and version range for something that may have `tags`.

        A word that reads as a version is a tag where something has it as a tag, and a version where it has not: one package
        may have a tag ``1.6.0`` and another a version 1.6.0.

        Parameters
        ----------
        versions
            Words that are versions of it, though they do not read as such.
        """
        if not self.words:
            return self.query.required, self.version
        pins = sorted(tag for tag in self.query.required if tag not in tags and (is_version(tag) or tag in versions))
        parts = (self.version, *(f"=={tag.lstrip('v')}" for tag in pins))
        return self.query.required - set(pins), ",".join(part for part in parts if part)

    def __str__(self) -> str:
        """As a person reads it: tags, then versions."""
        tags, version = self.of(())
        return " ".join(part for part in (str(TagQuery(tags, self.query.excluded)), version) if part)
