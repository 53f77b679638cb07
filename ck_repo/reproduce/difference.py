"""One way in which two things are not the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ck_repo.lock.lockfile import Lock


@dataclass(frozen=True)
class Difference:
    """What is not the same.

    Attributes
    ----------
    kind
        ``python``, ``package``, ``component``, ``recipe``, ``repository``, ``machine``, ``setting``.
    name
        Of what.
    locked, here
        As it was, and as it is; empty where it is not there.
    remark
        Why, or what to do.
    """

    kind: str
    name: str
    locked: str
    here: str
    remark: str = ""

    def as_data(self) -> dict[str, str]:
        """For JSON."""
        return dict(vars(self))

    def __str__(self) -> str:
        text = f"{self.kind} {self.name}: {self.locked or '(none)'} → {self.here or '(none)'}"
        return f"{text}; {self.remark}" if self.remark else text


def between(one: Lock, other: Lock) -> list[Difference]:
    """How two locks differ: interpreter, Python packages, components, machine."""
    found = _of_values("python", one.interpreter, other.interpreter)
    for name in sorted({*one.packages, *other.packages}):
        a, b = one.packages.get(name), other.packages.get(name)
        if a is None or b is None or a.version != b.version:
            found.append(Difference("package", name, a.version if a else "", b.version if b else ""))
        elif a.content and b.content and a.content != b.content:
            found.append(Difference("package", name, a.version, b.version, _why_other_content(a.tags, b.tags)))
    for role in sorted({row.role for row in (*one.components, *other.components)}):
        mine, its = one.component(role), other.component(role)
        if mine is None or its is None or (mine.content or mine.digest) != (its.content or its.digest):
            texts = [f"{row.label} {(row.content or row.digest)[:12]}" if row else "" for row in (mine, its)]
            found.append(Difference("component", role, *texts))
    return found + _of_values("machine", _steady(one.platform), _steady(other.platform))


def _why_other_content(one: str, other: str) -> str:
    return f"another wheel, {other}" if one != other else "the same version with other content"


def _steady(platform: Mapping[str, Any]) -> dict[str, Any]:
    """What stays as it is from one minute to the next."""
    return {name: value for name, value in platform.items() if name != "load"}


def _of_values(kind: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    names = sorted({*one, *other})
    return [
        Difference(kind, name, str(one.get(name, "")), str(other.get(name, "")))
        for name in names
        if one.get(name) != other.get(name)
    ]
