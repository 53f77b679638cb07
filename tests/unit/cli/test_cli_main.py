"""Exit status, one JSON object, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from ck_repo import __version__
from ck_repo.actions import kernel
from ck_repo.actions.request import Request

Ck = Callable[..., Any]  # the fixture `ck`


@pytest.fixture
def at_version(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `ck version` raise an exception."""

    def put(error: BaseException) -> None:
        def run(request: Request) -> Any:
            raise error

        monkeypatch.setitem(kernel.ACTIONS, "version", replace(kernel.ACTIONS["version"], run=run))

    return put


@pytest.mark.parametrize(
    "words",
    [
        "", "help", "help venv", "version", "ls", "ls --help", "ls repo", "ls package", "ls package:model-*", "ls venv",
        "ls venv.template", "ls env_templates", "ls experiment", "ls dataset:*", "search --tags=coco",
        "search package --tags=-coco",
        "show env", "find program:object-detection", "load soft:model.onnx", "info soft:model.onnx", "detect platform.os",
        "detect platform.os --platform_init_uoa=generic-linux-dummy", "where repo:local", "add experiment",
        "add repo:x --quiet",
    ],
)  # fmt: skip
def test_out_json_is_one_object_with_return_0(ck: Ck, words: str) -> None:
    if "dataset" in words:
        ck("add", "dataset:a")
    done = ck(*words.split(), "--out=json")
    assert done.json["return"] == done.code == 0
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("nonesuch", 16), ("ls nonesuch", 16), ("nonesuch venv", 16), ("ls venv --nonesuch", 16), ("load program:nonesuch", 16),
        ("ls repo:nonesuch", 16), ("ls package --repo_uoa=nonesuch", 16), ("help nonesuch", 16),
        ("find env --tags=nonesuch", 16),
        ("ls a:b:c:d", 2), ("ls @nowhere.json", 2), ("ls @@@[]", 2), ("add repo", 2), ("rm experiment", 2), ("cp program:x", 2),
        ("run program:object-detection --count=0", 2), ("ls package --quiet=perhaps", 2), ("add repo:local", 4),
        ("pull repo:x --url=/nowhere/at/all", 5),
    ],
)  # fmt: skip
def test_error_is_one_object_with_exit_status(ck: Ck, words: str, code: int) -> None:
    done = ck(*words.split(), "--out=json")
    assert done.json["return"] == done.code == code
    assert done.json["error"]
    assert "Traceback" not in done.err


@pytest.mark.parametrize("way", ["--out=json", "out=json", "-out=json", '@@@{"out": "json"}'])
def test_every_json_spelling_prints_json(ck: Ck, way: str) -> None:
    assert ck("version", way).json == {"return": 0, "version": __version__}


def test_arguments_of_another_program_do_not_select_json(ck: Ck) -> None:
    done = ck("activate", "venv:nonesuch", "--", "tool", "--out=json", "--debug")
    assert done.code == 16
    assert done.out == ""
    assert "Traceback" not in done.err


def test_out_none_prints_nothing(ck: Ck) -> None:
    assert ck("version", "--out=none").out == ""


def test_traceback_needs_debug(ck: Ck, at_version: Callable[[BaseException], None]) -> None:
    at_version(ZeroDivisionError("odd"))
    done = ck("version")
    assert done.code == 1
    assert done.err == "ck: error: ZeroDivisionError: odd\nthis is a bug in ck: --debug shows where\n"
    assert ck("version", "--out=json").json["return"] == 1
    assert "Traceback" in ck("version", "--debug").err
    assert "Traceback" in ck("load", "program:object-detecton", "--debug").err
    message = ck("load", "program:object-detecton").err
    assert message == "ck: error: there is no program:object-detecton\ndid you mean object-detection?\n"


def test_ctrl_c_has_its_own_status(ck: Ck, at_version: Callable[[BaseException], None]) -> None:
    at_version(KeyboardInterrupt())
    done = ck("version", "--out=json")
    assert done.json["return"] == done.code == 130
    assert "interrupted" in done.err


@pytest.mark.parametrize("words", [["ls"], ["add", "dataset:a"], ["search", "--tags=x"]])
def test_invalid_folder_is_a_user_error(ck: Ck, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_REPOS", __file__)
    done = ck(*words)
    assert "bug in ck" not in done.err
    assert done.code in ((8,) if words[0] == "add" else (0, 8))


@pytest.mark.parametrize("out", [[], ["--out=json"]])
def test_exit_status_is_passed_to_shell(out: list[str]) -> None:
    command = [sys.executable, "-m", "ck_repo"]
    good = subprocess.run([*command, "version", *out], capture_output=True, text=True)
    bad = subprocess.run([*command, "ls", "nonesuch", *out], capture_output=True, text=True)
    assert (good.returncode, bad.returncode) == (0, 16)
    assert good.stderr == ""
    if out:
        assert json.loads(bad.stdout)["return"] == 16


@pytest.mark.parametrize("words", [["help"], ["ls", "nonesuch", "--out=json"]])
def test_closed_pipe_is_not_an_error(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "ck_repo", *words], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    "words", [["add", "package", "--help"], ["version", b"--\xff=1", "--out=json"], ["load", b"program:\xff"]]
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_unsupported_terminal_encoding_is_harmless(words: list[str | bytes], encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-m", "ck_repo", *words], capture_output=True, env=environment)
    assert b"Traceback" not in done.stderr
    assert b"bug in ck" not in done.stderr
    assert done.returncode == (0 if "--help" in words else 16)
    if "--out=json" in words:
        assert json.loads(done.stdout)["return"] == 16


def test_warnings_do_not_mix_with_json(ck: Ck, ck_home: Path) -> None:
    ck("add", "dataset:good", "--tags=x")
    ck("add", "dataset:bad", "--tags=x")
    (ck_home / "CK" / "local" / "dataset" / "bad" / ".cm" / "meta.json").write_text("{")
    done = ck("search", "dataset", "--tags=x", "--out=json")
    assert [row["data_uoa"] for row in done.json["lst"]] == ["good"]
    assert "warning: " in done.err


_INTERRUPTED_AT = """
import os, runpy, signal as _, sys
del sys.modules["signal"]
sys.path[:0] = sys.argv[2].split(os.pathsep)
module = sys.argv[1]
def hook(event, words):
    if event == "import" and words[0] == module:
        os.kill(os.getpid(), 2)
        for _ in range(1000):  # Python handles a signal between two steps
            pass
sys.addaudithook(hook)
sys.argv[1:] = ["ls", "env"]
runpy.run_module("ck_repo", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("module", ["ck_repo.start", "signal", "ck_repo.cli.main", "ck_repo.actions.catalogue"])
def test_ctrl_c_during_startup_prints_no_traceback(module: str) -> None:
    words = [sys.executable, "-S", "-c", _INTERRUPTED_AT, module, os.pathsep.join(sys.path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 130
    assert done.stderr.startswith("ck: error: interrupted")
    assert "Traceback" not in done.stderr


def test_unwritable_folder_is_named_with_its_variable(ck: Ck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_TOOLS", "/proc/x")
    done = ck("install", "package", "--tags=model,demo")
    assert done.code == 8
    assert "set CK_TOOLS to a folder that can be created" in done.err
