"""A plan: the choice for each need, and why. There are four kinds of choices, of which two have to be installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ck_repo.resolve.variations import Variant
from ck_repo.store.installed import Installed

SOURCE = "source"  # key of a conversion's input among its dependencies


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """The common part of all choices.

    Attributes
    ----------
    need
        The requested tags and version, as text.
    name
        Readable name.
    key
        Identifying digest: of the recipe, its variations, its inputs and the platform; or of the registered file.
    reason, passed_over
        Why it was chosen; and (what, why not) of each other candidate.
    source
        The kind of choice, for JSON.
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
class _OfPackage(_Chosen):
    """A package, installed or not."""

    variant: Variant

    @property
    def for_a_venv(self) -> bool:
        """Whether its result is for the Python of one venv."""
        return self.variant.component.per_python


@dataclass(frozen=True, kw_only=True)
class _Present(_Chosen):
    """A component that already has an env entry."""

    env: Installed
    ready: ClassVar[bool] = True

    @property
    def label(self) -> str:
        """Readable name; that of a conversion is the source's."""
        return self.env.title

    @property
    def model(self) -> Mapping[str, Any]:
        """The model's interface; empty for other components."""
        return self.env.model or {}

    @property
    def dataset(self) -> Mapping[str, Any]:
        """The images and annotations; empty for other components."""
        return self.env.section("dataset")


@dataclass(frozen=True, kw_only=True)
class RegisteredFile(_Present):
    """Something that the user registered with `ck detect`, or that stock CK installed."""

    source: ClassVar[str] = "registered"
    for_a_venv: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class InstalledPackage(_Present, _OfPackage):
    """An installed package."""

    source: ClassVar[str] = "installed"


@dataclass(frozen=True, kw_only=True)
class NewPackage(_OfPackage):
    """A package to install.

    Attributes
    ----------
    deps
        Its dependencies, by key.
    """

    deps: Mapping[str, Choice] = field(default_factory=dict)
    source: ClassVar[str] = "package"
    ready: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """Readable name; that of a conversion is the source's."""
        return self.deps[SOURCE].label if self.variant.component.conversion else self.variant.component.entry.alias

    @property
    def model(self) -> Mapping[str, Any]:
        """The model's interface; that of a conversion is the source's, updated with the conversion's changes."""
        own = self.variant.component.fields(self.variant.chosen).table("model")
        return {**self.deps[SOURCE].model, **own} if self.variant.component.conversion else own

    @property
    def dataset(self) -> Mapping[str, Any]:
        """The images and annotations, as far as the recipe defines them; those of a conversion are the source's."""
        own = self.variant.component.fields(self.variant.chosen).table("dataset")
        return {**self.deps[SOURCE].dataset, **own} if self.variant.component.conversion else own


@dataclass(frozen=True, kw_only=True)
class PythonPackage(_Chosen):
    """A Python package of the venv.

    Attributes
    ----------
    requirement
        Its name with the requested range.
    present
        The version in the venv; empty if it has to be installed.
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
    """The package of a choice, with its variations; None for a registered file."""
    return None if isinstance(choice, RegisteredFile) else choice.variant


def env_of(choice: Choice) -> Installed | None:
    """The env entry of a choice, if it has one."""
    return choice.env if isinstance(choice, RegisteredFile | InstalledPackage) else None


def in_order(choices: Mapping[str, Choice]) -> list[tuple[str, Choice]]:
    """Every choice with its name, in dependency order, without repetitions."""
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
