"""The project installed as a user installs it, and its command run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from installed import Ck

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files, so that nothing is built into the checkout."""
    source = tmp_path_factory.mktemp("project") / "source"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    return source


@pytest.fixture(scope="session")
def program(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `ck`, installed from a wheel into an environment of its own."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", folder / "v"], check=True)
    subprocess.run([folder / "v/bin/pip", "install", "--quiet", source], check=True)
    return folder / "v/bin/ck"


@pytest.fixture(scope="session")
def shared_ck(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Ck:
    """CK folders in which the demo has run once: the venv is there, the demo is installed."""
    ck = Ck(program, tmp_path_factory.mktemp("shared"))
    ck.good("run", "program:object-detection", "--mode=accuracy")
    return ck


@pytest.fixture
def fresh_ck(program: Path, tmp_path: Path) -> Ck:
    """Empty CK folders."""
    (tmp_path / "home").mkdir()
    return Ck(program, tmp_path / "home")
