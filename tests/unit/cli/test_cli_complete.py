"""Completion in shells: actions, modules, entries, options, their values, and tags."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.actions.completion_script import SCRIPTS
from ck_repo.cli.complete import complete

Ck = Callable[..., Any]  # the fixture `ck`
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ck restor", ["restore"]),
        ("ck run ", ["program"]),
        ("ck run program", ["program:object-detection"]),
        ("ck run program:obj", ["program:object-detection"]),
        ("ck benchmark program:obj", ["program:object-detection"]),
        ("ck run program:object-detection --scen", ["--scenario="]),
        ("ck run program:object-detection --offi", ["--official"]),
        ("ck run program:object-detection --scenario=s", ["--scenario=server", "--scenario=singlestream"]),
        ("ck add package:x --template=", ["--template=dataset", "--template=library", "--template=model"]),
        ("ck search package --tags=model,ssd-mobile", ["--tags=model,ssd-mobilenet"]),
        ("ck run program:object-detection --model=ssd-resn", ["--model=ssd-resnet34"]),
        ("ck create venv:x --template=mlperf-inference-1.0-", ["--template=mlperf-inference-1.0-cuda"]),
        ("ck activate venv:x -- pyth", []),
        ("ck run program:object-detection --user-conf=", []),
        ("ck nonsense ", []),
    ],
)
def test_words_that_come_with_ck(line: str, found: list[str]) -> None:
    assert complete(line) == found


def test_user_entries_and_tags(ck: Ck, tmp_path: Path) -> None:
    ck("add", "repo:other", f"--path={tmp_path / 'elsewhere'}")
    ck("add", "dataset:birds", "--tags=wings")
    ck("add", "other:dataset:boats", "--tags=sails")
    assert complete("ck info dataset:b") == ["dataset:birds", "dataset:boats"]
    assert complete("ck info data") == ["dataset"]
    assert complete("ck ls dataset --tags=") == ["--tags=sails", "--tags=wings"]
    ck("rm", "dataset:birds")
    assert complete("ck info dataset:b") == ["dataset:boats"]


def test_registration_without_object_is_skipped(ck: Ck) -> None:
    ck("add", "dataset:birds")
    ck("add", "repo:other")
    (registration,) = Path(ck("find", "repo:local").out.strip()).glob("repo/other/.cm/meta.json")
    registration.write_text("[]")
    assert complete("ck info dataset:b") == ["dataset:birds"]


def test_table_is_cached_and_rebuilt_when_corrupt(ck_home: Path) -> None:
    first = complete("ck ")
    table = ck_home / "CK-TOOLS" / ".cache" / "completion.json"
    assert table.is_file()
    table.write_text("{")
    assert complete("ck ") == first


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The command as found by a shell."""
    path = tmp_path / "bin" / "ck"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m ck_repo "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("ck run program:obj", ["object-detection"]),
        ("ck run program:object-detection --scenario=of", ["offline"]),
        ("ck compl", ["completion"]),
    ],
)
def test_bash_replacement_for_last_word(command: Path, line: str, replies: list[str]) -> None:
    script = f'{SCRIPTS["bash"]}\nCOMP_WORDS=({command})\nCOMP_LINE="{line}"\nCOMP_POINT={len(line)}\n_ck_complete\n'
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{script}printf "%s\\n" "${{COMPREPLY[@]}}"'], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == replies


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_script_is_valid(ck: Ck, shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(ck("completion", f"--shell={shell}").out)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, env=dict(os.environ))


def test_errors_do_not_disturb_the_shell(command: Path, ck_home: Path) -> None:
    (ck_home / "CK").write_text("not a folder")
    done = subprocess.run([command, "_complete", "ck info dataset:"], capture_output=True, text=True, check=False)
    assert (done.stdout, "Traceback" in done.stderr) == ("", False)
