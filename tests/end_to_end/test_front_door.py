"""Stock CK 2.6.4 without this project installed works like our own command once it has pulled the repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from end_to_end.installed import Ck

ROOT = Path(__file__).resolve().parents[2]
STOCK = "ck==2.6.4"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("front_door")]


def _old_python() -> str:
    """A Python that can run stock CK."""
    if sys.version_info < (3, 12):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [
        *sorted(map(str, pyenv.glob("3.1[01].*/bin/python"))),
        *filter(None, map(shutil.which, ["python3.11", "python3.10"])),
    ]
    for candidate in candidates:
        if subprocess.run([candidate, "-c", "import imp, venv, ensurepip"], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip("stock CK needs Python 3.10 or 3.11, and there is none on PATH or in ~/.pyenv/versions")


@pytest.fixture(scope="session")
def stock_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of stock CK in an environment of its own."""
    folder = tmp_path_factory.mktemp("stock") / "v"
    subprocess.run([_old_python(), "-m", "venv", folder], check=True)
    done = subprocess.run([folder / "bin/pip", "install", "--quiet", STOCK], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{STOCK} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return folder / "bin/ck"


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the current checkout."""
    folder = tmp_path_factory.mktemp("origin") / "mlperf-object-detection"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _commit(folder)
    return folder


def _commit(folder: Path) -> None:
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "--quiet"], ["add", "--all", "--force"], ["commit", "--quiet", "--message", "as it is"]):
        subprocess.run([*git, *words], cwd=folder, check=True)


@pytest.fixture(scope="session")
def stock(stock_program: Path, origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Ck:
    """Stock CK that has pulled the repository, made a venv and run the demo."""
    home = tmp_path_factory.mktemp("front-door")
    ck = Ck(stock_program, home, {"HOME": str(home)})
    ck.text("pull", "repo", f"--url={origin}")
    ck.text("create", "venv:demo", "--template=mlperf-inference-1.0", "--quiet")
    answer = ck.good("run", "program:object-detection", "--venv=demo", "--count=8", "--time=1", "--record=first")
    assert set(answer["results"]) >= {"accuracy", "performance", "scenario"}
    return ck


@pytest.fixture(scope="session")
def ours(stock: Ck, stock_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Ck:
    """Our own command, installed from the same checkout, in the same folders."""
    folder = tmp_path_factory.mktemp("ours") / "v"
    subprocess.run([stock_program.with_name("python"), "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", "-e", stock.home / "CK/mlperf-object-detection"], check=True)
    return Ck(folder / "bin/ck", stock.home, stock.extra)


def _outcome(ck: Ck, *words: str) -> tuple[int, str]:
    process = ck.start(*words)
    output, _ = process.communicate()
    output = re.sub(r"load: .*", "load", output)  # depends on the load of the machine
    # each command lists the Python that runs it, unless another one has its version; the line below a heading is as long
    output = re.sub(r"[^\s\"]+/(front-door/\w+|v)/bin/python\b", "ITS/bin/python", output)
    return process.returncode, re.sub(r"-{20,}", "-" * 20, output)


def test_first_use_creates_environment_and_can_be_undone(stock_program: Path, origin: Path, tmp_path: Path) -> None:
    ck = Ck(stock_program, tmp_path, {"HOME": str(tmp_path)})
    ck.text("pull", "repo", f"--url={origin}")
    first, second = (ck.start("ls", "venv.template") for _ in range(2))  # concurrently: one waits for the other
    outputs = [process.communicate() for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert outputs[0][0] == outputs[1][0]
    assert "mlperf-inference-1.0" in outputs[0][0]
    assert (outputs[0][1] + outputs[1][1]).count("creating a Python environment for the engine") == 1
    process = ck.start("ls", "venv.template")
    assert "creating a Python" not in process.communicate()[1]
    ck.text("close", "front-door")
    assert not list((tmp_path / "CK/local/module").glob("*/module.py"))
    assert not list((tmp_path / "CK-TOOLS/front-door").glob("*/bin"))
    # the module `program` of stock CK answers again, and stops at the entry
    answer = ck.good("run", "program:object-detection", "--dry-run")
    assert answer["plan"]
    ck.text("rm", "repo:mlperf-object-detection", "--force")  # without the repository, stock CK's own modules answer
    assert "no program(s) found" in ck.text("run", "program:nonesuch", status=1)
    assert "not registered any more" in ck.text("create", "venv:a", status=1)


@pytest.mark.parametrize(
    "words",
    [
        "ls venv.template", "ls env_templates", "ls venv", "ls venv.template --out=json", "find venv:demo",
        "activate venv:demo --out=json", "create venv:other --template=nonesuch",
        "create venv:other --template=nonesuch --out=json", "ls program", "ls package",
        "search package --tags=model,object-detection", "search package --tags=nonesuch", "install package --tags=nonesuch",
        "install package --tags=dataset,demo --dry-run --venv=demo --out=json", "detect soft --tags=compiler,python",
        "detect soft:nonesuch", "show env", "show env --out=json", "locate env --tags=dataset,demo",
        "locate env --tags=nonesuch", "cat env --tags=dataset,demo --out=json", "show experiment",
        "show experiment:first --out=json", "ls experiment", "find experiment:first", "run program:nonesuch",
        "run program:object-detection --nonesuch", "run program:object-detection --dry-run --venv=demo",
        "run program:object-detection --help", "install package --help",
        "explain program:object-detection --venv=demo", "detect platform.os",
        "detect platform.os --platform_init_uoa=generic-linux-dummy", "nonesuch venv",
        "check submission --submission=nonesuch",
    ],
)  # fmt: skip
def test_exit_status_and_output_match_our_command(stock: Ck, ours: Ck, words: str) -> None:
    assert _outcome(stock, *words.split()) == _outcome(ours, *words.split())


def test_install_detect_and_replay(stock: Ck, ours: Ck) -> None:
    installed = stock.good("install", "package", "--tags=dataset,demo", "--venv=demo")
    assert installed["path"] == ours.good("install", "package", "--tags=dataset,demo", "--venv=demo")["path"]
    model = ROOT / "package" / "model-demo-ssd" / "demo_ssd.onnx"
    assert stock.good("detect", "soft:model.onnx", f"--full_path={model}", "--extra_tags=mine")
    assert _outcome(stock, "locate", "env", "--tags=mine") == _outcome(ours, "locate", "env", "--tags=mine")
    stock.good("replay", "experiment:first")
    ours.good("replay", "experiment:first")


def test_benchmark_with_public_command_line(stock: Ck, ours: Ck) -> None:
    words = ["benchmark", "program:object-detection", "--cmd_key=accuracy-offline", "--count=4", "--venv=demo", "--record"]
    status, output = _outcome(stock, *words)
    again, same = _outcome(ours, *words)
    labels = [re.findall(r"^[a-z ]+(?=  )", text, flags=re.MULTILINE) for text in (output, same)]
    assert status == again == 0
    assert labels[0] == labels[1]
    assert "mAP" in output


def test_program_calling_the_kernel_gets_a_dictionary(stock: Ck) -> None:
    asked = """
import json, ck.kernel as ck
answers = [
    ck.access({"action": "show", "module_uoa": "experiment", "data_uoa": "first"}),
    ck.access({"action": "run", "module_uoa": "program", "data_uoa": "object-detection", "venv": "demo",
               "count": 4, "mode": "accuracy", "env": {"CK_LOADGEN_SCENARIO": "Offline"}}),
    ck.access({"action": "run", "module_uoa": "program", "data_uoa": "nonesuch"}),
    ck.access({"action": "search", "module_uoa": "venv.template", "out": ""}),
    ck.access({"action": "ls", "module_uoa": "venv"}),
]
json.dump(answers, open("answers.json", "w"), default=str)
"""
    done = subprocess.run(
        [stock.program.with_name("python"), "-c", asked], env=stock.environment, cwd=stock.home, capture_output=True, check=True
    )
    shown, run, missing, templates, venvs = json.loads((stock.home / "answers.json").read_text())
    assert done.stdout == b""
    assert shown["return"] == run["return"] == 0
    assert run["results"]["images"] == 4
    assert missing["return"] == 16
    assert "nonesuch" in missing["error"]
    assert "mlperf-inference-1.0" in {each["data_uoa"] for each in templates["lst"]}
    assert {each["data_uoa"] for each in venvs["lst"]} >= {"demo"}


def test_repository_with_same_modules_and_entries_changes_nothing(stock: Ck, ours: Ck, tmp_path: Path) -> None:
    folder = tmp_path / "a-neighbour"
    _neighbour(folder)
    stock.text("pull", "repo", f"--url={folder}")
    try:
        for words in (
            "create venv:mine --template=mlperf-inference-1.0 --dry-run --out=json", "ls venv.template", "show env",
            "run program:object-detection --dry-run --venv=demo --out=json",
            "install package --tags=dataset,demo --dry-run --venv=demo --out=json",
            "install package --tags=lib,python-package,onnxruntime-cpu,1.6.0 --dry-run --venv=demo --out=json",
            "install package --tags=lib,python-package,onnxruntime-cpu,9.9.9 --dry-run --venv=demo --out=json",
            "install package --tags=onnxruntime-cpu,-shelf --dry-run --venv=demo --out=json",
        ):  # fmt: skip
            assert _outcome(stock, *words.split()) == _outcome(ours, *words.split())
        assert "* next-door (00000000000000a2)" in stock.text("run", "program:next-door", status=1)  # stock CK's own message
        assert "Package found: next-door" in stock.text("install", "package", "--tags=next-door", "--quiet", status=1)
        assert "Package found: shelf" in stock.text("install", "package", "--tags=shelf,1.6.0", "--quiet", status=1)
    finally:
        stock.text("rm", "repo:a-neighbour", "--force", "--all")


def _neighbour(folder: Path) -> None:
    """A repository with a module `venv`, a template named like ours, and entries of stock CK's kind.

    Its package `shelf` has the tags of our ONNX Runtime, and versions as variations.
    """
    package, pip = "1dc07ee0f4742028", {"install_env": {"PYTHON_PACKAGE_NAME": "onnxruntime"}}
    shelf = {
        "tags": ["lib", "python-package", "onnxruntime", "onnxruntime-cpu", "shelf"],
        "customize": pip,
        "soft_uoa": "none",
        "variations": {"1.6.0": {"extra_env": {"PACKAGE_VERSION": "1.6.0"}}, "1.7.0": {}},
    }
    next_door = {"tags": ["next-door"], "customize": {}, "soft_uoa": "none"}
    entries: list[tuple[str, str, str, str, dict[str, Any]]] = [
        ("module", "032630d041b4fd8a", "venv", "7ed17cb445bb5f69", {"actions": {"create": {}}}),
        ("venv.template", "00437f87b26fd015", "mlperf-inference-1.0", "00000000000000a1", {}),
        ("package", package, "next-door", "00000000000000a3", next_door),
        ("package", package, "shelf", "00000000000000a4", shelf),
        ("program", "b0ac08fe1d3c2615", "next-door", "00000000000000a2", {"run_cmds": {"x": {}}}),
    ]
    code = "def init(i): return {'return': 0}\ndef create(i): return {'return': 1, 'error': 'made next door'}\n"
    _repository(folder, "00000000000000a0", entries, {"module/venv/module.py": code})


def _systems(folder: Path) -> None:
    """A repository with the operating systems that ours are based on, as all repositories of stock recipes have them."""
    metas = [json.loads(file.read_text()) for file in ROOT.glob("os/*/.cm/meta.json")]
    entries = [
        ("os", "0440cb72c2bc5cc6", meta["base_uoa"], meta["base_uid"], {key: meta[key] for key in meta if "base" not in key})
        for meta in metas
    ]
    _repository(folder, "00000000000000c0", entries, {})


def _repository(
    folder: Path, repository_uid: str, entries: list[tuple[str, str, str, str, dict[str, Any]]], files: dict[str, str]
) -> None:
    """Write a repository under git: a module, its UID, a name, a UID and a meta for each entry."""
    for module, module_uid, name, uid, meta in entries:
        (folder / module / name / ".cm").mkdir(parents=True)
        (folder / module / name / ".cm" / "meta.json").write_text(json.dumps(meta))
        for place, alias, its_uid in ((folder, module, module_uid), (folder / module, name, uid)):
            (place / ".cm").mkdir(exist_ok=True)
            (place / ".cm" / f"alias-a-{alias}").write_text(its_uid)
            (place / ".cm" / f"alias-u-{its_uid}").write_text(alias)
    for path, text in files.items():
        (folder / path).write_text(text)
    names = {"data_alias": folder.name, "data_uoa": folder.name, "data_name": folder.name, "data_uid": repository_uid}
    (folder / ".ckr.json").write_text(json.dumps({**names, "dict": {}}))
    _commit(folder)


@pytest.fixture
def both(stock_program: Path, ours: Ck, origin: Path, tmp_path: Path) -> tuple[Ck, Ck]:
    """Stock CK and our command in one new store; the modules are stock CK's own."""
    ours_here = Ck(ours.program, tmp_path, {"HOME": str(tmp_path)})
    stock_here = Ck(stock_program, tmp_path, {"HOME": str(tmp_path)})
    stock_here.text("pull", "repo", f"--url={origin}")
    return stock_here, ours_here


def test_stock_modules_use_what_our_command_registers(both: tuple[Ck, Ck], tmp_path: Path) -> None:
    stock_here, ours_here = both
    python = stock_here.program.with_name("python")
    _systems(tmp_path / "systems")
    stock_here.text("pull", "repo", f"--url={tmp_path / 'systems'}")
    ours_here.good("detect", "soft:compiler.python", f"--full_path={python}")
    shown = stock_here.text("cat", "env", "--tags=compiler,python")
    assert f"export CK_ENV_COMPILER_PYTHON_FILE={python}" in shown
    asked = """
import json, ck.kernel as ck
need = {"python": {"local": "yes", "name": "Python", "sort": 1, "tags": "compiler,python"}}
answer = ck.access({"action": "resolve", "module_uoa": "env", "deps": need, "quiet": "yes"})
json.dump(answer, open("answer.json", "w"), default=str)
"""
    subprocess.run([python, "-c", asked], env=stock_here.environment, cwd=tmp_path, stdin=subprocess.DEVNULL, check=True)
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["return"] == 0, answer.get("error")
    assert answer["env"]["CK_ENV_COMPILER_PYTHON_FILE"] == str(python)
    script = tmp_path / "set.sh"
    script.write_text(answer["bat"] + "echo $CK_ENV_COMPILER_PYTHON_FILE\n")
    assert subprocess.run(["sh", script], capture_output=True, text=True, check=True).stdout == f"{python}\n"


def test_repositories_are_shared_with_stock_ck(both: tuple[Ck, Ck], tmp_path: Path) -> None:
    stock_here, ours_here = both
    ours_here.good("add", "repo:mine")
    ours_here.good("add", "repo:elsewhere", f"--path={tmp_path / 'x'}")
    _neighbour(tmp_path / "from-here")
    ours_here.good("pull", "repo:team@tools", f"--url={tmp_path / 'from-here'}")
    expected = {"mine": "CK/mine", "elsewhere": "x", "team@tools": "CK/team@tools"}
    for again in (False, True):
        if again:
            stock_here.text("recache", "repo")
        for name, path in expected.items():
            assert stock_here.text("where", f"repo:{name}").split() == [str(tmp_path / path)]
    assert "next-door" in stock_here.text("ls", "team@tools:program:*")
    ours_here.good("rm", "repo:elsewhere", "--force")
    assert "not found in cache" in stock_here.text("where", "repo:elsewhere", status=1)


def test_pull_says_which_command_takes_precedence(stock_program: Path, origin: Path, tmp_path: Path) -> None:
    ck = Ck(stock_program, tmp_path, {"HOME": str(tmp_path)})
    assert "ck open front-door" in ck.text("pull", "repo", f"--url={origin}")
    _neighbour(tmp_path / "a-neighbour")
    ck.text("pull", "repo", f"--url={tmp_path / 'a-neighbour'}")
    ck.text("open", "front-door")
    assert "mlperf-inference-1.0" in ck.text("ls", "venv.template")
    plan = ck.good("create", "venv:mine", "--template=mlperf-inference-1.0", "--dry-run")
    assert plan["return"] == 0


def test_first_use_without_package_index_says_what_to_do(stock_program: Path, origin: Path, tmp_path: Path) -> None:
    nowhere = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "HOME": str(tmp_path)}
    ck = Ck(stock_program, tmp_path, nowhere)
    ck.text("pull", "repo", f"--url={origin}")
    answer = ck.json("ls", "venv.template")
    assert answer["return"] == 6
    assert "PIP_FIND_LINKS" in answer["error"]
    assert "the log ends with" in answer["error"]
    assert not list((tmp_path / "CK/local").glob("module"))
