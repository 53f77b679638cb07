"""Hardware details."""

from __future__ import annotations

from ck_repo.machine.hardware import describe_hardware


def test_hardware_is_described_as_far_as_known() -> None:
    found = describe_hardware()
    assert found["accelerators"].isdecimal()
    assert all(isinstance(value, str) and value for value in found.values())
