"""What every test stands on: empty CK folders, and the project's real data where it lies beside the checkout."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HARNESS = ROOT / "program" / "object-detection"
sys.path.insert(0, str(HARNESS))  # the harness is no installed package: it runs from its entry


@pytest.fixture(autouse=True)
def ck_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty CK_REPOS and CK_TOOLS, and quick retries; no test touches the user's own."""
    for name in [name for name in os.environ if name.startswith("CK_") and name != "CK_TEST_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "CK"))
    monkeypatch.setenv("CK_TOOLS", str(tmp_path / "CK-TOOLS"))
    monkeypatch.setenv("CK_RETRY_WAIT", "0.01")
    monkeypatch.setenv("CK_DOWNLOAD_TIMEOUT", "1")
    return tmp_path


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data: ../shared/data beside the checkout, or CK_TEST_DATA; without it the test is skipped."""
    folder = Path(os.environ.get("CK_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "coco79").is_dir():
        pytest.skip(f"no real data in {folder} (CK_TEST_DATA names another folder)")
    return folder
