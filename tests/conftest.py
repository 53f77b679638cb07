"""Fixtures for all tests: empty CK folders, a generated submission tree, and the published data where available."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trees
from trees import Submissions

from ck_repo.child_environment import refused

ROOT = Path(__file__).resolve().parents[1]
HARNESS = ROOT / "program" / "object-detection"
sys.path.insert(0, str(HARNESS))  # the harness is not an installed package: it runs from its entry
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
for variable in refused(os.environ):  # such as UV_PYTHON, which nox sets: commands would report that they do not pass it on
    del os.environ[variable]
with suppress(ImportError):  # few tests need it
    from hypothesis import HealthCheck, settings

    # the same examples in every run: `nox -s fuzz` looks for new ones
    settings.register_profile("slow machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("slow machine")


_SKIPPED: set[Path] = set()
_COLLECTED = pytest.StashKey[set[Path]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Record the files that contain tests, before options deselect any."""
    config.stash.setdefault(_COLLECTED, set()).update(item.path for item in items)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Record the files that are skipped: pytest reports the reason."""
    if report.skipped:
        _SKIPPED.add(ROOT / report.nodeid)


@pytest.fixture(scope="session")
def collected_files(pytestconfig: pytest.Config) -> frozenset[Path]:
    """The test files from which something was collected, or which are skipped with a reason."""
    return frozenset(pytestconfig.stash[_COLLECTED] | _SKIPPED)


@pytest.fixture(autouse=True)
def ck_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty CK_REPOS and CK_TOOLS, and quick retries; no test uses the user's own."""
    for name in [name for name in os.environ if name.startswith("CK_") and name != "CK_TEST_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "CK"))
    monkeypatch.setenv("CK_TOOLS", str(tmp_path / "CK-TOOLS"))
    monkeypatch.setenv("CK_RETRY_WAIT", "0.01")
    monkeypatch.setenv("CK_DOWNLOAD_TIMEOUT", "1")
    return tmp_path


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published data: ../shared/data next to the checkout, or CK_TEST_DATA; without it the test is skipped."""
    folder = Path(os.environ.get("CK_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "coco79").is_dir():
        pytest.skip(f"no published data in {folder} (CK_TEST_DATA names another folder)")
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Submissions:
    """The tree and the table of `trees`; not to be modified."""
    folder = tmp_path_factory.mktemp("submissions")
    trees.write_tree(folder / "tree")
    trees.write_table(folder / "table.csv")
    return Submissions(folder / "tree", folder / "table.csv", len(trees.RESULTS), len(trees.RESULTS) + len(trees.TABLE_ALONE))


@pytest.fixture(scope="session")
def published(data: Path) -> Submissions:
    """Published results of v1.0, where they are available."""
    return Submissions(data / "results_v1.0", data / "published_v1.0_object_detection.csv", 16, 202)


@pytest.fixture(scope="session", params=["made", "published"])
def submissions(request: pytest.FixtureRequest) -> Submissions:
    """The generated tree, and the published one."""
    found: Submissions = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def tree(made: Submissions, tmp_path: Path) -> Path:
    """A copy of one submitter's part of the generated tree, for a test to modify: six results, closed division."""
    shutil.copytree(made.root / "closed" / trees.SUBMITTER, tmp_path / "tree/closed" / trees.SUBMITTER)
    return tmp_path / "tree"
