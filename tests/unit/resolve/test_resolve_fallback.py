"""Which candidate is selected: nearer repositories first, and the next one if the first is unavailable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.errors import ConflictError, NotFoundError
from ck_repo.resolve.catalogue import Listed
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.context import Context
from ck_repo.resolve.plan import Choice, NewPackage, PythonPackage, variant_of
from ck_repo.resolve.resolver import Resolver
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

if TYPE_CHECKING:
    from unit.resolve.conftest import Shelf


def taken(choice: Choice) -> str:
    variant = variant_of(choice)
    assert variant is not None
    return variant.component.full_name


def packages(*rows: tuple[str, str, dict[str, Any]]) -> list[Component]:
    """Packages of several repositories: (repository, alias, meta) each."""
    repositories, found = Repositories(), []
    for repository, alias, meta in rows:
        if repository not in [row.alias for row in repositories.all()]:
            repositories.add(repository)
        content = {"install": [{"copy": {"file": "content"}}], **meta}
        found.append(read_component(create_entry(repositories.writable(repository), "package", alias, content)))
    return found


def test_candidate_with_unmet_dependency_is_skipped_with_reason(shelf: Shelf) -> None:
    shelf.package("best", "tool", priority=5, deps={"compiler": {"tags": "compiler,python"}})
    shelf.package("plain", "tool")
    choice = shelf.resolver().resolve("tool")
    assert taken(choice) == "local:package:plain"
    (row,) = choice.passed_over
    assert row[0] == "best"
    assert "nothing has the tag 'compiler'" in row[1]


def test_transitive_dependency_falls_back_too(shelf: Shelf) -> None:
    shelf.package("top", "top", deps={"part": {"tags": "part"}})
    shelf.package("part-a", "part", deps={"x": {"tags": "no-such"}})
    shelf.package("part-b", "part")
    choice = shelf.resolver().resolve("top")
    assert isinstance(choice, NewPackage)
    assert taken(choice.deps["part"]) == "local:package:part-b"


def test_every_failed_candidate_is_named_with_reason(shelf: Shelf) -> None:
    shelf.package("one", "tool", deps={"x": {"tags": "absent-a"}})
    shelf.package("two", "tool", deps={"x": {"tags": "absent-b"}})
    with pytest.raises(NotFoundError, match="none of the packages with the tags tool, requested by you") as caught:
        shelf.resolver().resolve("tool")
    assert "rejected one: nothing has the tag 'absent-a'" in caught.value.hint
    assert "rejected two: nothing has the tag 'absent-b'" in caught.value.hint


def test_self_dependent_package_is_skipped(shelf: Shelf) -> None:
    shelf.package("selfish", "tool", priority=9, deps={"me": {"tags": "selfish"}})
    shelf.package("honest", "tool")
    choice = shelf.resolver().resolve("tool")
    assert taken(choice) == "local:package:honest"
    assert "circular dependencies: selfish → selfish" in choice.passed_over[0][1]
    with pytest.raises(ConflictError, match="circular dependencies: selfish → selfish"):
        shelf.resolver().resolve("selfish")


def test_mutually_dependent_packages_fail_quickly() -> None:
    rows = [("many", f"p{number}", {"tags": ["t"], "deps": {"x": {"tags": "t"}}}) for number in range(40)]
    with pytest.raises(NotFoundError, match="can be installed"):
        Resolver(Context(Listed(packages(*rows)))).resolve("t")


def test_python_requirements_of_skipped_candidate_are_dropped(shelf: Shelf) -> None:
    shelf.python("numpy")
    shelf.package("old", "tool", priority=1, deps={
        "numpy": {"tags": "lib-numpy", "version": "<2"}, "gone": {"tags": "absent"},
    })  # fmt: skip
    shelf.package("new", "tool", deps={"numpy": {"tags": "lib-numpy", "version": ">=2"}})
    choice = shelf.resolver().resolve("tool")
    assert taken(choice) == "local:package:new"
    assert isinstance(choice, NewPackage)
    numpy = choice.deps["numpy"]
    assert isinstance(numpy, PythonPackage)
    assert numpy.requirement == "numpy>=2"


def test_our_package_comes_before_foreign_one() -> None:
    found = packages(
        ("strange", "coco", {"tags": ["tool", "coco"], "priority": 99}),
        ("ours", "coco-api", {"tags": ["tool", "coco", "api", "more"]}),
    )
    own = frozenset({"ours", "local"})
    choice = Resolver(Context(Listed(found), own=own)).resolve("tool,coco")
    assert taken(choice) == "ours:package:coco-api"
    assert choice.passed_over == (("coco", "coco-api is preferred: its repository is closer"),)
    theirs = Resolver(Context(Listed(found), own=own), home="strange").resolve("tool,coco")
    assert taken(theirs) == "strange:package:coco"


def test_own_repository_comes_first_for_dependencies() -> None:
    found = packages(
        ("strange", "model", {"tags": ["model"], "deps": {"labels": {"tags": "labels"}}}),
        ("strange", "labels", {"tags": ["labels"]}),
        ("ours", "labels", {"tags": ["labels"]}),
    )
    own = frozenset({"ours"})
    choice = Resolver(Context(Listed(found), own=own)).resolve("model")
    assert isinstance(choice, NewPackage)
    assert taken(choice.deps["labels"]) == "strange:package:labels"
    assert taken(Resolver(Context(Listed(found), own=own)).resolve("labels")) == "ours:package:labels"


@pytest.mark.parametrize("how", ["repository and name", "repository and uid", "uid", "module and uid"])
def test_entry_is_requested_by_its_names(how: str) -> None:
    found = packages(("one", "same", {"tags": ["tool"]}), ("two", "same", {"tags": ["tool"]}))
    uid = found[1].entry.uid
    word = {
        "repository and name": "two:package:same",
        "repository and uid": f"two:package:{uid}",
        "uid": uid,
        "module and uid": f"package:{uid}",
    }[how]
    resolver = Resolver(Context(Listed(found), own=frozenset({"one"})))
    assert taken(resolver.resolve(word)) == "two:package:same"
    assert taken(resolver.resolve("same")) == "one:package:same"


def test_unknown_name_suggests_nearest() -> None:
    found = packages(("one", "same", {"tags": ["tool"]}))
    with pytest.raises(NotFoundError, match="there is no two:package:same") as caught:
        Resolver(Context(Listed(found))).resolve("two:package:same")
    assert "one:package:same" in caught.value.hint


def test_candidates_of_one_name_are_listed_with_repositories() -> None:
    found = packages(("local", "tool", {"tags": ["tool"]}), ("other", "tool", {"tags": ["tool"]}))
    choice = Resolver(Context(Listed(found))).resolve("tool")
    assert [name for name, _ in choice.passed_over] == ["other:package:tool"]
