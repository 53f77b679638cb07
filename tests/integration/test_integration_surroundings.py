"""Unusual conditions: early signals, closed and full streams, no home, no account, deep folders, full disks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

_AT_IMPORT = """
import os, signal, sys
from ck_repo import start
point, number = int(sys.argv[1]), getattr(signal, sys.argv[2])
sys.argv[1:] = sys.argv[3:]
seen = 0
def hook(event, arguments):
    global seen
    if event == "import":
        seen += 1
        if seen == point:
            os.kill(os.getpid(), number)
sys.addaudithook(hook)
sys.exit(start.main())
"""


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def ck(*words: str, before: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command through a shell, with a redirection after it or a setting before it."""
    line = f'{before} exec "$0" -m ck_repo "$@" {more.pop("redirect", "")}'
    command = ["sh", "-c", line, sys.executable, *words]
    return subprocess.run(command, env=_environment(**more), capture_output=True, text=True)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("point", [1, 2, 5, 20, 60, 90])
def test_early_signal_prints_one_line_and_exits_130(ck_home: Path, point: int, number: str) -> None:
    command = [sys.executable, "-c", _AT_IMPORT, str(point), number, "ls", "dataset"]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    assert done.returncode == 130, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("ck: error: interrupted")


@pytest.mark.parametrize(
    ("redirect", "status"),
    [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 8), ("2>/dev/full", 0), (">/dev/full 2>/dev/full", 8)],
)
def test_closed_and_full_streams_give_status_without_traceback(ck_home: Path, redirect: str, status: int) -> None:
    done = ck("ls", "program", redirect=redirect)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full"])
def test_unprintable_error_sets_exit_status(ck_home: Path, redirect: str) -> None:
    assert ck("ls", "no-such-module:x", redirect=redirect).returncode == 16


def test_files_do_not_reuse_closed_stream_descriptors(ck_home: Path) -> None:
    assert ck("add", "dataset:a", "--tags=x", redirect="<&- >&- 2>&-").returncode == 0
    assert ck("search", "dataset", "--tags=x", redirect="<&- >&-").returncode == 0
    assert ck("search", "dataset", "--tags=x").stdout == "dataset:a\n"


def test_folders_must_be_named_without_home(ck_home: Path) -> None:
    done = ck("ls", "program", before="unset HOME;", CK_REPOS="~no-such-user/x")
    assert done.returncode == 3
    assert "CK_REPOS=~no-such-user/x is not a home folder\nset CK_REPOS and CK_TOOLS" in done.stderr
    assert ck("ls", "program", before="unset HOME;").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to become a user without an account")
