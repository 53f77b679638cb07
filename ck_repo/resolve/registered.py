"""Needs that something registered meets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.resolve.need import Need
from ck_repo.resolve.versions import satisfies


def names_and_tags(meta: Mapping[str, Any]) -> frozenset[str]:
    """By what something registered may be asked for: its tags, its UID, its name."""
    return frozenset([*meta.get("tags", []), str(meta.get("uid")), str(meta.get("name"))])


def refusal(meta: Mapping[str, Any], need: Need) -> str:
    """Why something registered does not meet a need; empty if it does."""
    tags = names_and_tags(meta)
    if meta.get("problem"):
        return str(meta["problem"])
    required, version = need.of(tags)
    if missing := sorted(required - tags):
        return f"it has no tag {missing[0]}"
    if unwanted := sorted(need.query.excluded & tags):
        return f"it has the tag {unwanted[0]}, which is excluded"
    if not satisfies(str(meta.get("version", "")), version):
        return f"its version {meta.get('version')} is not in {version}"
    return ""


def is_near(meta: Mapping[str, Any], need: Need) -> bool:
    """Whether something registered has all the tags of a need, or all but one of several."""
    required, _ = need.of(names_and_tags(meta))
    missing = len(required - names_and_tags(meta))
    return missing == 0 or (missing == 1 and len(required) > 2)
