"""Find the published systems that are most similar to a machine, with their results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ck_repo.experiments.published import leading_number
from ck_repo.experiments.published_figure import Published
from ck_repo.machine.platform import Platform

_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
# words of a name that do not identify the processor
_NOISE = frozenset({"r", "tm", "cpu", "processor", "core", "cores", "with", "n", "a", "gpu", "nvidia", "intel", "amd", "ghz"})
_WEIGHTS = {"accelerator": 4.0, "accelerators": 1.0, "processor": 3.0, "processors": 0.5, "cores": 0.5}


@dataclass(frozen=True)
class Hardware:
    """The compared properties of a system.

    Attributes
    ----------
    accelerator
        Empty without one.
    processors, cores, accelerators
        Processors of a node, cores of a processor, accelerators of a node; None if unknown.
    """

    processor: str
    processors: float | None
    cores: float | None
    accelerator: str
    accelerators: float | None


@dataclass(frozen=True)
class Nearest:
    """A published system.

    Attributes
    ----------
    likeness
        0–1; 1 for the same processor, accelerator and counts.
    """

    likeness: float
    results: tuple[Published, ...]


def hardware_of_system(about: Mapping[str, Any]) -> Hardware:
    """The hardware in a system's JSON."""
    text = {key: str(value) for key, value in about.items()}
    return _hardware(
        text.get("host_processor_model_name", ""),
        leading_number(text.get("host_processors_per_node", "")),
        leading_number(text.get("host_processor_core_count", "")),
        text.get("accelerator_model_name", ""),
        leading_number(text.get("accelerators_per_node", "")),
    )


def hardware_of_machine(platform: Platform, accelerator: str, accelerators: int) -> Hardware:
    """The hardware of this machine, from the result of `describe_platform`.

    Parameters
    ----------
    accelerator, accelerators
        Name and number of the accelerators; empty and 0 without any.
    """
    sockets = max(1, platform.sockets or 1)
    cores = float(platform.cores_physical or 1) / sockets
    return _hardware(platform.cpu, float(sockets), cores, accelerator, float(accelerators))


def _hardware(
    processor: str, processors: float | None, cores: float | None, accelerator: str, accelerators: float | None
) -> Hardware:
    none = accelerators == 0 or accelerator.strip().lower() in ("", "n/a", "na", "none", "-")
    return Hardware(processor, processors, cores, "" if none else accelerator, 0.0 if none else accelerators)


def nearest_systems(rows: Sequence[Published], like: Hardware, maximum: int) -> list[Nearest]:
    """The published systems that are most similar to some hardware, the most similar first.

    Parameters
    ----------
    maximum
        The number of systems.
    """
    groups: dict[tuple[str, ...], list[Published]] = {}
    for row in rows:
        groups.setdefault((row.round, row.division, row.submitter, row.system), []).append(row)
    found = [Nearest(likeness(like, _of(group[0])), tuple(group)) for group in groups.values()]
    return sorted(found, key=lambda row: (-row.likeness, row.results[0].identity))[:maximum]


def _of(row: Published) -> Hardware:
    return _hardware(row.processor, row.processors, row.cores, row.accelerator, row.accelerators)


def likeness(one: Hardware, other: Hardware) -> float:
    """The similarity of two systems, 0–1: accelerators have the largest weight, then processors, then counts.

    Returns
    -------
    float
        0–1, 1 for equal systems.
    """
    parts = {
        "accelerator": _alike(one.accelerator, other.accelerator),
        "accelerators": _near(one.accelerators, other.accelerators),
        "processor": _alike(one.processor, other.processor),
        "processors": _near(one.processors, other.processors),
        "cores": _near(one.cores, other.cores),
    }
    return sum(_WEIGHTS[name] * part for name, part in parts.items()) / sum(_WEIGHTS.values())


def _alike(one: str, other: str) -> float:
    """The share of common words in two names; numbers, which identify the model, count twice."""
    if not one or not other:
        return 1.0 if one == other else 0.0
    left, right = _words(one), _words(other)
    if not left or not right:
        return 1.0 if one.lower() == other.lower() else 0.0
    return _weight(left & right) / _weight(left | right)


def _words(name: str) -> set[str]:
    clock = re.sub(r"@?\s*\d+(\.\d+)?\s*[gm]hz", " ", name.lower())
    return {word for word in _WORD.findall(clock) if word not in _NOISE}


def _weight(words: set[str]) -> float:
    return sum(2.0 if word[0].isdigit() else 1.0 for word in words)


def _near(one: float | None, other: float | None) -> float:
    """1 for equal counts, 0.5 for twice as many; 0.5 if one is unknown."""
    if one is None or other is None:
        return 0.5
    if not one or not other:
        return 1.0 if one == other else 0.0
    return min(one, other) / max(one, other)
