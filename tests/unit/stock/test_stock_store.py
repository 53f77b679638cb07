"""A CK_REPOS created by stock CK 2.6.4: our commands use it, and stock CK still works with it afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.store.folders import repos_root, tools_root
from ck_repo.store.modules import canonical_module, module_uid

Ck = Callable[..., Any]
_VERSION = "2.6.4"
_WITHOUT_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
# the store of a stock CK user: two points of an experiment, a registered tool, a venv, an own repository
_STORE = """
import json, sys
import ck.kernel as ck

def do(**request):
    answer = ck.access(request)
    assert answer["return"] == 0, answer
    return answer

for batch in (2, 4):
    measured = {"run": {"execution_time": 1.5 * batch, "state": "fine"}}
    do(action="add", module_uoa="experiment", experiment_repo_uoa="local", experiment_uoa="tries", dict={
        "characteristics": measured, "choices": {"batch": batch}, "features": {}, "meta": {"program": "p"}, "tags": ["a", "b"]})
do(action="add", module_uoa="env", repo_uoa="local", tags="lib,thing", dict={
    "customize": {"version": "1.2"}, "env": {"CK_ENV_LIB_THING": "/opt/thing"}, "env_script": "env.sh",
    "tags": ["lib", "thing"], "setup": {"version": "1.2"}, "soft_uoa": "5e1100048ab875d7"})
venv = do(action="add", module_uoa="venv", repo_uoa="local", data_uoa="mlperf-inference", dict={
    "python_bin": sys.executable, "ck_repos": "CK", "ck_tools": "CK-TOOLS", "ck_activate": "bin/activate",
    "ck_new_python": "bin/python", "ck_activate_all": "env.sh"})
