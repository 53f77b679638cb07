"""Operations that faults interrupt: an initial store, a command, and the allowed final states."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import virtualenv.seed.wheels.embed

ROOT = Path(__file__).resolve().parents[2]
_UID = "ab" * 8


@dataclass(frozen=True)
class Operation:
    """A command with its initial store.

    Attributes
    ----------
    prepare
        Makes the store, given the folder above CK_REPOS.
    words
        The command.
    state
        The result that a user sees; it must be that before the command, or that after a successful one.
    space
        Bytes that the command needs, with a margin.
    """

    prepare: Callable[[Path], None]
    words: Callable[[Path], list[str]]
    state: Callable[[Path], object]
    space: int = 60_000


def environment(home: Path) -> dict[str, str]:
    """The environment of a command."""
    own = {"CK_REPOS": str(home / "CK"), "CK_TOOLS": str(home / "CK-TOOLS"), "PYTHONPATH": str(ROOT)}
    wheels = Path(virtualenv.seed.wheels.embed.__file__).parent  # those of pip and setuptools: no index is used
    return {**os.environ, **own, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}


def ck(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command without faults."""
    return subprocess.run([sys.executable, "-m", "ck_repo", *words], env=environment(home), capture_output=True, text=True)


def _must(home: Path, *words: str) -> None:
    done = ck(home, *words)
    assert done.returncode == 0, done.stderr


def _entry(home: Path) -> None:
    _must(home, "add", "dataset:a", f"--data_uid={_UID}", "--tags=old")
    (home / "CK" / "local" / "dataset" / "a" / "data.bin").write_bytes(os.urandom(50_000))


def _binned(home: Path) -> None:
    _entry(home)
    _must(home, "rm", "dataset:a", "--force")


def _archive(home: Path) -> None:
    _entry(home)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"dataset/{name}/.cm/meta.json", '{"tags": ["new"]}')
            archive.writestr(f"dataset/{name}/.cm/info.json", f'{{"backup_data_uid": "{(name + "1") * 8}"}}')
            archive.writestr(f"dataset/{name}/data.bin", os.urandom(50_000))
    (home / "in.zip").write_bytes(file.getvalue())


def _tree(home: Path) -> None:
    base = home / "tree" / "closed" / "Us"
    for scenario in ("Offline", "SingleStream"):
        folder = base / "results" / "box" / "ssd-small" / scenario
        for part in ("performance/run_1", "accuracy"):
            (folder / part).mkdir(parents=True)
            (folder / part / "mlperf_log_detail.txt").write_text(':::MLLOG {"key": "result_validity", "value": "VALID"}\n')
        (folder / "accuracy" / "accuracy.txt").write_text("mAP=22.1%\n")
    _must(home, "import", "submission", f"--path={home / 'tree'}")


def _package(home: Path) -> None:
    _must(
        home, "add", "package:made", "--tags=made", '@@@{"dict": {"install": [{"copy": {"file": "data.bin"}}], "version": "1"}}'
    )
    (home / "CK" / "local" / "package" / "made" / "data.bin").write_bytes(os.urandom(200_000))


def _template(home: Path) -> None:
    _must(home, "add", "env_templates:bare")
    (home / "CK" / "local" / "env_templates" / "bare" / "template.yaml").write_text('description: nothing\npython: ">=3.10"\n')


def _venv(home: Path) -> None:
    _template(home)
    _must(home, "create", "venv:v", "--template=bare", f"--python={sys.executable}")


_HARNESS = """
import json, sys
from pathlib import Path

spec = json.loads(Path(sys.argv[1]).read_text())
for mode in ("accuracy", "performance"):
    Path(mode, "log.txt").write_text("x" * 100_000)
results = {"model": spec["model"]["name"], "scenario": spec["scenario"], "accuracy": {"mAP": 0.5}}
Path("results.json").write_text(json.dumps(results))
"""


