"""Faults: a signal at the n-th file system call of a command, or a disk with a limited number of bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from faults.operations import ROOT, Operation, environment

KINDS = ("SIGKILL", "SIGINT", "ENOSPC")
_RUNNER = """
import os, signal, sys
point, number, counted = int(sys.argv[1]), getattr(signal, sys.argv[2]), sys.argv[3]
sys.argv[1:] = sys.argv[4:]
from ck_repo.start import main
events = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "open", "shutil.rmtree", "subprocess.Popen"}
home = os.path.dirname(os.environ["CK_REPOS"])  # opening modules of Python is no point to strike at
seen = 0

def ours(event, arguments):
    return event in events and (event != "open" or home in str(arguments[0]))

def hook(event, arguments):
    global seen
    if ours(event, arguments):
        seen += 1
        if seen == point:
            os.kill(os.getpid(), number)

sys.addaudithook(hook)
status = main()
total = seen
seen = -10**9
with open(counted, "w") as file:
    file.write(str(total))
os._exit(status)
"""
# commands that work whatever happened before
_CHECKS = (
    "ls dataset", "ls experiment", "ls venv", "ls repo", "search dataset --tags=old", "show env", "find dataset:*", "clean env",
)  # fmt: skip
_CHECKER = """
import json, os, sys
from ck_repo.start import main  # imported once; each command has a process of its own
import ck_repo.actions.catalogue
for number, words in enumerate(json.loads(sys.argv[1])):
    if not (child := os.fork()):
        for stream, name in ((1, os.devnull), (2, f"{sys.argv[2]}/{number}")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), stream)
        sys.argv[1:] = words.split()
        status = main()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
_HIDDEN = ("*.new", "*.removed", "*.old", "*.work", ".unzip*", ".bundle*", ".fetch*", "*.part")


def count(operation: Operation, home: Path) -> int:
    """The number of points at which a command can be interrupted; runs it to its end."""
    output = home / "count"
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER, "0", "SIGKILL", str(output), *operation.words(home)],
        env=environment(home), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(output.read_text())


def disturb(operation: Operation, home: Path, kind: str, share: float, points: int) -> subprocess.CompletedProcess[str]:
    """Run a command; a fault strikes after a fraction (0–1) of its calls, or when a fraction of its space is written."""
    if kind != "ENOSPC":
        point = 1 + int(share * points)
        command = [sys.executable, "-c", _RUNNER, str(point), kind, str(home / "count"), *operation.words(home)]
        return subprocess.run(command, env=environment(home), capture_output=True, text=True)
    return _on_small_disk(operation, home, int(share * operation.space))


def _on_small_disk(operation: Operation, home: Path, free: int) -> subprocess.CompletedProcess[str]:
    """Move the store to a file system with that much free space, run, and move it back."""
    files = [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in files)  # tmpfs counts pages
    script = (
        'mount -t tmpfs -o size="$1" tmpfs "$2" || exit 99; cp -a "$3/." "$2" || exit 98; shift 1; '
        'place="$1"; shift 2; "$@"; code=$?; rm -rf "$place.after"; cp -a "$place" "$place.after"; exit $code'
    )
    seed = home.with_name(f"{home.name}.seed")
    shutil.copytree(home, seed, symlinks=True)
    words = [sys.executable, "-m", "ck_repo", *operation.words(home)]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(used + free), str(home), str(seed), *words],
        env=environment(home), capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    after = home.with_name(f"{home.name}.after")
    if after.exists():
        shutil.rmtree(home)
        after.rename(home)
    shutil.rmtree(seed)
    return done


def problems(home: Path) -> list[str]:
    """Problems of a store after a fault and the next commands."""
    found = []
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-c", _CHECKER, json.dumps(_CHECKS), output]
        done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=True)
        for number, (words, status) in enumerate(zip(_CHECKS, done.stdout.split(), strict=True)):
            text = (Path(output) / str(number)).read_text()
            if int(status) not in (0, 16) or "Traceback" in text or "bug in ck" in text:
                found.append(f"`ck {words}` ended with {status}: {text.strip()[:300]}")
    for pattern in _HIDDEN:
        found += [f"left over: {path.relative_to(home)}" for path in home.rglob(pattern)]
    return found
