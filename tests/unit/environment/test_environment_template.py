"""Templates: how they are read, and that errors name file and key."""

from __future__ import annotations

from typing import Any

import pytest
from stock_repositories import StockRepository
from stock_repositories import stock as stock

from ck_repo.environment.template import read_template, template_entry
from ck_repo.errors import ConfigError, NotFoundError, UsageError
from ck_repo.resolve.component import Dependency
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load
from ck_repo.store.writing import create_entry

GOOD = """
description: A toy
python: ">=3.10,<3.14"
components:
  numpy:
    tags: lib,python-package,numpy
  loadgen:  # pinned
    tags: [lib, mlperf, loadgen]
    version: ==4.1.30
"""


def template(content: str | bytes | None, **meta: Any) -> Entry:
    repositories = Repositories()
    entry = create_entry(repositories.writable(), "env_templates", "toy", meta)
    if content is not None:
        path = entry.path / meta.get("template", "template.yaml")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return entry


def test_components_keep_file_order() -> None:
    found = read_template(template(GOOD))
    assert (found.name, found.description, found.python) == ("toy", "A toy", ">=3.10,<3.14")
    assert found.components == (
        Dependency("numpy", ("lib", "python-package", "numpy")),
        Dependency("loadgen", ("lib", "mlperf", "loadgen"), "==4.1.30"),
    )


def test_meta_may_name_another_file() -> None:
    assert read_template(template(GOOD, template="other.yaml")).description == "A toy"


def test_stock_script_is_rejected_by_name() -> None:
    entry = template(None)
    (entry.path / "script.sh").write_text("pip install numpy\n")
    with pytest.raises(ConfigError, match="local:env_templates:toy is a template for stock CK, a shell script") as caught:
        read_template(entry)
    assert "ck ls venv.template" in caught.value.hint


def test_template_of_another_repository_is_found_by_repository() -> None:
    repositories = Repositories()
    other = repositories.add("other")
    (create_entry(other, "env_templates", "mlperf-inference-1.0", {}).path / "script.sh").touch()
    (create_entry(other, "env_templates", "theirs", {}).path / "template.yaml").write_text(GOOD)
    assert read_template(template_entry(Session(repositories), "mlperf-inference-1.0")).entry.repository != "other"
    assert template_entry(Session(repositories), "other:mlperf-inference-1.0").repository == "other"
    theirs = read_template(template_entry(Session(repositories), "theirs"))
    assert theirs.name == "other:theirs"
    assert (
        template_entry(Session(repositories), theirs.name)
        == template_entry(Session(repositories), theirs.entry.uid)
        == theirs.entry
    )


@pytest.mark.parametrize("name", ["theirs", "other:theirs", "venv.template:theirs", "env_templates:theirs",
                                  "other:venv.template:theirs", "other:env_templates:theirs"])  # fmt: skip
@pytest.mark.parametrize("folder", ["venv.template", "env_templates"])
def test_template_is_found_by_repository_and_either_module_name(stock: StockRepository, name: str, folder: str) -> None:
    expected = stock.entry(folder, "theirs", {}, {"template.yaml": GOOD})
    found = template_entry(Session(), name.replace("other", stock.alias))
    assert (found.path, found.module) == (expected, folder)


@pytest.mark.parametrize("name", ["a:b:c", "a:b:venv.template:c", "other:soft:theirs"])
def test_name_of_another_entry_is_not_a_template(name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a template") as caught:
        template_entry(Session(), name)
    assert "REPOSITORY:venv.template:NAME" in caught.value.hint


def test_unknown_template_repository_is_named() -> None:
    with pytest.raises(NotFoundError, match="there is no repository 'nowhere'"):
        template_entry(Session(), "nowhere:generic")


def test_v1_0_template_pins_loadgen_of_the_round() -> None:
    """Measured with the LoadGens on PyPI."""
    found = read_template(load(Repositories(), "env_templates", "mlperf-inference-1.0"))
    versions = {row.key: row.version for row in found.components}
    assert versions["loadgen"] == "==4.1.30"
    assert {"numpy", "opencv", "coco-api", "onnxruntime"} <= set(versions)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("pyhton: 3.11\n", r"template\.yaml: pyhton is not a known key"),
        ("components:\n  numpy:\n    tag: numpy\n", r"template\.yaml: components\.numpy\.tag is not a known key"),
        ("components:\n  numpy:\n    version: 1.0\n", r"template\.yaml: components\.numpy has no tags"),
        ("components:\n  numpy:\n", r"template\.yaml: components\.numpy is None, not an object"),
        ("components: [numpy]\n", r"template\.yaml: components is \['numpy'\], not an object"),
        ("python: [3.11]\n", r"template\.yaml: python is \[3\.11\], not a text"),
        ("- numpy\n", r"template\.yaml: the document is \['numpy'\], not an object"),
        ("", r"template\.yaml: the document is None, not an object"),
        ("components: {", r"template\.yaml is not YAML"),
        (b"\xff\xfe\x00", r"template\.yaml is not YAML"),
        (None, r"template\.yaml is missing"),
    ],
)
def test_errors_name_their_place(content: str | bytes | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_template(template(content))
    assert caught.value.hint


def test_yaml_runs_nothing() -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        read_template(template("description: !!python/object/apply:os.getcwd []\n"))
