"""Machine details that are recorded."""

from __future__ import annotations

import os
import platform

from ck_repo.machine.platform import describe_platform


def test_machine_has_cores_and_memory() -> None:
    found = describe_platform()
    assert 0 < (found.cores_usable or 0) <= (found.cores_logical or 0) == os.cpu_count()
    assert 0 < (found.cores_physical or 0) <= (found.cores_logical or 0)
    assert (found.sockets or 0) > 0
    assert (found.memory or 0) > 2**28  # bytes
    assert isinstance(found.load, float)
    assert 0 <= found.load < float("inf")


def test_machine_has_names() -> None:
    found = describe_platform()
    assert all((found.cpu, found.machine, found.os, found.kernel, found.governor))
    assert platform.release() in found.kernel


def test_usable_cores_are_those_granted_by_batch_system() -> None:
    granted = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(granted)})
        assert describe_platform().cores_usable == 1
    finally:
        os.sched_setaffinity(0, granted)