do(action="add", module_uoa="repo", data_uoa="my-own", quiet="yes")
print(venv["path"])
"""


def _stock_python() -> str:
    """A Python that runs stock CK; empty if there is none."""
    named = os.environ.get("CK_TEST_STOCK_PYTHON")
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = [
        named,
        shutil.which("python3.10"),
        shutil.which("python3.11"),
        *map(str, sorted(pyenv.glob("3.1[01].*/bin/python"))),
    ]
    for python in filter(None, found):
        done = subprocess.run([python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
        if done.stdout.strip() in ("(3, 10)", "(3, 11)"):
            return python
    return ""


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with stock CK in it."""
    python = _stock_python()
    if not python:
        pytest.skip("no Python 3.10 or 3.11 for stock CK (CK_TEST_STOCK_PYTHON names one)")
    folder = tmp_path_factory.mktemp("stock")
    subprocess.run([python, "-m", "venv", folder / "v"], check=True)
    done = subprocess.run([folder / "v/bin/pip", "install", "--quiet", f"ck=={_VERSION}"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"stock CK cannot be installed: {done.stderr[-200:]}")
    return folder / "v" / "bin" / "python"


Stock = Callable[..., str]


@pytest.fixture
def stock_ck(stock: Path) -> Stock:
    """Run stock CK's command, or a program with it; return its output."""

    def run(*words: str, program: str = "") -> str:
        command = [str(stock), "-c", program] if program else [str(stock.parent / "ck"), *words]
        done = subprocess.run(
            command, env=os.environ | _WITHOUT_NETWORK, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def _entry(folder: Path, uid: str, meta: object, **files: str) -> None:
    (folder / ".cm").mkdir(parents=True)
    (folder / ".cm" / "meta.json").write_text(json.dumps(meta))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    for there, number in ((folder, uid), (folder.parent, module_uid(canonical_module(folder.parent.name)))):
        (there.parent / ".cm").mkdir(exist_ok=True)
        (there.parent / ".cm" / f"alias-a-{there.name}").write_text(f"{number}\n")
        (there.parent / ".cm" / f"alias-u-{number}").write_text(f"{there.name}\n")


@pytest.fixture
def old_store(stock: Path, stock_ck: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CK_REPOS as stock CK leaves it after a pull and some use."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    there = tmp_path / "elsewhere"
    code = "cfg = {}\nwork = {}\nck = None\n\n\ndef init(i):\n    return {'return': 0}\n"
    _entry(there / "module" / "venv", "7ed17cb445bb5f69", {"actions": {}}, module__py=code)
    meta = {"run_cmds": {"default": {"run_time": {"run_cmd_main": "x"}}}, "tags": ["object-detection", "lang-python"]}
    _entry(there / "program" / "object-detection-tool", "1" * 16, meta)
    _entry(there / "venv.template" / "mlperf-inference-1.0", "2" * 16, {}, script__sh="exit 1\n")
    names = {"data_alias": "team@tools", "data_uid": "3" * 16, "data_name": "team@tools", "data_uoa": "team@tools"}
    details = {"shared": "git", "url": "https://example.invalid/team@/tools"}
    (there / ".ckr.json").write_text(json.dumps({**names, "dict": details}))
    for words in (["init", "--quiet", "-b", "main"], ["add", "--all"], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", "-c", "user.name=S", "-c", "user.email=s@b.example", *words], cwd=there, check=True)
    stock_ck("pull", "repo:team@tools", f"--url=file://{there}")
    venv = stock_ck(program=_STORE).split()[-1]
    subprocess.run([sys.executable, "-m", "virtualenv", "--quiet", "--no-download", venv], check=True)
    assert Path(venv) == repos_root() / "local" / "venv" / "mlperf-inference"
    return repos_root()


_READING = [
    ("ls", "repo"), ("find", "repo:tools"), ("ls", "venv"), ("find", "venv:mlperf-inference"), ("ls", "env"), ("show", "env"),
    ("ls", "experiment"), ("show", "experiment:tries"), ("search", "experiment", "--tags=a,b"), ("load", "experiment:tries"),
    ("ls", "program"), ("ls", "team@tools:program:*"), ("load", "tools:program:object-detection-tool"), ("ls", "package"),
    ("search", "program", "--tags=object-detection"), ("ls", "venv.template"), ("ls", "module"), ("ls", "kernel"),
    ("activate", "venv:mlperf-inference", "--print"),
]  # fmt: skip


def test_old_store_is_read_silently_and_stock_ck_still_works(old_store: Path, stock_ck: Stock, ck: Ck) -> None:
    questions = [
        ("ls", "repo"),
        ("ls", "experiment"),
        ("ls", "venv"),
        ("load", "experiment:tries"),
        ("ls", "team@tools:program:*"),
    ]
    before = [stock_ck(*words) for words in questions]
    for words in _READING:
        done = ck(*words)
        assert (words, done.code, done.err) == (words, 0, "")
    rows = {row["data_uoa"]: row for row in ck("ls", "repo", "--out=json").json["lst"]}
    assert set(rows) == {"local", "mlperf-object-detection", "team@tools", "my-own"}
    assert ck("pull", "repo:team@tools").out.startswith("team@tools: up to date at ")
    assert ck("pull", "repo:tools").err == ""
    assert ck("add", "experiment:of-ours", "--tags=a").code == 0
    assert ck("add", "repo:new").code == 0
    added = {("ls", "experiment"): "of-ours", ("ls", "repo"): "new"}
    for words, text in zip(questions, before, strict=True):
        now = stock_ck(*words)
        assert sorted(now.split()) == sorted([*text.split(), *([added[words]] if words in added else [])])
    assert "up to date" in stock_ck("pull", "repo:team@tools").lower()


def test_removed_repository_is_removed_for_stock_ck_too(old_store: Path, stock_ck: Stock, ck: Ck) -> None:
    assert ck("rm", "repo:tools").code == 0
    assert not (old_store / "team@tools").exists()
    done = ck("ls", "repo")
    assert (done.err, "team@tools" in done.out) == ("", False)
    assert "team@tools" not in stock_ck("ls", "repo")
    assert stock_ck("ls", "experiment").split() == ["tries"]
    assert ck("rm", "repo:my-own").code == 0
    assert "my-own" not in stock_ck("ls", "repo")


def test_stock_venv_is_activated_and_removed(old_store: Path, stock_ck: Stock, ck: Ck) -> None:
    folder = old_store / "local" / "venv" / "mlperf-inference"
    code = "import os, sys; print(sys.prefix, os.environ['CK_VENV'])"
    command = [sys.executable, "-m", "ck_repo", "activate", "venv:mlperf-inference", "--", "python", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{folder} mlperf-inference\n", "")
    listed = ck("ls", "venv", "--out=json").json["lst"][0]
    assert (listed["template"], listed["python_version"]) == ("stock CK", ".".join(map(str, sys.version_info[:3])))
    done = ck("check", "venv:mlperf-inference")
    assert (done.code, "was made by stock CK and has no lock" in done.err) == (16, True)
    done = ck("create", "venv:mlperf-inference", "--template=mlperf-inference-1.0", "--dry-run")
    assert done.code == 0
    done = ck("explain", "program:object-detection")
    assert "venv:mlperf-inference-ck" in done.out  # our default does not use that of stock CK
    lock = old_store.parent / "v.lock.json"
    assert "this is its first" in ck("lock", "venv:mlperf-inference", f"--output={lock}").out
    assert ck("check", "venv:mlperf-inference").code == 0
    assert ck("rm", "venv:mlperf-inference").code == 0
    assert not folder.exists()
    assert "mlperf-inference" not in stock_ck("ls", "local:venv:*")


def test_stock_experiments_are_shown_and_not_replayed(old_store: Path, ck: Ck) -> None:
    line = ck("ls", "experiment").out.splitlines()[2]
    for text in ("tries", "stock CK: a,b", "2 points", "run.execution_time 3 to 6"):
        assert text in line
    shown = ck("show", "experiment:tries").out
    for text in ("recorded by stock CK", "program     p", "batch=2", "batch=4", "run.execution_time  6.0"):
        assert text in shown
    points = ck("show", "experiment:tries", "--out=json").json["points"]
    assert sorted((row["choices"]["batch"], row["characteristics"]["run.execution_time"]) for row in points) == [
        (2, 3.0),
        (4, 6.0),
    ]
    for words in (["replay", "experiment:tries"], ["compare", "experiment:tries", "experiment:tries"]):
        done = ck(*words)
        assert (done.code, "recorded by stock CK" in done.err, "ck show experiment:tries" in done.err) == (2, True, True)


def test_stock_programs_are_rejected_with_hint(old_store: Path, ck: Ck) -> None:
    for action in ("run", "explain", "audit"):
        done = ck(action, "program:object-detection-tool")
        assert done.code == 7
        assert "team@tools:program:object-detection-tool is a program for stock CK" in done.err
        assert "`ck run program:object-detection` does object-detection" in done.err
        assert "Traceback" not in done.err


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_read_only_old_store_can_be_read(old_store: Path, ck: Ck) -> None:
    tools_root().mkdir(exist_ok=True)
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && ! touch "$0/x" 2>/dev/null || exit 99; exec "$@"'
    for words in _READING:
        here = ck(*words)
        command = ["unshare", "-rm", "sh", "-c", mount, str(old_store), sys.executable, "-m", "ck_repo", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 99 or "unshare" in done.stderr:
            pytest.skip("no file system can be mounted here")
        assert (words, done.returncode, done.stderr, done.stdout) == (words, 0, "", here.out)
