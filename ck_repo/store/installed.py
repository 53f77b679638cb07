"""What an env entry says of a package that was installed, or of something that the user registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ck_repo.contract.record import optional, other_keys, transient, write
from ck_repo.contract.spec import Preprocessed
from ck_repo.store.fields import Fields

PACKAGE, REGISTERED = "package", "registered"  # sources
_ONCE = "detected"  # the source of registered files in entries that were written up to version 0.1.0


@dataclass(frozen=True)
class RecipeEntry:
    """The package entry whose recipe was followed, and the SHA-256 of that recipe."""

    repository: str = optional("")
    module: str = optional("")
    alias: str = optional("")
    uid: str = optional("")
    digest: str = optional("")


@dataclass(frozen=True)
class InstalledDataset:
    """Images and their annotations; for a package, paths are relative to its folder.

    Attributes
    ----------
    count, categories
        How many images, and categories of objects.
    digest
        Names the content.
    stamp
        Of a registered data set: by what a later change of its images is noticed.
    preprocessed
        The images that it holds ready, if any.
    format
        Of the annotations; that of COCO if empty.
    boxes, crowds
        How many boxes, and how many of them are crowds.
    names
        The file with the names of the categories, if there is one.
    remarks
        What the reader of annotations corrected, and what looks wrong.
    given
        What the user named, as `ck_repo.machine.data_set.Wanted` has it.
    inside
        Whether images are looked for below the folder of images alone, whatever paths the annotations name.
    """

    images: str = optional("")
    annotations: str = optional("")
    count: int | None = optional()
    categories: int | None = optional()
    annotations_sha256: str = optional("")
    digest: str = optional("")
    stamp: str = optional("")
    preprocessed: Preprocessed | None = optional()
    format: str = optional("")
    boxes: int | None = optional()
    crowds: int | None = optional()
    names: str = optional("")
    remarks: tuple[str, ...] = optional(())
    given: Mapping[str, Any] | None = optional()
    inside: bool = optional(False)
    others: Mapping[str, Any] = other_keys()


@dataclass(frozen=True)
class Installed:
    """The meta of an env entry.

    Attributes
    ----------
    label
        What people call it; see `title`.
    source
        ``package``, ``registered``, or ``stock CK`` for what a stock CK installed or detected.
    key
        What names it: the digest of recipe, variations and inputs, or that of the file.
    inputs
        Keys of what it was made from, by dependency.
    path, file
        Its folder, and its main file, if it has one.
    digest
        SHA-256 of what was installed.
    files
        How many.
    tools
        Versions of the Python packages that made it.
    downloads
        What was fetched for it; see `LockedComponent`.
    model
        Of a model: its format, its profile and its interface.
    only_for
        ``venv:NAME`` or ``experiment:UID`` if nothing else may use it.
    python_path
        The folder of Python modules that it brings.
    unverified
        Whether no digest vouches for what was fetched.
    soft
        Of something registered: the soft entry by which it was.
    parts
        Of a model: names of its further files, below the folder of its main file. They are part of its digest.
    parts_stamp
        Of a registered model: by what a later change of its parts is noticed.
    size, changed_ns
        Of something registered: of its file.
    number, registered
        Of something registered: by which the last one is known, and when.
    environment
        Variables of stock CK's entry.
    requirement
        Of a Python package of a venv, which has no entry: its name and range.
    given_name
        The name that the user gave it.
    uid, alias, problem
        Of its entry, and why it cannot be used; not in the file.
    """

    name: str = optional("")
    label: str = optional("")
    tags: tuple[str, ...] = optional(())
    version: str = optional("")
    variations: tuple[str, ...] = optional(())
    component: RecipeEntry | None = optional()
    source: str = optional("")
    key: str = optional("")
    inputs: Mapping[str, str] = optional({})
    path: str = optional("")
    file: str = optional("")
    digest: str = optional("")
    files: int | None = optional()
    tools: Mapping[str, str] = optional({})
    downloads: tuple[Mapping[str, Any], ...] = optional(())
    installed: str = optional("")
    model: Mapping[str, Any] | None = optional()
    dataset: InstalledDataset | None = optional()
    only_for: str = optional("")
    python_path: str = optional("")
    unverified: bool = optional(False)
    licence: str = optional("")
    soft: str = optional("")
    parts: tuple[str, ...] = optional(())
    parts_stamp: str = optional("")
    size: int | None = optional()
    changed_ns: int | None = optional()
    number: int | None = optional()
    registered: str = optional("")
    environment: Mapping[str, str] | None = optional()
    requirement: str = optional("")
    given_name: str = optional("")
    others: Mapping[str, Any] = other_keys()
    uid: str = transient("")
    alias: str = transient("")
    problem: str = transient("")

    @property
    def title(self) -> str:
        """What people call it: its label, else its package's alias, else its name."""
        return self.label or (self.component.alias if self.component else "") or self.name

    @property
    def is_registered(self) -> bool:
        """Whether the user registered it with `ck detect`."""
        return self.source == REGISTERED

    @property
    def place(self) -> Path:
        """Its main file, else its folder."""
        return Path(self.file or self.path)

    def section(self, name: str) -> dict[str, object]:
        """Its object `model` or `dataset` as JSON; empty if it has none."""
        if name == "model":
            return dict(self.model or {})
        return write(self.dataset) if self.dataset else {}

    @property
    def names_and_tags(self) -> frozenset[str]:
        """By what it may be asked for: its tags, its UID, its name."""
        return frozenset([*self.tags, self.uid, self.name])


def described(env: Installed) -> dict[str, object]:
    """What an env entry says, with its UID, as JSON."""
    return write(env) | ({"uid": env.uid} if env.uid else {})


def read_installed(meta: Mapping[str, Any], source: object, uid: str = "", alias: str = "") -> Installed:
    """What an env entry's meta says.

    Parameters
    ----------
    source
        The file, for errors.
    uid, alias
        Of the entry.

    Raises
    ------
    ConfigError
        If a value is of the wrong type; with the file and the key.
    """
    fields = Fields(meta, source)
    found = Fields({**meta, "tags": list(fields.tags())}, source).record(Installed)
    for row in fields.rows("downloads"):
        row.texts("urls")
    return replace(found, source=REGISTERED if found.source == _ONCE else found.source, uid=uid, alias=alias)


def is_registered(meta: Mapping[str, Any]) -> bool:
    """Whether an env entry's meta is of something that the user registered."""
    return meta.get("source") in (REGISTERED, _ONCE)