def test_user_without_account_works_or_is_told_what_to_set(request: pytest.FixtureRequest) -> None:
    home = Path(tempfile.mkdtemp(dir="/tmp"))  # pytest's own folders are closed to other users
    request.addfinalizer(lambda: shutil.rmtree(home))
    home.chmod(0o755)
    for name in ("CK", "CK-TOOLS"):
        (home / name).mkdir()
        os.chown(home / name, 54321, 54321)
    as_nobody = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", sys.executable]
    probe = subprocess.run([*as_nobody, "-c", "import ck_repo.start"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"another user cannot read this checkout or its Python: {probe.stderr[-200:].strip()}")

    def run(*words: str, drop: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        everything = _environment(CK_REPOS=str(home / "CK"), CK_TOOLS=str(home / "CK-TOOLS"))
        environment = {key: value for key, value in everything.items() if key not in ("HOME", "USER", "LOGNAME", *drop)}
        return subprocess.run([*as_nobody, "-m", "ck_repo", *words], env=environment, capture_output=True, text=True)

    done = run("add", "dataset:a")
    assert done.returncode == 0, done.stderr
    refused = run("ls", "dataset", drop=("CK_REPOS",))
    assert refused.returncode == 3
    assert "CK_REPOS is not set\nset CK_REPOS and CK_TOOLS to folders" in refused.stderr


def test_very_deep_path_is_a_proper_error(ck_home: Path) -> None:
    done = ck("add", "dataset:a", CK_REPOS=str(ck_home / "/".join("d" * 1200)))
    assert done.returncode in (0, 3, 8)
    assert "Traceback" not in done.stderr
    assert "bug in ck" not in done.stderr


@pytest.fixture
def small_disk(ck_home: Path) -> Run:
    """Run commands with a file system of 1 MB on CK_REPOS; the script after them lists the rest."""

    def run(*words: str, size: str = "1m", folder: str = "CK") -> subprocess.CompletedProcess[str]:
        place = ck_home / folder
        place.mkdir(exist_ok=True)
        script = (
            f'mount -t tmpfs -o size={size} tmpfs "$0" || exit 99; cp -a "$0.seed/." "$0" 2>/dev/null; "$@"; code=$?; '
            'cd "$0"; find . -name ".*.new" -o -name ".*.removed" -o -name ".*.old" -o -name "*.work" | sed "s/^/left: /"; '
            'find . -maxdepth 3 -mindepth 1 -not -path "*/.cm*" | sed "s/^/there: /"; exit $code'
        )
        command = ["unshare", "-rm", "sh", "-c", script, str(place), sys.executable, "-m", "ck_repo", *words]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
        if done.returncode == 99 or "unshare" in done.stderr:
            pytest.skip("no file system can be mounted here")
        assert "Traceback" not in done.stderr
        assert "left: " not in done.stdout
        return done

    return run


@pytest.fixture
def seed(ck_home: Path) -> None:
    """An entry of 700 kB, which fits once."""
    entry = create_entry(Repositories().writable(), "dataset", "a", {"tags": ["x"]})
    (entry.path / "data").write_bytes(os.urandom(700_000))
    shutil.move(repos_root(), f"{repos_root()}.seed")


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare, to mount a small disk")
@pytest.mark.parametrize("size", ["1m", "1m,nr_inodes={}"])
@pytest.mark.usefixtures("seed")
def test_entry_can_be_removed_from_full_disk(small_disk: Run, ck_home: Path, size: str) -> None:
    """The disk accepts no further byte, or no further file."""
    seed = ck_home / "CK.seed"
    (seed / "filler").write_bytes(b"")
    if "{}" in size:
        size = size.format(1 + sum(1 for _ in seed.rglob("*")))
    else:
        files = [path for path in seed.rglob("*") if path.is_file()]
        used = sum(-(-path.stat().st_size // 4096) * 4096 for path in files)
        (seed / "filler").write_bytes(bytes((1 << 20) - used))
    done = small_disk("rm", "dataset:a", "--force", size=size)
    assert done.returncode == 0, done.stderr
    assert "there: ./local/dataset/a\n" not in done.stdout
    assert "removed dataset:a" in done.stdout


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare, to mount a small disk")
@pytest.mark.usefixtures("seed")
def test_copy_on_full_disk_is_one_error_and_leaves_nothing(small_disk: Run) -> None:
    done = small_disk("cp", "dataset:a", "dataset:b")
    assert done.returncode == 8
    assert "the disk is full" in done.stderr
    assert "there: ./local/dataset/a\n" in done.stdout
    assert "dataset/b" not in done.stdout


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare, to mount a small disk")
@pytest.mark.usefixtures("seed")
def test_rename_needs_no_space(small_disk: Run) -> None:
    done = small_disk("ren", "dataset:a", "dataset:b")
    assert done.returncode == 0, done.stderr
    assert "there: ./local/dataset/b\n" in done.stdout
    assert "dataset/a" not in done.stdout


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare, to mount a small disk")
def test_repository_or_venv_on_full_disk_leaves_nothing(small_disk: Run) -> None:
    done = small_disk("add", "repo:new", size="4k")
    assert done.returncode == 8
    assert "the disk is full" in done.stderr
    assert "there: ./new" not in done.stdout
    done = small_disk("create", "venv:v", f"--python={sys.executable}", size="2m")
    assert done.returncode == 8, done.stderr
    assert "the disk is full" in done.stderr
    assert "there: ./local/venv/v" not in done.stdout
