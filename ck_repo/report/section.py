"""A section of a page: its charts, tables and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ck_repo.report.chart import Chart


@dataclass(frozen=True)
class Table:
    """A table of a page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class GalleryForm:
    """The filters of a gallery: names of its runs; with several, images on which they disagree can be selected."""

    runs: Sequence[str]

    @property
    def pair(self) -> bool:
        """Whether there are several runs."""
        return len(self.runs) > 1


@dataclass(frozen=True)
class Section:
    """A section of a page with a heading."""

    key: str
    title: str
    text: str = ""
    charts: Sequence[Chart] = ()
    pairs: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    commands: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    gallery: GalleryForm | None = None


@dataclass(frozen=True)
class Tile:
    """A highlighted number."""

    name: str
    value: str
    note: str = ""
