"""A plan: what was chosen for each need, from where, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ck_repo.resolve.variations import Variant

INSTALLED = "installed"  # a package of ours that is there already
REGISTERED = "registered"  # something the user had, made known with `ck detect`
PACKAGE = "package"  # to be installed
PYTHON = "python"  # a Python package of the venv
SOURCE = "source"  # key of the dependency that a conversion converts


@dataclass(frozen=True)
class Choice:
    """What a need is met with.

    Attributes
    ----------
    need
        The tags and version that were asked for, as text.
    source
        INSTALLED, REGISTERED, PACKAGE or PYTHON.
    name
        What people call it.
    key
        The digest that names it: of the recipe, its variations, its inputs and the platform; or of the file registered.
    variant
        The package in its variations; None for something registered.
    env
        Meta of the env entry, when it is there already.
    requirement
        For a Python package: its name with the range that is asked for.
    present
        For a Python package: the version that the venv has; empty if it is to be installed.
    deps
        What it needs in turn, by key.
    reason, passed_over
        Why this one; and (what, why not) of each other candidate.
    """

    need: str
    source: str
    name: str
    key: str
    tags: frozenset[str]
    version: str = ""
    variant: Variant | None = None
    env: Mapping[str, Any] = field(default_factory=dict)
    requirement: str = ""
    present: str = ""
    deps: Mapping[str, Choice] = field(default_factory=dict)
    reason: str = ""
    passed_over: tuple[tuple[str, str], ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing has to be done for it."""
        return bool(self.present) if self.source == PYTHON else self.source != PACKAGE

    @property
    def for_a_venv(self) -> bool:
        """Whether it goes into a venv, or is made for the Python of one."""
        return self.source == PYTHON or bool(self.variant and self.variant.component.per_python)

    def section(self, name: str) -> dict[str, Any]:
        """An object of its meta (`model`, `dataset`): from the env entry, or from the package in its variations.

        What a conversion makes is used as its source is, but for what the conversion changes.
        """
        if self.env:
            value = self.env.get(name) or {}
            return dict(value) if isinstance(value, Mapping) else {}
        if self.variant is None:
            return {}
        own = self.variant.component.fields(self.variant.chosen).table(name)
        source = self.deps.get(SOURCE) if self.variant.component.conversion else None
        return {**source.section(name), **own} if source else own

    @property
    def label(self) -> str:
        """What people call it: a package by its alias, something registered by its name, a conversion as its source."""
        if self.env:
            return str(self.env.get("label") or (self.env.get("component") or {}).get("alias") or self.env.get("name"))
        assert self.variant is not None
        if self.variant.component.conversion:
            return self.deps[SOURCE].label
        return self.variant.component.entry.alias


def in_order(choices: Mapping[str, Choice]) -> list[tuple[str, Choice]]:
    """Every choice with its name, what is needed before what needs it, each once."""
    seen: set[str] = set()
    rows: list[tuple[str, Choice]] = []

    def visit(name: str, choice: Choice) -> None:
        for key, below in choice.deps.items():
            visit(key, below)
        if choice.key not in seen:
            seen.add(choice.key)
            rows.append((name, choice))

    for name, choice in choices.items():
        visit(name, choice)
    return rows
