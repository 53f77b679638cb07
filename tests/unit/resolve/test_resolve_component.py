"""A component is read once, and its errors name file and key."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.errors import ConfigError
from ck_repo.machine.survey import survey
from ck_repo.resolve.component import read_component
from ck_repo.session import Session
from ck_repo.store.writing import create_entry

if TYPE_CHECKING:
    from unit.resolve.conftest import Shelf


@pytest.mark.parametrize(
    ("meta", "why"),
    [
        ({"deps": [1]}, "deps is [1], not an object"),
        ({"deps": {"numpy": "numpy"}}, "deps.numpy is 'numpy', not an object"),
        ({"deps": {"numpy": {"tags": 5}}}, "deps.numpy.tags is 5, not a list of tags"),
        ({"deps": {"numpy": {"tool": "perhaps"}}}, "deps.numpy.tool is 'perhaps', not true or false"),
        ({"deps": {"numpy": {"when": {"backend": 5}}}}, "deps.numpy.when"),
        ({"variations": {"a": {"default": 5}}}, "variations.a.default is 5, not true or false"),
        ({"priority": "high"}, "priority is 'high', not an integer"),
        (
            {"variations": {"a": {"group": "g", "default": True}, "b": {"group": "g", "default": True}}},
            "the variations a and b are both the default of g",
        ),
    ],
)
def test_error_names_file_and_key(shelf: Shelf, meta: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=r"faulty/\.cm/meta\.json") as caught:
        shelf.package("faulty", **meta)
    assert why in str(caught.value)


def test_invalid_package_is_skipped_with_warning(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    shelf.package("good", "good")
    with pytest.raises(ConfigError):
        shelf.package("faulty", priority="high")
    aliases = {package.entry.alias for package in survey(Session(shelf.repositories)).packages.of(["local"])}
    assert "good" in aliases
    assert "faulty" not in aliases
    assert "package skipped" in capsys.readouterr().err


def test_digest_covers_recipe_and_files(shelf: Shelf) -> None:
    one = shelf.package("one", install=[], file="x")
    same = shelf.package("two", file="x", install=[])
    assert one.digest == same.digest
    (one.entry.path / "make.py").write_text("1")
    assert read_component(one.entry).digest != same.digest


def test_unknown_variation_key_is_rejected(shelf: Shelf) -> None:
    with pytest.raises(ConfigError, match=r"variations\.a\.defualt is not a known key; did you mean default\?"):
        shelf.package("thing", variations={"a": {"defualt": True, "tags": ["b"]}})


def test_recipe_without_result_has_an_obstacle(shelf: Shelf) -> None:
    assert "nothing would be installed" in shelf.package("empty", install=[]).obstacle()
    assert shelf.package("collection", install=[], deps={"a": {"tags": "a"}}).obstacle() == ""


@pytest.mark.parametrize(
    "name", ["a\0b", "x" * 5000, "y/" * 5000, "loop", "pipe", "out", "../elsewhere", "/etc/passwd", "\ud800"]
)
def test_package_using_files_outside_its_repository_is_skipped(
    shelf: Shelf, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shelf.package("good", "good").root
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")
    create_entry(shelf.repositories.writable(), "package", "faulty", {"install": [{"copy": {"file": "a"}}]})
    meta = root / "package/faulty/.cm/meta.json"
    meta.write_text(json.dumps({"uses": [name], "install": [{"copy": {"file": "a"}}]}))
    aliases = {package.entry.alias for package in survey(Session(shelf.repositories)).packages.of(["local"])}
    assert "good" in aliases
    assert "faulty" not in aliases
    assert "package skipped" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["shared", "shared/a.py", "link"])
def test_package_may_use_files_and_folders_of_its_repository(shelf: Shelf, name: str) -> None:
    root = shelf.package("good").root
    (root / "shared").mkdir()
    (root / "shared/a.py").write_text("1")
    (root / "link").symlink_to("shared/a.py")
    package = shelf.package("user", uses=[name])
    before = package.digest
    (root / "shared/a.py").write_text("2")
    assert read_component(package.entry).digest != before
