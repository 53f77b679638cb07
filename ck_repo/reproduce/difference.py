"""Differences between locks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ck_repo.contract.record import write
from ck_repo.environment.lockfile import Lock, LockedPackage
from ck_repo.machine.platform import Platform


@dataclass(frozen=True)
class Difference:
    """A difference.

    Attributes
    ----------
    kind
        ``python``, ``package``, ``component``, ``recipe``, ``repository``, ``machine``, ``setting``.
    name
        What differs.
    locked, here
        The locked and the current value; empty if it is missing.
    remark
        The reason, or a hint.
    """

    kind: str
    name: str
    locked: str
    here: str
    remark: str = ""

    def as_data(self) -> dict[str, str]:
        """As JSON."""
        return dict(vars(self))

    def __str__(self) -> str:
        text = f"{self.kind} {self.name}: {self.locked or '(none)'} → {self.here or '(none)'}"
        return f"{text}; {self.remark}" if self.remark else text


def between(one: Lock, other: Lock) -> list[Difference]:
    """The differences between two locks: interpreter, Python packages, components, machine."""
    found = _of_values("python", one.interpreter, other.interpreter)
    found += of_packages(one.packages, other.packages)
    for role in sorted({row.role for row in (*one.components, *other.components)}):
        mine, its = one.component(role), other.component(role)
        if mine is None or its is None or (mine.content or mine.digest) != (its.content or its.digest):
            texts = [f"{row.label} {(row.content or row.digest)[:12]}" if row else "" for row in (mine, its)]
            found.append(Difference("component", role, *texts))
    return found + _of_values("machine", _steady(one.platform), _steady(other.platform))


def of_packages(
    locked: Mapping[str, LockedPackage], here: Mapping[str, LockedPackage], reasons: Mapping[str, str] | None = None
) -> list[Difference]:
    """The differences between Python packages.

    Parameters
    ----------
    reasons
        The reasons, if known.
    """
    found = []
    for name in sorted({*locked, *here}):
        was, now = locked.get(name), here.get(name)
        why = (reasons or {}).get(name, "")
        if was and now and was.same_as(now) and not why:
            continue
        if not why and was and now and was.version == now.version:
            why = f"another wheel, {now.tags}" if was.tags != now.tags else "the same version with other content"
        found.append(Difference("package", name, was.version if was else "", now.version if now else "", why))
    return found


def _steady(platform: Platform) -> Mapping[str, object]:
    """The constant properties of a machine."""
    return write(replace(platform, load=None))


def _of_values(kind: str, one: Mapping[str, object], other: Mapping[str, object]) -> list[Difference]:
    names = sorted({*one, *other})
    return [
        Difference(kind, name, str(one.get(name, "")), str(other.get(name, "")))
        for name in names
        if one.get(name) != other.get(name)
    ]
