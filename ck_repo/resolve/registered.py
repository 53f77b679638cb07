"""Match needs with registered components."""

from __future__ import annotations

from ck_repo.resolve.need import Need
from ck_repo.resolve.versions import satisfies
from ck_repo.store.installed import Installed


def refusal(env: Installed, need: Need) -> str:
    """Why a registered component does not meet a need; empty if it does."""
    tags = env.names_and_tags
    if env.problem:
        return env.problem
    required, version = need.of(tags)
    if missing := sorted(required - tags):
        return f"it has no tag {missing[0]}"
    if unwanted := sorted(need.query.excluded & tags):
        return f"it has the tag {unwanted[0]}, which is excluded"
    if not satisfies(env.version, version):
        return f"its version {env.version} is not in {version}"
    return ""


def is_near(env: Installed, need: Need) -> bool:
    """Whether a registered component has all the tags of a need, or all but one of several."""
    required, _ = need.of(env.names_and_tags)
    missing = len(required - env.names_and_tags)
    return missing == 0 or (missing == 1 and len(required) > 2)
