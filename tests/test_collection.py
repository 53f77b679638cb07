"""No test file is overlooked: a file without collected tests would pass without testing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


def test_every_test_file_collects_a_test(pytestconfig: pytest.Config, collected_files: frozenset[Path]) -> None:
    asked = [Path(word.partition("::")[0]).resolve() for word in pytestconfig.args]
    files = {
        path for path in TESTS.rglob("test_*.py") if any(path.is_relative_to(folder) for folder in asked if folder.is_dir())
    }
    empty = sorted(str(path.relative_to(TESTS)) for path in files - collected_files)
    assert not empty, f"no test was collected from {', '.join(empty)}: a wrong name, or a folder in pytest's norecursedirs"


@pytest.mark.xdist_group("collection")
def test_groups_of_tests_stay_in_one_process(request: pytest.FixtureRequest) -> None:
    """Otherwise each process would make the installations and models of a group again; pytest-xdist marks names of tests."""
    grouped = request.config.getoption("loadgroup", default=False)  # set in the processes of `--dist=loadgroup`
    assert not grouped or request.node.nodeid.endswith("@collection")
