"""The content of an env entry: an installed package, or something that the user registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ck_repo.contract.record import optional, other_keys, transient, write
from ck_repo.contract.spec import Preprocessed
from ck_repo.store.fields import Fields

PACKAGE, REGISTERED = "package", "registered"  # values of `source`
_ONCE = "detected"  # the source of registered files in entries of version 0.1.0 and older


@dataclass(frozen=True)
class RecipeEntry:
    """The package entry whose recipe was used, and the SHA-256 of that recipe."""

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
        The number of images, and of categories of objects.
    digest
        Digest of the content.
    stamp
        For a registered data set: used to detect later changes of its images.
    preprocessed
        The prepared images in it, if any.
    format
        Format of the annotations; COCO's if empty.
    boxes, crowds
        The number of boxes, and of crowds among them.
    names
        The file with the names of the categories, if any.
    remarks
        Corrections and suspicious findings of the annotation reader.
    given
        The user's selection; see `ck_repo.machine.data_set.Wanted`.
    inside
        Whether images are only searched below the image folder, whatever paths the annotations have.
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
        A readable name; see `title`.
    source
        ``package``, ``registered``, or ``stock CK`` for entries that stock CK installed or detected.
    key
        Its identity: the digest of recipe, variations and inputs, or that of the file.
    inputs
        Keys of its inputs, by dependency.
    path, file
        Its folder, and its main file, if any.
    digest
        SHA-256 of the installed content.
    files
        Their number.
    tools
        Versions of the Python packages that built it.
    downloads
        What was downloaded for it; see `LockedComponent`.
    model
        Of a model: its format, its profile and its interface.
    only_for
        ``venv:NAME`` or ``experiment:UID`` if only that may use it.
    python_path
        The folder of its Python modules.
    unverified
        Whether downloads were not verified by a digest.
    soft
        For registered files: the soft entry that was used.
    parts
        For a model: names of its additional files, relative to the folder of its main file. They are part of its digest.
    parts_stamp
        For a registered model: used to detect later changes of its parts.
    size, changed_ns
        For registered files: size and change time of the main file.
    number, registered
        For registered files: their order, and when they were registered.
    environment
        Variables of stock CK's entry.
    requirement
        For a Python package of a venv, which has no entry: its name and version range.
    given_name
        The name that the user gave it.
    uid, alias, problem
        Of its entry, and why it cannot be used; not stored in the file.
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
        """A readable name: its label, else its package's alias, else its name."""
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
        """Words that match it: its tags, its UID, its name."""
        return frozenset([*self.tags, self.uid, self.name])


def described(env: Installed) -> dict[str, object]:
    """The meta of an env entry, with its UID, as JSON."""
    return write(env) | ({"uid": env.uid} if env.uid else {})


def read_installed(meta: Mapping[str, Any], source: object, uid: str = "", alias: str = "") -> Installed:
    """Read the meta of an env entry.

    Parameters
    ----------
    source
        The file, for errors.
    uid, alias
        Of the entry.

    Raises
    ------
    ConfigError
        If a value has the wrong type; with the file and the key.
    """
    fields = Fields(meta, source)
    found = Fields({**meta, "tags": list(fields.tags())}, source).record(Installed)
    for row in fields.rows("downloads"):
        row.texts("urls")
    return replace(found, source=REGISTERED if found.source == _ONCE else found.source, uid=uid, alias=alias)


def is_registered(meta: Mapping[str, Any]) -> bool:
    """Whether the meta of an env entry describes something that the user registered."""
    return meta.get("source") in (REGISTERED, _ONCE)
