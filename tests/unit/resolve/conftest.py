"""Shared fixtures: packages on disk, and a resolver that sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ck_repo.resolve.catalogue import Listed
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.context import Context
from ck_repo.resolve.resolver import Resolver
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


class Shelf:
    """Packages, in order of creation."""

    def __init__(self) -> None:
        self.repositories = Repositories()
        self.packages: list[Component] = []

    def package(self, alias: str, tags: str = "", **meta: Any) -> Component:
        """A package entry of `local`."""
        content: dict[str, Any] = {"tags": tags.split(",") if tags else [], **meta}
        if not {"python_package", "conversion", "install"} & set(meta):
            content["install"] = [{"copy": {"file": "content"}}]
        entry = create_entry(self.repositories.writable(), "package", alias, content)
        self.packages.append(read_component(entry))
        return self.packages[-1]

    def python(self, name: str, version: str = "") -> Component:
        """A package that represents one of the Python index, tagged with its name."""
        return self.package(f"lib-{name}", name, python_package={"name": name, "version": version})

    def read_again(self) -> None:
        """Reread changes on the disk."""
        self.packages = [read_component(package.entry) for package in self.packages]

    def resolver(self, options: Mapping[str, str] | None = None, **read_context: Any) -> Resolver:
        """A resolver that sees them."""
        return Resolver(Context(Listed(self.packages), **read_context), options)


@pytest.fixture
def shelf() -> Shelf:
    """An empty repository."""
    return Shelf()
