"""Env entries: read once, errors name file and key, and written back unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from ck_repo.contract.record import write
from ck_repo.errors import ConfigError
from ck_repo.store.installed import Installed, RecipeEntry, is_registered, read_installed

META: dict[str, Any] = {
    "name": "a model", "tags": ["model", "mine"], "source": "package", "key": "k" * 64, "path": "/tools/a",
    "file": "/tools/a/m", "component": {"alias": "model-a", "uid": "1" * 16}, "inputs": {"source": "s"},
    "downloads": [{"urls": ["https://a/b"], "size": 3}],
    "model": {"format": "onnx"}, "customize": {"full_path": "/tools/a/m"}, "env": {"CK_ENV_A": "/tools/a"},
}  # fmt: skip


def test_installed_entry_round_trips() -> None:
    found = read_installed(META, "meta.json", "u" * 16, "a")
    assert (found.component, found.tags, found.uid, found.alias) == (
        RecipeEntry(alias="model-a", uid="1" * 16), ("model", "mine"), "u" * 16, "a",
    )  # fmt: skip
    assert write(found) == META


def test_entries_of_earlier_versions_are_registered() -> None:
    """Up to version 0.1.0 the source of such an entry was ``detected``."""
    found = read_installed({"name": "m", "source": "detected"}, "meta.json")
    assert found.is_registered
    assert is_registered({"source": "detected"})
    assert not is_registered({"source": "package"})
    assert write(found)["source"] == "registered"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tags": 5}, "tags is 5, not a list of tags"),
        ({"file": ["a"]}, r"file is \['a'\], not a text"),
        ({"size": "3"}, "size is '3', not an integer"),
        ({"component": "a"}, "component is 'a', not an object"),
        ({"component": {"uid": []}}, r"component\.uid is \[\], not a text"),
        ({"inputs": {"source": {}}}, r"inputs\.source is {}, not a text"),
        ({"dataset": {"images": {}}}, r"dataset\.images is {}, not a text"),
        ({"dataset": {"preprocessed": {"file": "a"}}}, r"dataset\.preprocessed\.kind is None, not a text"),
        ({"downloads": ["a"]}, r"downloads\[0\] is 'a', not an object"),
        ({"downloads": [{"urls": "a"}]}, r"downloads\[0\]\.urls is 'a', not a list of texts"),
    ],
    ids=str,
)
def test_error_names_file_and_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"meta.json: {message}"):
        read_installed({**META, **change}, "meta.json")


def test_name_is_label_package_or_alias() -> None:
    assert Installed("n", label="l", component=RecipeEntry(alias="a")).title == "l"
    assert Installed("n", component=RecipeEntry(alias="a")).title == "a"
    assert Installed("n").title == "n"
