"""A need: required tags, excluded tags, and a version."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ck_repo.resolve.versions import is_version, range_of
from ck_repo.store.query import TagQuery


@dataclass(frozen=True)
class Need:
    """The requirements for a component.

    Attributes
    ----------
    query
        Required tags and names, including words that look like versions, and excluded tags.
    version
        A PEP 440 range; empty for any.
    """

    query: TagQuery
    version: str = ""

    @classmethod
    def parse(cls, tags: Iterable[str], version: str, asker: str) -> Need:
        """Parse a need from a user or a recipe.

        Raises
        ------
        ConfigError
            If the version is not a range.
        """
        range_of(version, f"the version requested by {asker}")
        return cls(TagQuery.parse(tags), version)

    @property
    def words(self) -> frozenset[str]:
        """The tags and names without those that look like versions, which every match has."""
        return frozenset(word for word in self.query.required if not is_version(word))

    def of(self, tags: Collection[str], versions: Collection[str] = ()) -> tuple[frozenset[str], str]:
        """Tags and version range for a component that may have `tags`.

        A word that looks like a version is a tag for components with that tag, and otherwise a version: one package may have a
        tag ``1.6.0`` and another a version 1.6.0.

        Parameters
        ----------
        versions
            Words that are versions of it, even though they do not look like versions.
        """
        if not self.words:
            return self.query.required, self.version
        pins = sorted(tag for tag in self.query.required if tag not in tags and (is_version(tag) or tag in versions))
        parts = (self.version, *(f"=={tag.lstrip('v')}" for tag in pins))
        return self.query.required - set(pins), ",".join(part for part in parts if part)

    def __str__(self) -> str:
        """As text: tags, then versions."""
        tags, version = self.of(())
        return " ".join(part for part in (str(TagQuery(tags, self.query.excluded)), version) if part)
