"""A component's variations are selected by the requested tags."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ck_repo.resolve.component import Component, Dependency, Variation
from ck_repo.resolve.variations import Variant, choose
from ck_repo.store.entry import Entry


def component(*variations: Variation, tags: str = "model,onnx") -> Component:
    return Component(
        Entry("local", "package", "thing", "0" * 16, Path()), "Thing", frozenset(tags.split(",")), "", (),
        {row.name: row for row in variations}, "", "", 0, {},
    )  # fmt: skip


OPSETS = (Variation("opset-8", "opset", default=True), Variation("opset-11", "opset", tags=("newer",)))


def chosen(thing: Component, wanted: str, excluded: tuple[str, ...] = ()) -> tuple[str, ...] | str:
    variant = choose(thing, wanted.split(","), excluded)
    return variant.chosen if isinstance(variant, Variant) else variant


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("model", ("opset-8",)),
        ("model,opset-11", ("opset-11",)),
        ("model,newer", ("opset-11",)),
        ("opset-8,opset-11", "opset-11 and opset-8 exclude each other: both are of the group opset"),
        ("opset-8,newer", "opset-11 and opset-8 exclude each other: both are of the group opset"),
        ("model,tflite", "it has no tag tflite"),
    ],
)
def test_variation_is_selected_by_name_tag_or_default(wanted: str, expected: object) -> None:
    assert chosen(component(*OPSETS), wanted) == expected


def test_variations_of_different_groups_combine() -> None:
    variant = choose(component(*OPSETS, Variation("int8", "precision", tags=("quantized",))), ["int8"])
    assert isinstance(variant, Variant)
    assert variant.chosen == ("int8", "opset-8")
    assert variant.tags == {"model", "onnx", "int8", "quantized", "opset-8"}
    assert variant.label == "thing (int8, opset-8)"


def test_ungrouped_default_is_used_unless_excluded() -> None:
    thing = component(Variation("verified", default=True))
    assert chosen(thing, "model") == ("verified",)
    assert chosen(thing, "model", ("verified",)) == ()


def test_excluded_tag_is_the_reason() -> None:
    assert chosen(component(*OPSETS), "model", ("onnx",)) == "it has the tag onnx, which is excluded"


def test_shared_tag_selects_named_variation() -> None:
    shared = [Variation(name, "kind", default=name == "one", tags=("fp32",)) for name in ("one", "two")]
    assert chosen(component(*shared), "fp32,two") == ("two",)
    assert chosen(component(*shared), "fp32,one") == ("one",)


def test_variation_dependency_replaces_component_dependency() -> None:
    base = component(Variation("new", deps=(Dependency("numpy", ("numpy",), ">=2"),)))
    thing = Component(**{**vars(base), "deps": (Dependency("numpy", ("numpy",), "<2"), Dependency("cv", ("cv",)))})
    variant = choose(thing, ["new"])
    assert isinstance(variant, Variant)
    assert [(row.key, row.version) for row in variant.deps] == [("numpy", ">=2"), ("cv", "")]


NAMES, TAGS = "bdfhjl", "acegi"  # so that neither all names nor all tags sort first


@st.composite
def things(draw: st.DrawFn) -> Component:
    rows = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5)):
        tags = draw(st.lists(st.sampled_from(TAGS), unique=True, max_size=2))
        rows.append(Variation(name, draw(st.sampled_from(["", "g", "h"])), tags=tuple(tags)))
    return component(*rows, tags="m")


@given(
    things(), st.sets(st.sampled_from("m" + NAMES + TAGS), max_size=4), st.sets(st.sampled_from("m" + NAMES + TAGS), max_size=1)
)
def test_selection_has_requested_variations_and_one_per_group(thing: Component, wanted: set[str], excluded: set[str]) -> None:
    variant = choose(thing, wanted, excluded)
    assert variant == choose(thing, sorted(wanted, reverse=True), excluded)
    if isinstance(variant, Variant):
        assert wanted <= variant.tags
        assert not excluded & variant.tags
        groups = [thing.variations[name].group for name in variant.chosen if thing.variations[name].group]
        assert len(groups) == len(set(groups))


@given(things(), st.sets(st.sampled_from(NAMES), max_size=3))
def test_variant_is_found_by_its_tags(thing: Component, wanted: set[str]) -> None:
    variant = choose(thing, wanted)
    if isinstance(variant, Variant):
        assert choose(thing, variant.tags) == variant
