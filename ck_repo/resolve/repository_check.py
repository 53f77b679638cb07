"""Check a repository: unreadable entries, ignored keys, packages that cannot be installed."""

from __future__ import annotations

from dataclasses import dataclass

from ck_repo.errors import CKError
from ck_repo.resolve.component import read_component
from ck_repo.resolve.variations import Variant, choose
from ck_repo.store.entry import Entry
from ck_repo.store.index import ModuleIndex
from ck_repo.store.repository import Repository
from ck_repo.store.search import entries_and_problems


@dataclass(frozen=True)
class RepositoryCheck:
    """The findings, each as (entry, text).

    Attributes
    ----------
    unreadable
        Entries that are skipped everywhere.
    blocked
        Packages that are listed, but cannot be installed here.
    remarks
        Ignored data of usable packages.
    """

    unreadable: tuple[tuple[str, str], ...]
    blocked: tuple[tuple[str, str], ...]
    remarks: tuple[tuple[str, str], ...]


def check_repository(repository: Repository) -> RepositoryCheck:
    """Read every entry of a repository."""
    unreadable: list[tuple[str, str]] = []
    blocked: list[tuple[str, str]] = []
    remarks: list[tuple[str, str]] = []
    for module in repository.modules():
        entries, problems = entries_and_problems(repository, module)
        unreadable += [(module, problem) for problem in problems]
        for entry in entries:
            try:
                entry.tags()
                if module == "package":
                    _check_package(entry, blocked, remarks)
            except CKError as error:
                unreadable.append((entry.cid, error.what))
        index = ModuleIndex(repository.module_folder(module))
        try:
            unreadable += [(module, text) for text in index.doubles()]
        finally:
            index.close()
    return RepositoryCheck(tuple(unreadable), tuple(blocked), tuple(remarks))


def _check_package(entry: Entry, blocked: list[tuple[str, str]], remarks: list[tuple[str, str]]) -> None:
    component = read_component(entry)
    variant = choose(component, ())
    if isinstance(variant, Variant) and variant.obstacle:
        blocked.append((entry.cid, variant.obstacle))
    elif isinstance(variant, Variant):
        translated = component.translation(variant.chosen).remarks if component.stock else component.remarks
        remarks.extend((entry.cid, text) for text in translated)
