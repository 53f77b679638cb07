"""Durations of the parts of a run."""

from __future__ import annotations

import pytest

from ck_repo.contract.timings import Part, Timings


def test_parts_are_ordered_and_add_up() -> None:
    timings = Timings()
    with timings.part("first"):
        pass
    timings.add([Part("second", 1.5), Part("third", 2.5)])
    assert [part.name for part in timings.parts] == ["first", "second", "third"]
    assert timings.seconds == pytest.approx(4.0 + timings.parts[0].seconds)


def test_failed_part_is_timed_too() -> None:
    timings = Timings()
    with pytest.raises(ValueError, match="no"), timings.part("broken"):
        raise ValueError("no")
    assert [part.name for part in timings.parts] == ["broken"]
