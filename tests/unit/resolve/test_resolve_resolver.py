"""`Resolver`: what satisfies a dependency, and why."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.errors import ConflictError, NotFoundError
from ck_repo.resolve import explain
from ck_repo.resolve.catalogue import Listed
from ck_repo.resolve.context import Context
from ck_repo.resolve.plan import InstalledPackage, NewPackage, PythonPackage, RegisteredFile, in_order, variant_of
from ck_repo.resolve.resolver import Resolver, install_key
from ck_repo.store.installed import REGISTERED, Installed, RecipeEntry

if TYPE_CHECKING:
    from unit.resolve.conftest import Shelf


def registered(name: str, tags: str, **more: Any) -> Installed:
    return Installed(name, tags=tuple(tags.split(",")), key=name * 8, path=f"/{name}", source=REGISTERED, **more)


def installed(shelf: Shelf, alias: str) -> dict[str, Installed]:
    """The result of installing the package."""
    choice = shelf.resolver().resolve(alias)
    assert isinstance(choice, NewPackage)
    recipe = RecipeEntry(uid=choice.variant.component.entry.uid)
    return {choice.key: Installed(component=recipe, variations=choice.variant.chosen, path="/there")}


def taken(shelf: Shelf, tags: str, version: str = "", **read_context: Any) -> str:
    choice = shelf.resolver(**read_context).resolve(tags, version)
    variant = variant_of(choice)
    return variant.component.entry.alias if variant else choice.name


def test_tags_are_required_or_excluded(shelf: Shelf) -> None:
    shelf.package("big", "model,onnx,side.1200")
    shelf.package("small", "model,onnx,side.300")
    assert taken(shelf, "model,side.300") == "small"
    assert taken(shelf, "model,-side.300") == "big"


def test_version_range_decides(shelf: Shelf) -> None:
    for version in ("1.0", "1.9", "2.1"):
        shelf.package(f"tool-{version}", "tool", version=version)
    assert taken(shelf, "tool", ">=1.5,<2") == "tool-1.9"
    assert taken(shelf, "tool", "~=2.0") == "tool-2.1"
    assert taken(shelf, "tool,1.9") == taken(shelf, "tool,v1.9") == "tool-1.9"  # a tag that looks like a version is one
    with pytest.raises(NotFoundError, match=r"tags tool in a version >=3") as caught:
        taken(shelf, "tool", ">=3")
    assert "rejected tool-1.0: its version 1.0 is not in >=3" in caught.value.hint


@pytest.mark.parametrize("where", ["package", "variation", "registered"])
def test_version_like_tag_stays_a_tag(shelf: Shelf, where: str) -> None:
    tags = "loadgen,1.0" if where == "package" else "loadgen"
    variations: dict[str, Any] = {"1.0": {}} if where == "variation" else {}
    shelf.package("loadgen", tags, version="4.1.30", variations=variations)
    mine = [registered("mine", "loadgen,1.0")] if where == "registered" else []
    assert taken(shelf, "loadgen,1.0", registered=mine) == ("mine" if mine else "loadgen")


def test_two_variations_of_one_group_conflict(shelf: Shelf) -> None:
    rows = {name: {"group": "opset"} for name in ("opset-8", "opset-11")}
    shelf.package("ssd", "model", variations=rows)
    with pytest.raises(ConflictError, match="opset-11 and opset-8 exclude each other"):
        taken(shelf, "model,opset-8,opset-11")


def test_conditional_dependency(shelf: Shelf) -> None:
    shelf.python("onnxruntime")
    shelf.python("torch")
    rows = {
        "runtime": {"tags": "onnxruntime", "when": {"backend": ["onnxruntime", "any"], "device": "cpu"}},
        "torch": {"tags": "torch", "when": {"backend": "torch"}},
    }
    deps = shelf.package("program", deps=rows).deps
    assert set(shelf.resolver({"backend": "any", "device": "cpu"}).dependencies(deps, "program")) == {"runtime"}
    assert set(shelf.resolver({"backend": "any"}).dependencies(deps, "program")) == set()
    assert set(shelf.resolver().with_options(backend="torch").dependencies(deps, "program")) == {"torch"}


def test_added_tags_replace_default_ones(shelf: Shelf) -> None:
    shelf.package("demo", "model,demo")
    shelf.package("ssd", "model,ssd")
    deps = shelf.package("program", deps={"weights": {"tags": "model", "default_tags": "demo"}}).deps
    assert shelf.resolver().dependencies(deps, "program")["weights"].name == "demo"
    assert shelf.resolver().dependencies(deps, "program", added={"weights": ["ssd"]})["weights"].name == "ssd"


def test_latest_registered_component_comes_first(shelf: Shelf) -> None:
    shelf.package("ssd", "model,ssd", priority=9)
    choice = shelf.resolver(registered=[registered("new", "model,ssd"), registered("old", "model,ssd")]).resolve("model")
    assert (type(choice), choice.name, choice.ready) == (RegisteredFile, "new", True)
    assert choice.passed_over == (
        ("old", "new was registered later"),
        ("ssd", "registered components take precedence over packages"),
    )


def test_missing_or_changed_component_is_skipped_with_reason(shelf: Shelf) -> None:
    shelf.package("ssd", "model,ssd")
    gone = registered("mine.onnx", "model,ssd", problem="/mine.onnx is gone", uid="a" * 16)
    choice = shelf.resolver(registered=[gone]).resolve("model")
    assert choice.name == "ssd"
    assert ("mine.onnx", "/mine.onnx is gone") in choice.passed_over


@pytest.mark.parametrize("asked", ["model,mine", "a" * 16, "mine.onnx"], ids=["by tags", "by uid", "by name"])
def test_missing_component_is_the_reason_without_alternatives(asked: str) -> None:
    gone = registered("mine.onnx", "model,mine", problem="/mine.onnx is gone", uid="a" * 16)
    with pytest.raises(NotFoundError) as caught:
        Resolver(Context(Listed([]), registered=[gone])).resolve(asked)
    assert "/mine.onnx is gone" in str(caught.value)


def test_installed_component_comes_before_others(shelf: Shelf) -> None:
    shelf.package("a-new-one", "tool", priority=5)
    shelf.package("old", "tool")
    existing = installed(shelf, "old")
    choice = shelf.resolver(installed=existing).resolve("tool")
    assert (type(choice), choice.name, choice.reason) == (InstalledPackage, "old", "installed in /there")
    assert choice.passed_over == (("a-new-one", "old is preferred: it is already installed"),)


def test_negative_priority_comes_last_even_if_installed(shelf: Shelf) -> None:
    shelf.package("aside", "tool,special", priority=-1)
    shelf.package("usual", "tool")
    existing = installed(shelf, "aside")
    assert shelf.resolver(installed=existing).resolve("tool").name == "usual"
    assert shelf.resolver(installed=existing).resolve("tool,special").name == "aside"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"priority": -1}, "its priority is higher"),
        ({"tags": "tool,special"}, "it is the simpler match"),
        ({}, "its name sorts first"),
    ],
)
def test_ties_are_broken_by_priority_simplicity_and_name(shelf: Shelf, other: dict[str, Any], why: str) -> None:
    shelf.package("z-other", **{"tags": "tool", **other})
    shelf.package("first", "tool")
    choice = shelf.resolver().resolve("tool")
    assert choice.name == "first"
    assert choice.passed_over == (("z-other", f"first is preferred: {why}"),)


def test_plan_does_not_depend_on_package_order(shelf: Shelf) -> None:
    shelf.python("numpy", ">=1.24")
    for number in range(6):
        deps = {"numpy": {"tags": "numpy", "version": f"<{number + 2}"}, "base": {"tags": "base"}}
        shelf.package(f"p{number}", "tool", priority=number % 2, deps=deps)
        shelf.package(f"b{number}", "base")
    plan = explain.as_data({"tool": shelf.resolver().resolve("tool")})
    for seed in range(20):
        random.Random(seed).shuffle(shelf.packages)
        assert explain.as_data({"tool": shelf.resolver().resolve("tool")}) == plan


def test_cycle_is_named(shelf: Shelf) -> None:
    for name, needs in (("a", "b"), ("b", "c"), ("c", "b")):
        shelf.package(name, name, deps={needs: {"tags": needs}})
    with pytest.raises(ConflictError, match="circular dependencies: b → c → b"):
        taken(shelf, "a")


def test_conflicting_pins_name_both_requesters(shelf: Shelf) -> None:
    shelf.python("numpy")
    shelf.package("old", "old", deps={"numpy": {"tags": "numpy", "version": "==1.26.4"}})
    shelf.package("new", "new", deps={"numpy": {"tags": "numpy", "version": ">=2"}, "old": {"tags": "old"}})
    with pytest.raises(ConflictError, match=r"numpy: old needs ==1\.26\.4, but new needs >=2"):
        taken(shelf, "new")


@pytest.mark.parametrize("present", ["", "2.1", "1.20"])
def test_shared_python_package_satisfies_both_ranges(shelf: Shelf, present: str) -> None:
    shelf.python("numpy", ">=1.24")
    rows = {"first": {"tags": "numpy", "version": ">=1.26"}, "second": {"tags": "numpy", "version": "<2"}}
    resolver = shelf.resolver(python_packages={"numpy": present} if present else {})
    choices = resolver.dependencies(shelf.package("program", deps=rows).deps, "program")
    missing = [row.requirement for _, row in in_order(choices) if isinstance(row, PythonPackage) and not row.ready]
    assert "numpy<2,>=1.26" in missing


def test_venv_package_is_used_if_version_fits(shelf: Shelf) -> None:
    shelf.python("Some_Lib", ">=1.24")
    existing = shelf.resolver(python_packages={"some-lib": "1.26"}).resolve("Some_Lib")
    assert isinstance(existing, PythonPackage)
    assert (existing.ready, existing.present) == (True, "1.26")
    old = shelf.resolver(python_packages={"some-lib": "1.20"}).resolve("Some_Lib")
    assert (old.ready, old.reason) == (False, "the venv has Some_Lib 1.20, not >=1.24")
    absent = shelf.resolver().resolve("Some_Lib")
    assert isinstance(absent, PythonPackage)
    assert absent.requirement == "Some_Lib>=1.24"


def test_unknown_tag_suggests_nearest(shelf: Shelf) -> None:
    shelf.package("ssd", "model,ssd-mobilenet")
    shelf.package("words", "text,ssd-mobilenets")
    with pytest.raises(NotFoundError, match="nothing has the tag 'ssd-mobilnet'") as caught:
        taken(shelf, "model,ssd-mobilnet")
    assert "did you mean ssd-mobilenet?" in caught.value.hint


def test_near_misses_of_known_tags_are_listed(shelf: Shelf) -> None:
    shelf.package("ssd", "model,onnx")
    shelf.package("net", "model,tflite")
    with pytest.raises(NotFoundError, match="nothing has all the tags model,onnx,tflite, requested by you") as caught:
        taken(shelf, "model,onnx,tflite")
    assert "rejected ssd: it has no tag tflite" in caught.value.hint


def key(shelf: Shelf, tags: str) -> str:
    return shelf.resolver().resolve(tags).key


def test_key_depends_on_variation_and_input_but_not_on_tools(shelf: Shelf) -> None:
    data, tool = shelf.package("data", "data"), shelf.package("tool", "tool")
    deps = {"data": {"tags": "data"}, "tool": {"tags": "tool", "tool": True}}
    shelf.package("made", "made", deps=deps, variations={"big": {"group": "size"}})
    base = key(shelf, "made")
    assert key(shelf, "made,big") != base
    (tool.entry.path / "content").write_text("another tool")
    shelf.read_again()
    assert key(shelf, "made") == base
    (data.entry.path / "content").write_text("other data")
    shelf.read_again()
    assert key(shelf, "made") != base


def test_key_depends_only_on_its_declared_inputs(shelf: Shelf) -> None:
    one = shelf.package("one", model={"side": 1, "row": 2}, file="f")
    same = shelf.package("two", file="f", model={"row": 2, "side": 1})
    other = shelf.package("three", file="f", model={"row": 2, "side": 3})
    base = install_key(one, ("x", "y"), {"data": "d1", "tool": "t1"})
    assert install_key(same, ("y", "x"), {"tool": "t1", "data": "d1"}) == base
    assert len({base, install_key(other, ("x", "y"), {}), install_key(one, ("x",), {}), install_key(one, (), {"d": "2"})}) == 4


def test_plan_records_request_and_reasons(shelf: Shelf) -> None:
    shelf.python("numpy", ">=1.24")
    shelf.package("made", "made", name="Made thing", version="1.2", deps={"numpy": {"tags": "numpy"}})
    choices = {"made": shelf.resolver().resolve("made", ">=1")}
    first, second = explain.as_data(choices)
    assert first["dependency"] == "numpy"
    assert first["requirement"] == "numpy>=1.24"
    assert second | {"key": ""} == {
        "dependency": "made", "need": "made >=1", "name": "Made thing", "package": "made", "variations": [],
        "source": "package", "ready": False, "requirement": "", "version": "1.2", "key": "", "passed_over": [],
        "reason": "its tags match; not installed yet",
        "needs_trust": [],
    }  # fmt: skip
    assert explain.as_lines(choices, reasons=False) == [
        "install numpy: numpy>=1.24 (needs --trust: it runs code of another repository, Python package numpy>=1.24)",
        "install made: made 1.2",
    ]
    assert "          because the venv has no numpy" in explain.as_lines(choices, reasons=True)
