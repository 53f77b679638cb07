"""Campaign entries: the definition, and the journal of what was done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ck_repo.campaign.definition import Definition
from ck_repo.campaign.journal import Event, Journal
from ck_repo.campaign.matrix import Cell, Matrix
from ck_repo.errors import ConfigError, ConflictError, StorageError
from ck_repo.session import Session
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.lock import locked
from ck_repo.store.search import find
from ck_repo.store.writing import create_entry

MODULE = "campaign"
SWEEP, TUNE = "sweep", "tune"
_VERSION = 1


@dataclass(frozen=True)
class Campaign:
    """A campaign and its entry.

    Attributes
    ----------
    kind
        ``sweep`` or ``tune``.
    """

    entry: Entry
    kind: str
    definition: Definition

    @property
    def journal(self) -> Journal:
        """The journal."""
        return Journal(self.entry.path)

    def cells(self) -> list[Cell]:
        """The cells of its matrix."""
        return self.definition.matrix.cells()

    def events(self) -> list[Event]:
        """The events since it was last started."""
        return self.journal.events()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Refuse a second process that runs the same campaign."""
        try:
            with locked(self.entry.path / ".running", f"running {self.entry.cid}", wait=False):
                yield
        except StorageError as error:
            if "another process" not in error.what:
                raise
            raise ConflictError(
                f"{self.entry.cid} is being run by another process", hint="wait for it to end, or stop it"
            ) from None


def open_campaign(
    session: Session,
    definition: Definition,
    *,
    kind: str = SWEEP,
    name: str = "",
    repository: str = "",
    more: Mapping[str, Any] | None = None,
) -> Campaign:
    """The campaign of that name or definition; a new entry if there is none.

    Parameters
    ----------
    name
        Alias of the entry; by default the kind and the first digits of the definition's digest, so that the same command
        continues the same campaign.
    more
        Additional keys of a new entry's meta.

    Raises
    ------
    ConflictError
        If a campaign of that name has another definition.
    """
    if found := find_campaign(session, definition, kind=kind, name=name, repository=repository):
        return found
    meta = {
        "tags": [MODULE, kind],
        "version": _VERSION,
        "kind": kind,
        "definition": definition.as_data(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **(more or {}),
    }
    alias = name or _usual_name(definition, kind)
    return read_campaign(create_entry(session.repositories.writable(repository), MODULE, alias, meta))


def _usual_name(definition: Definition, kind: str) -> str:
    return f"{kind}-{definition.digest[:8]}"


def find_campaign(
    session: Session, definition: Definition, *, kind: str = SWEEP, name: str = "", repository: str = ""
) -> Campaign | None:
    """The campaign that `open_campaign` continues; None if it makes a new entry.

    Raises
    ------
    ConflictError
        If a campaign of that name has another definition.
    """
    alias = name or _usual_name(definition, kind)
    for entry in find(session.repositories, MODULE, alias):
        if entry.alias != alias or (repository and entry.repository != repository):
            continue
        campaign = read_campaign(entry)
        if campaign.definition.digest != definition.digest or campaign.kind != kind:
            raise ConflictError(
                f"{entry.cid} already exists with another definition",
                hint=f"{_other_machine(campaign, definition)}choose another name with --name=; recorded runs are not repeated",
            )
        return campaign
    return None


def _other_machine(campaign: Campaign, wanted: Definition) -> str:
    """A hint if a search of that name belongs to another machine; otherwise empty."""
    other = campaign.definition.machine and wanted.machine and campaign.definition.machine != wanted.machine
    return "it is a search for the settings of another machine, or of other cores or memory\n" if other else ""


def read_campaign(entry: Entry) -> Campaign:
    """The campaign of an entry.

    Raises
    ------
    ConfigError
        If its meta is not that of a campaign, or was written by a newer ck.
    """
    fields = Fields(entry.meta(), entry.path / META)
    if (version := fields.integer("version")) is None or not 0 < version <= _VERSION:
        raise ConfigError(
            f"{entry.cid} has the format {version}; this ck reads format {_VERSION}",
            hint="use the version of ck that created it, or remove the entry; recorded runs are kept",
        )
    row = fields.fields("definition")
    exclude = tuple({name: _values(each, name) for name in each.as_dict()} for each in row.rows("exclude"))
    axes = row.fields("axes")
    matrix = Matrix(row.table("fixed"), {name: _values(axes, name) for name in axes.as_dict()}, exclude)
    definition = Definition(
        row.needed("program"), matrix, row.integer("repetitions", 1) or 1, row.text("each") == "machine", row.texts("goals"),
        row.table("machine"),
    )  # fmt: skip
    return Campaign(entry, fields.text("kind", SWEEP), definition)


def _values(fields: Fields, key: str) -> tuple[Any, ...]:
    value = fields.as_dict()[key]
    if not isinstance(value, list):
        raise fields.error(key, value, "a list")
    return tuple(value)
