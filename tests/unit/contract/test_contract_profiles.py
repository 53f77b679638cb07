"""Profiles based on other profiles."""

from __future__ import annotations

import pytest

from ck_repo.contract.profiles import expand
from ck_repo.contract.record import FieldError


def test_profile_inherits_fields_of_its_base() -> None:
    base = {"side": 640, "nms": "class"}
    found = expand({"a": base, "b": {"based_on": "a", "side": 300}, "c": {"based_on": "b", "nms": None}})
    assert found == {"a": base, "b": {"side": 300, "nms": "class"}, "c": {"side": 300}}


@pytest.mark.parametrize("base", ["b", "absent"])
def test_base_must_be_an_earlier_profile(base: str) -> None:
    with pytest.raises(FieldError, match=r"profiles\.b\.based_on is '.*', not the name of an earlier profile"):
        expand({"b": {"based_on": base}, "c": {}})
