"""Conversions between model formats: which chain is used, and the key of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.errors import ConfigError, ConflictError, NotFoundError
from ck_repo.resolve import explain
from ck_repo.resolve.plan import Choice, InstalledPackage, NewPackage, PythonPackage, in_order, variant_of
from ck_repo.store.installed import REGISTERED, Installed

if TYPE_CHECKING:
    from unit.resolve.conftest import Shelf


def conversion(shelf: Shelf, source: str, target: str, **meta: Any) -> None:
    shelf.package(
        f"convert-{source}-to-{target}", f"conversion,{target}", conversion={"from": source, "to": target},
        model={"format": target}, **meta,
    )  # fmt: skip


def model(shelf: Shelf, format_: str = "onnx", tags: str = "model") -> None:
    shelf.package("ssd", f"{tags},{format_}", model={"format": format_, "profile": "coco-300", "input": "image"})


def converted(shelf: Shelf, target: str, **read_context: Any) -> Choice:
    resolver = shelf.resolver(**read_context)
    return resolver.in_format(resolver.resolve("model"), target)


def way(choice: Choice) -> list[str]:
    return [row.component.entry.alias for _, below in in_order({"weights": choice}) if (row := variant_of(below))]


def test_model_in_required_format_is_used_directly(shelf: Shelf) -> None:
    model(shelf)
    conversion(shelf, "onnx", "onnx")
    assert converted(shelf, "onnx").name == "ssd"


def test_shortest_conversion_chain_is_used(shelf: Shelf) -> None:
    model(shelf)
    for source, target in (
        ("onnx", "weights"),
        ("weights", "graph"),
        ("graph", "small"),
        ("weights", "small"),
        ("onnx", "other"),
    ):
        conversion(shelf, source, target)
    choice = converted(shelf, "small")
    assert way(choice) == ["ssd", "convert-onnx-to-weights", "convert-weights-to-small"]
    assert isinstance(choice, NewPackage)
    assert (choice.label, choice.deps["source"].label) == ("ssd", "ssd")


def test_result_has_properties_of_source_except_format(shelf: Shelf) -> None:
    model(shelf)
    conversion(shelf, "onnx", "weights")
    choice = converted(shelf, "weights")
    assert choice.model == {"format": "weights", "profile": "coco-300", "input": "image"}
    assert {"model", "ssd", "weights"} <= choice.tags
    assert "onnx" not in choice.tags


def test_conversion_key_has_source_and_recipe(shelf: Shelf) -> None:
    model(shelf)
    conversion(shelf, "onnx", "weights")
    key = converted(shelf, "weights").key
    assert converted(shelf, "weights").key == key
    again = converted(shelf, "weights", installed={key: Installed(path="/there", label="ssd", model={"format": "weights"})})
    assert (type(again), again.label) == (InstalledPackage, "ssd")
    mine = Installed("mine", tags=("model",), key="m" * 64, source=REGISTERED, model={"format": "onnx"})
    assert converted(shelf, "weights", registered=[mine]).key != key
    assert converted(shelf, "weights", registered=[mine]).label == "mine"


def test_key_includes_recipe_programs_but_not_tools(shelf: Shelf) -> None:
    model(shelf)
    shelf.python("onnx", ">=1.16")
    folder = shelf.packages[0].root / "program" / "convert"
    folder.mkdir(parents=True)
    (folder / "code.py").write_text("one")
    conversion(shelf, "onnx", "weights", deps={"onnx": {"tags": "onnx", "tool": True}}, uses=["program/convert"])
    key = converted(shelf, "weights").key
    assert converted(shelf, "weights", python_packages={"onnx": "1.17"}).key == key
    (folder / "code.py").write_text("two")
    shelf.read_again()
    assert converted(shelf, "weights").key != key


def test_recipe_uses_only_its_own_repository(shelf: Shelf) -> None:
    with pytest.raises(ConfigError, match=r"uses is '\.\./\.\./\.\./elsewhere'"):
        conversion(shelf, "onnx", "weights", uses=["../../../elsewhere"])


def test_missing_conversion_error_lists_available_ones(shelf: Shelf) -> None:
    model(shelf)
    conversion(shelf, "onnx", "weights")
    conversion(shelf, "graph", "small")
    with pytest.raises(NotFoundError, match="ssd is a model in the format onnx, and no conversions lead to small") as caught:
        converted(shelf, "small")
    assert "it can be converted to weights" in caught.value.hint


def test_conversion_is_never_used_as_a_model(shelf: Shelf) -> None:
    conversion(shelf, "onnx", "weights")
    with pytest.raises(NotFoundError) as caught:
        shelf.resolver().resolve("weights")
    assert "it is a conversion: request its result instead" in caught.value.hint


def test_dependency_may_require_a_format(shelf: Shelf) -> None:
    model(shelf)
    conversion(shelf, "onnx", "weights")
    shelf.package("derived", "copy", deps={"source": {"tags": "model", "format": "weights"}})
    choice = shelf.resolver().resolve("copy")
    assert way(choice) == ["ssd", "convert-onnx-to-weights", "derived"]
    assert choice.label == "derived"


def test_plan_lists_each_conversion_with_reason(shelf: Shelf) -> None:
    model(shelf)
    conversion(shelf, "onnx", "weights")
    lines = explain.as_lines({"weights": converted(shelf, "weights")}, reasons=True)
    assert "convert weights: ssd from onnx to weights (convert-onnx-to-weights)" in lines
    assert any("a conversion from onnx to weights, not installed yet" in line for line in lines)


def test_conflicting_builds_are_not_put_into_one_venv(shelf: Shelf) -> None:
    shelf.package("lib-gpu", "runtime,gpu", python_package={"name": "runtime-gpu", "excludes": ["runtime"]})
    choice = shelf.resolver().resolve("gpu")
    assert isinstance(choice, PythonPackage)
    assert choice.requirement == "runtime-gpu"
    with pytest.raises(ConflictError, match="runtime-gpu and runtime cannot be in one venv") as caught:
        shelf.resolver(python_packages={"runtime": "1.0"}).resolve("gpu")
    assert "--venv=NAME" in caught.value.hint


def test_conversion_for_another_network_is_not_used(shelf: Shelf) -> None:
    shelf.package("ssd", "model", model={"format": "onnx", "network": "large"})
    shelf.package(
        "convert", "x", conversion={"from": "onnx", "to": "weights", "networks": ["small"]}, model={"format": "weights"}
    )
    with pytest.raises(NotFoundError, match="no conversions lead to weights") as caught:
        converted(shelf, "weights")
    assert "convert is not for the network large" in caught.value.hint


def test_unknown_network_is_tried(shelf: Shelf) -> None:
    model(shelf)
    shelf.package(
        "convert", "x", conversion={"from": "onnx", "to": "weights", "networks": ["small"]}, model={"format": "weights"}
    )
    assert converted(shelf, "weights").model["format"] == "weights"


def test_data_set_is_converted_and_defaults_to_coco(shelf: Shelf) -> None:
    shelf.package("plain", "dataset,plain", dataset={"images": "i", "annotations": "a.json"})
    shelf.package("told-later", "dataset,later")  # its recipe leaves the section
    shelf.package("odd", "dataset,odd", dataset={"images": "i", "annotations": "a.xml", "format": "voc"})
    shelf.package(
        "convert-voc-to-coco", "conversion,coco", conversion={"from": "voc", "to": "coco"}, dataset={"format": "coco"}
    )
    resolver = shelf.resolver()
    for tag, steps in (("plain", ["plain"]), ("later", ["told-later"]), ("odd", ["odd", "convert-voc-to-coco"])):
        assert way(resolver.in_format(resolver.resolve(f"dataset,{tag}"), "coco")) == steps
    choice = resolver.in_format(resolver.resolve("dataset,odd"), "coco")
    assert choice.label == "odd"
    assert choice.dataset == {"images": "i", "annotations": "a.xml", "format": "coco"}
    with pytest.raises(NotFoundError, match="plain is a data set in the format coco, and no conversions lead to kitti"):
        resolver.in_format(resolver.resolve("dataset,plain"), "kitti")
