"""A plan: what was chosen for each need, and why. A choice is one of four cases, of which two have to be installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ck_repo.resolve.variations import Variant
from ck_repo.store.installed import Installed

SOURCE = "source"  # key of the dependency that a conversion converts


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """What every choice has.

    Attributes
    ----------
    need
        The tags and version that were asked for, as text.
    name
        What people call it.
    key
        The digest that names it: of the recipe, its variations, its inputs and the platform; or of the registered file.
    reason, passed_over
        Why this one; and (what, why not) of each other candidate.
    source
        Which case it is, for JSON.
    """

    need: str
    name: str
    key: str
    tags: frozenset[str]
    version: str = ""
    reason: str = ""
    passed_over: tuple[tuple[str, str], ...] = ()
    source: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class _Present(_Chosen):
    """What has an env entry already."""

    env: Installed
    ready: ClassVar[bool] = True

    @property
    def label(self) -> str:
        """What people call it; a conversion is called as its source."""
        return self.env.title

    @property
    def model(self) -> Mapping[str, Any]:
        """How its model is used; empty if it is none."""
        return self.env.model or {}

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Where its images and annotations are; empty if it is no data set."""
        return self.env.section("dataset")


@dataclass(frozen=True, kw_only=True)
class RegisteredFile(_Present):
    """Something of the user's, registered with `ck detect`, or installed by stock CK."""

    source: ClassVar[str] = "registered"
    for_a_venv: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class InstalledPackage(_Present):
    """A package that is installed already."""

    variant: Variant
    source: ClassVar[str] = "installed"

    @property
    def for_a_venv(self) -> bool:
        """Whether it was made for the Python of one venv."""
        return self.variant.component.per_python


@dataclass(frozen=True, kw_only=True)
class NewPackage(_Chosen):
    """A package to install.

    Attributes
    ----------
    deps
        What it needs, by key.
    """

    variant: Variant
    deps: Mapping[str, Choice] = field(default_factory=dict)
    source: ClassVar[str] = "package"
    ready: ClassVar[bool] = False

    @property
    def for_a_venv(self) -> bool:
        """Whether it is made for the Python of one venv."""
        return self.variant.component.per_python

    @property
    def label(self) -> str:
        """What people call it; a conversion is called as its source."""
        return self.deps[SOURCE].label if self.variant.component.conversion else self.variant.component.entry.alias

    @property
    def model(self) -> Mapping[str, Any]:
        """How its model is used: what a conversion makes is used as its source, but for what the conversion changes."""
        own = self.variant.component.fields(self.variant.chosen).table("model")
        return {**self.deps[SOURCE].model, **own} if self.variant.component.conversion else own

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Where its images and annotations are, as far as the recipe says; a conversion has those of its source."""
        own = self.variant.component.fields(self.variant.chosen).table("dataset")
        return {**self.deps[SOURCE].dataset, **own} if self.variant.component.conversion else own


@dataclass(frozen=True, kw_only=True)
class PythonPackage(_Chosen):
    """A Python package of the venv.

    Attributes
    ----------
    requirement
        Its name with the range that is asked for.
    present
        The version that the venv has; empty if it is to be installed.
    """

    variant: Variant
    requirement: str
    present: str = ""
    source: ClassVar[str] = "python"
    for_a_venv: ClassVar[bool] = True
    model: ClassVar[Mapping[str, Any]] = {}
    dataset: ClassVar[Mapping[str, Any]] = {}

    @property
    def ready(self) -> bool:
        """Whether the venv has it."""
        return bool(self.present)

    @property
    def label(self) -> str:
        """What people call it."""
        return self.variant.component.entry.alias


Choice = RegisteredFile | InstalledPackage | NewPackage | PythonPackage


def variant_of(choice: Choice) -> Variant | None:
    """The package of a choice, in its variations; None for a registered file."""
    return None if isinstance(choice, RegisteredFile) else choice.variant


def env_of(choice: Choice) -> Installed | None:
    """What the env entry of a choice says, if it has one already."""
    return choice.env if isinstance(choice, RegisteredFile | InstalledPackage) else None


def in_order(choices: Mapping[str, Choice]) -> list[tuple[str, Choice]]:
    """Every choice with its name, in the order of their dependencies, each once."""
    seen: set[str] = set()
    rows: list[tuple[str, Choice]] = []

    def visit(name: str, choice: Choice) -> None:
        if isinstance(choice, NewPackage):
            for key, below in choice.deps.items():
                visit(key, below)
        if choice.key not in seen:
            seen.add(choice.key)
            rows.append((name, choice))

    for name, choice in choices.items():
        visit(name, choice)
    return rows
