"""Profiles of networks that only declare how they differ from another profile of the same network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .record import FieldError

BASE = "based_on"


def expand(profiles: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, object]]:
    """Replace ``based_on`` by the fields of that profile; None removes a field.

    Parameters
    ----------
    profiles
        Profiles by name. A base comes before the profiles that are based on it.

    Raises
    ------
    FieldError
        If a base is not one of the earlier profiles.

    Examples
    --------
    >>> expand({"a": {"side": 640, "nms": "class"}, "b": {"based_on": "a", "side": 300, "nms": None}})
    {'a': {'side': 640, 'nms': 'class'}, 'b': {'side': 300}}
    """
    found: dict[str, dict[str, object]] = {}
    for name, profile in profiles.items():
        base = profile.get(BASE, "")
        if base and base not in found:
            raise FieldError(f"profiles.{name}.{BASE}", base, "the name of an earlier profile")
        fields = {**(found[base] if base else {}), **profile}
        found[name] = {key: value for key, value in fields.items() if value is not None and key != BASE}
    return found