def _benchmark(home: Path) -> None:
    """A benchmark whose harness needs no framework, with packages that a run installs first."""
    _venv(home)
    local = home / "CK" / "local"
    metas: dict[str, dict[str, Any]] = {
        "tiny-model": {
            "tags": ["model"],
            "model": {"profile": "coco-300", "backend": "none", "input": "x", "dataset": "dataset"},
        },
        "tiny-set": {"tags": ["dataset"], "dataset": {"images": "images", "annotations": "data.json"}},
        "tiny-framework": {"tags": ["framework"]},
    }
    for alias, meta in metas.items():
        file = {"file": "data.json", "install": [{"copy": {"file": "data.json"}}], "version": "1"}
        _must(home, "add", f"package:{alias}", "@@@" + json.dumps({"dict": {**meta, **file}}))
        (local / "package" / alias / "data.json").write_text("{}")
    needs = {
        "weights": {"tags": ["model"]},
        "dataset": {"tags": ["dataset"]},
        "framework": {"tags": ["framework"], "when": {"backend": "none"}},
    }
    _must(home, "add", "program:tiny", "@@@" + json.dumps({"dict": {"harness": "tiny_harness", "deps": needs}}))
    package = local / "program" / "tiny" / "tiny_harness"
    package.mkdir()
    (package / "__main__.py").write_text(_HARNESS)


def _tags(home: Path) -> object:
    local = home / "CK" / "local" / "dataset"
    return sorted((path.parts[-3], path.read_text()) for path in local.glob("[!.]*/.cm/meta.json"))


def _experiments(home: Path) -> object:
    return sorted(path.parts[-3] for path in (home / "CK" / "local" / "experiment").glob("[!.]*/.cm/meta.json"))


def _runs(home: Path) -> object:
    """The experiments, each with all files of a run; their UIDs differ from run to run."""
    found = []
    for path in (home / "CK" / "local" / "experiment").glob("[!.]*/.cm/meta.json"):
        meta = json.loads(path.read_text())
        found.append((meta["results"], sorted(str(file.relative_to(path.parents[1])) for file in path.parents[1].rglob("*"))))
    return found


def _installed(home: Path) -> object:
    return sorted(path.name for path in (home / "CK-TOOLS").glob("[!.]*"))


def _zip(name: str) -> Callable[[Path], object]:
    def state(home: Path) -> object:
        if not (home / name).exists():
            return None
        with zipfile.ZipFile(home / name) as archive:
            assert archive.testzip() is None
            return sorted(archive.namelist())

    return state


def _works(home: Path) -> object:
    """Whether the venv exists and works."""
    python = home / "CK" / "local" / "venv" / "v" / "venv" / "bin" / "python"
    listed = (home / "CK" / "local" / "venv" / "v" / ".cm" / "meta.json").exists()
    if listed:
        subprocess.run([str(python), "-c", "pass"], check=True)
        assert ck(home, "check", "venv:v").returncode == 0
    return listed


def _fixed(*words: str) -> Callable[[Path], list[str]]:
    return lambda home: [word.replace("HOME", str(home)) for word in words]


OPERATIONS: dict[str, Operation] = {
    "add": Operation(_entry, _fixed("add", "dataset:b", "--tags=new"), _tags),
    "update": Operation(_entry, _fixed("update", "dataset:a", "--tags=new"), _tags),
    "ren": Operation(_entry, _fixed("ren", "dataset:a", "dataset:b"), _tags),
    "rm": Operation(_entry, _fixed("rm", "dataset:a", "--force"), _tags),
    "restore": Operation(_binned, _fixed("restore", "dataset:a"), _tags),
    "zip": Operation(_entry, _fixed("zip", "dataset:*", "--archive_name=HOME/out.zip"), _zip("out.zip"), 130_000),
    "unzip": Operation(_archive, _fixed("unzip", "dataset", "--zip=HOME/in.zip", "--overwrite"), _tags, 500_000),
    "import": Operation(_tree, _fixed("import", "submission", "--path=HOME/tree"), _experiments),
    "install": Operation(_package, _fixed("install", "package:made"), _installed, 500_000),
    "run": Operation(_benchmark, _fixed("run", "program:tiny", "--venv=v", "--trust"), _runs, 2_000_000),
    "create venv": Operation(
        _template, _fixed("create", "venv:v", "--template=bare", f"--python={sys.executable}"), _works, 30_000_000
    ),
    "create venv --force": Operation(
        _venv, _fixed("create", "venv:v", "--template=bare", "--force", f"--python={sys.executable}"), _works, 30_000_000
    ),
    "bundle": Operation(_venv, _fixed("bundle", "venv:v", "--output=HOME/v.zip"), _zip("v.zip"), 12_000_000),
}
