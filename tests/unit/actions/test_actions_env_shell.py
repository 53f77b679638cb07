"""Use installed components from a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`
TAGS = "--tags=model,demo"


@pytest.fixture
def demo(ck: Ck) -> str:
    """The folder of the demo model, installed."""
    return str(ck("install", "package", TAGS, "--out=json").json["path"])


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_cat_prints_shell_script(ck: Ck, demo: str, shell: str) -> None:
    printed = ck("cat", "env", TAGS).out
    assert printed.startswith("# Demo SSD 300\n# tags: ")
    done = subprocess.run([shell, "-c", f'{printed}\necho "$CK_ENV_ONNX_MODEL"'], capture_output=True, text=True)
    assert done.stdout == f"{demo}\n"


def test_cat_as_json_has_variables_and_meta(ck: Ck, demo: str) -> None:
    found = ck("cat", "env", TAGS, "--out=json").json
    assert found["env"]["CK_ENV_ONNX_MODEL_FILE"] == found["dict"]["file"]
    assert [row["name"] for row in found["lst"]] == ["Demo SSD 300"]
    assert json.loads(ck("load", "env", TAGS).out) == found["dict"]


def test_cat_by_uid(ck: Ck, demo: str) -> None:
    uid = ck("locate", "env", TAGS, "--out=json").json["lst"][0]["data_uid"]
    assert ck("cat", f"env:{uid}").out == ck("cat", "env", TAGS).out


def test_cat_virtual_and_set_pick_the_same_match(ck: Ck, tmp_path: Path) -> None:
    for number in (1, 2):
        (folder := tmp_path / f"tool {number}").mkdir()
        meta = {"name": "tool", "label": "tool", "source": "package", "path": str(folder), "python_path": str(folder)}
        ck(
            "add",
            f"env:{str(number) * 16}",
            "--tags=tool,mine",
            "@@@" + json.dumps({"dict": {**meta, "installed": str(number)}}),
        )
    show = 'echo "$CK_ENV_TOOL|$PYTHONPATH"'
    shells = [
        ck("cat", "env", "--tags=tool", "--shell=sh"), ck("set", "env", "--tags=tool", "--shell=sh"),
    ]  # fmt: skip
    wanted = f"{tmp_path}/tool 2|{tmp_path}/tool 2:{tmp_path}/tool 1\n"
    clean = {"PATH": "/usr/bin:/bin"}
    for done in shells:
        evaluated = subprocess.run(["sh", "-c", f"{done.out}\n{show}"], capture_output=True, text=True, env=clean)
        assert (evaluated.stdout, evaluated.stderr) == (wanted, "")
        assert done.err.splitlines() == [
            f"warning: tool (env:{'2' * 16}) is used; tool (env:{'1' * 16}) set the same variables to other values: "
            "name one, or use more tags"
        ]
    ran = _run("virtual", "env", "--tags=tool", f"--shell_cmd={show}")
    assert ran.stdout.startswith(wanted.strip())
    assert ran.stderr.count("warning") == 1
    assert ck("cat", "env", "--tags=tool", "--out=json").json["env"]["CK_ENV_TOOL"] == f"{tmp_path}/tool 2"
    assert ck("cat", f"env:{'1' * 16}").err == ""


def _run(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """A command in a separate process: its children write to the real stdout."""
    return subprocess.run([sys.executable, "-m", "ck_repo", *words], capture_output=True, text=True, input=text)


def test_virtual_runs_command_line(demo: str) -> None:
    done = _run("virtual", "env", TAGS, '--shell_cmd=ls "$CK_ENV_ONNX_MODEL"; exit 3')
    assert (done.returncode, done.stdout.split()) == (3, ["demo_ssd.onnx"])


def test_virtual_prints_one_json_object(demo: str) -> None:
    done = _run("virtual", "env", TAGS, "--shell_cmd=echo noise; exit 3", "--out=json")
    assert (done.returncode, done.stderr) == (3, "noise\n")
    assert json.loads(done.stdout)["return"] == 3
    assert "exit status 3" in json.loads(done.stdout)["error"]


def test_virtual_opens_shell_with_variables(demo: str) -> None:
    done = _run("virtual", "env", TAGS, "--shell=bash", text='echo "$CK_ENV_ONNX_MODEL"\nexit 4\n')
    assert (done.returncode, done.stdout) == (4, f"{demo}\n")


def test_tag_groups_are_combined(ck: Ck, demo: str) -> None:
    ck("install", "package:model-demo-ssd")
    groups = "--tag_groups=model,demo model,onnx"
    assert len(ck("cat", "env", groups, "--out=json").json["lst"]) == 2


@pytest.mark.parametrize("verb", ["cat", "virtual", "set", "xset"])
def test_without_arguments(ck: Ck, verb: str) -> None:
    done = ck(verb, "env")
    assert done.code == 2
    assert f"`ck {verb} env --tags=…`" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([TAGS], "`ck install package --tags=model,demo` installs it"),
        (["--tags=modell"], "did you mean model"),
        ([":nonesuch"], "there is no env:nonesuch"),
    ],
)
def test_missing_entry(ck: Ck, words: list[str], message: str) -> None:
    done = ck(
        "virtual", f"env{words[0]}" if words[0][0] == ":" else "env", *(words if words[0][0] == "-" else []), "--shell_cmd=:"
    )
    assert done.code == 16
    assert message in done.err


def test_set_writes_sourceable_file(ck: Ck, demo: str, tmp_path: Path) -> None:
    path = tmp_path / "tmp-ck-env.sh"
    path.write_text("export OLD=1\n")
    assert ck("set", "env", "tags=model,demo", f"bat_file={path}").code == 0
    script = f'. {path}; echo "$OLD $CK_ENV_ONNX_MODEL"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout == f"1 {demo}\n"
    ck("set", "env", TAGS, f"--bat_file={path}", "--bat_new", "--print", "--local")
    assert "OLD" not in path.read_text()


def test_set_without_file_prints(ck: Ck, demo: str) -> None:
    assert f"export CK_ENV_ONNX_MODEL={demo}\n" in ck("set", "env", TAGS).out


def test_xset_writes_stock_file_name(ck: Ck, demo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ck("xset", "env", TAGS).out.startswith("Demo SSD 300\n")
    assert f"export CK_ENV_ONNX_MODEL={demo}\n" in (tmp_path / "tmp-ck-env.bat").read_text()


def test_refresh_reports_unusable_entries(ck: Ck, demo: str) -> None:
    assert ck("refresh", "env").code == 0
    with open(Path(demo, "demo_ssd.onnx"), "ab") as file:
        file.write(b"x")
    done = ck("refresh", "env", "--out=json")
    assert (done.code, done.json["return"], done.json["lst"][0]["state"]) == (9, 9, "changed")
    assert "--reinstall` installs it again" in done.json["lst"][0]["advice"]
    ck("install", "package:model-demo-ssd", "--rebuild")
    assert ck("refresh", "env").code == 0


def test_refresh_without_entries(ck: Ck) -> None:
    assert ck("refresh", "env").out == "nothing is installed or registered\n"


def test_user_folder_is_kept(ck: Ck, tmp_path: Path) -> None:
    place = tmp_path / "here"
    assert ck("install", "package", TAGS, f"--install_path={place}", "--reuse_deps").code == 0
    assert f"its files stay in {place}" in ck("rm", "env", TAGS).out
    assert (place / "demo_ssd.onnx").exists()


def test_folder_of_already_installed_package(ck: Ck, demo: str, tmp_path: Path) -> None:
    done = ck("install", "package", TAGS, f"--install_path={tmp_path / 'x'}")
    assert done.code == 4
    assert f"is already installed in {demo}" in done.err
