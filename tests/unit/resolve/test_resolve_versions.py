"""Versions and ranges: valid versions, membership and intersection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from ck_repo.errors import ConfigError, ConflictError
from ck_repo.resolve.versions import is_version, joined, range_of, satisfies

PACKAGES = Path(__file__).resolve().parents[3] / "package"
VERSIONS = st.builds("{}.{}.{}".format, *[st.integers(0, 4)] * 3)
RANGES = st.lists(st.builds("{}{}".format, st.sampled_from([">=", "<=", "<", ">", "==", "!=", "~="]), VERSIONS), max_size=3)


@pytest.mark.parametrize(
    ("reads", "tags"),
    [(True, "1.6.0 v1.0 1.0rc1 2.0.post1 1.0.dev3"), (False, "2017 opset-8 side.300 fp32 count.200 1. v 1.6.0-cpu")],
)
def test_version_like_tags(reads: bool, tags: str) -> None:
    assert {tag: is_version(tag) for tag in tags.split()} == dict.fromkeys(tags.split(), reads)


@pytest.mark.parametrize(
    ("version", "wanted", "lies"),
    [
        ("1.17.1", ">=1.17,<2", True),
        ("2.0", ">=1.17,<2", False),
        ("1.6", "1.6.0", True),
        ("1.6.1", "1.6.0", False),
        ("2.0rc1", ">=1.17", True),
        ("", "", True),
        ("unknown", "", True),
        ("unknown", ">=1", False),
    ],
)
def test_version_in_range(version: str, wanted: str, lies: bool) -> None:
    assert satisfies(version, wanted) is lies


def test_invalid_range_is_reported_with_place_and_example() -> None:
    with pytest.raises(ConfigError, match=r"deps\.numpy: '=>1' is not a version range") as caught:
        range_of("=>1", "deps.numpy")
    assert ">=1.17,<2" in caught.value.hint


def test_conflicting_pins_name_both_requesters() -> None:
    with pytest.raises(ConflictError, match=r"numpy: model-a needs ==1\.0, but model-b needs ==2\.0"):
        joined([("1.0", "model-a"), (">=0.5", "model-c"), ("2.0", "model-b")], "numpy")


@given(st.lists(RANGES, max_size=4), VERSIONS)
def test_joined_range_is_the_intersection(ranges: list[list[str]], version: str) -> None:
    rows = [(",".join(row), f"asker {number}") for number, row in enumerate(ranges)]
    allowed = all(satisfies(version, text) for text, _ in rows)
    try:
        whole = joined(rows, "thing")
    except ConflictError:
        assert not allowed
    else:
        assert satisfies(version, whole) is allowed
        assert whole == joined(reversed(rows), "thing")
        assert SpecifierSet(whole) == SpecifierSet(joined([(whole, "again")], "thing"))


@pytest.mark.parametrize("package", ["lib-onnxruntime", "lib-onnxruntime-cuda"])
def test_onnxruntime_with_wrong_8_bit_convolutions_is_excluded(package: str) -> None:
    """Measured on a processor with VNNI: 1.20.1, 1.25.0, 1.26.0 and 1.32.0 agree; microsoft/onnxruntime#26324."""
    content = json.loads((PACKAGES / package / ".cm/meta.json").read_text(encoding="utf-8"))
    allowed = range_of(content["python_package"]["version"], package)
    right = ["1.17.1", "1.20.1", "1.25.0", "1.26.0", "1.32.0"]
    wrong = ["1.21.0", "1.21.1", "1.22.1", "1.23.2", "1.24.1", "1.24.4"]
    assert list(allowed.filter([*right, *wrong])) == right
