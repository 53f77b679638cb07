"""Commands do the same whatever other repositories are registered."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stock_repositories import StockRepository

from ck_repo.cli.main import main
from ck_repo.store.repositories import Repositories

# the commands of the public v1.0 object-detection pages that change nothing but names; those that
# would install only plan
SAME = (
    "create venv:mlperf-inference --template=mlperf-inference-1.0 --quiet --dry-run",
    "find venv:none",
    "rm venv:none",
    "ls venv",
    "detect platform.os --platform_init_uoa=generic-linux-dummy",
    "detect soft:compiler.python --full_path={python}",
    "detect soft --tags=compiler,python",
    "detect soft:dataset.coco.2017.val --full_path={missing}",
    "detect soft:model.onnx --full_path={missing}",
    "install package --tags=dataset,coco,val,2017,full --quiet --dry-run",
    "install package --tags=dataset,object-detection,preprocessed,full,side.300,using-pillow --dry-run",
    "install package --tags=lib,python-package,onnxruntime-cpu,1.6.0 --dry-run",
    "install package --tags=model,object-detection,mlperf,onnx,ssd-mobilenet,side.300,non-quantized,opset-8 --dry-run",
    "install package --tags=lib,python-package,mlperf,loadgen --dry-run",
    "install package --tags=tool,coco,api --dry-run",
    "locate env --tags=dataset,coco,2017,val,full",
    "run program:object-detection --dry-run",
    "run program:object-detection --cmd_key=accuracy-offline --env.EXTRA_OPS={extra} --dry-run",
    "run program:object-detection --dep_add_tags.weights=ssd-mobilenet --env.CK_LOADGEN_SCENARIO=SingleStream --dry-run",
    "benchmark program:object-detection --cmd_key=performance-singlestream --record_repo=local --tags=mine --dry-run",
    "run program --help",
    "find experiment --tags=mlperf-v1.0,object-detection",
    "ls experiment",
    "where repo:local",
)


def strangers(root: Path) -> list[StockRepository]:
    """Repositories whose entries have the names and tags of ours, in stock's format, some of them unsupported."""
    one, two = StockRepository(root / "one", "one"), StockRepository(root / "two", "two")
    one.package("tool-coco", "", tags="tool,coco,api", deps={"compiler": {"local": "yes", "tags": "compiler,python"}})
    one.package(
        "dataset-coco-2017-val", "", tags="dataset,coco,2017,val,full,object-detection", files={"install.sh": "exit 1\n"}
    )
    one.package("lib-python-numpy", "", tags="lib,python-package,numpy", deps={"self": {"tags": "lib,python-package,numpy"}})
    tags = "model,object-detection,mlperf,onnx,ssd-mobilenet,side.300,non-quantized"
    one.fetched("ssd", "https://nowhere.invalid", "m.onnx", tags=tags, variations={"opset-8": {"extra_tags": ["opset-8"]}})
    two.package("anything", "", tags="model,dataset,tool,lib,python-package,coco,api,loadgen,mlperf,object-detection")
    for name in ("compiler.python", "dataset.coco.2017.val", "model.onnx"):
        for repository in (one, two):
            repository.entry("soft", name, {"tags": ["compiler", "python", *name.split(".")], "customize": {}})
    for name in ("mlperf-inference-1.0", "generic"):
        two.entry("venv.template", name, {}, {"script.sh": "exit 1\n"})
    two.entry("program", "object-detection", {"run_cmds": {"x": {"run_time": {"run_cmd_main": "exit 1"}}}, "deps": {}})
    two.entry("env_templates", "mlperf-inference-1.0", {"tags": ["broken"]})
    one.entry("module", "program", {"actions": {"run": {}}}, {"module.py": "raise SystemExit(1)\n"})
    one.entry("package", "broken", "{")
    one.entry("package", "broken-too", "[]")
    return [one, two]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command of `SAME` in a store; status and JSON or text, without the store's paths."""

    def run(store: str, words: str) -> tuple[int, Any]:
        monkeypatch.setenv("CK_REPOS", str(tmp_path / store / "CK"))
        monkeypatch.setenv("CK_TOOLS", str(tmp_path / store / "T"))
        capsys.readouterr()
        filled = [
            word.format(python=sys.executable, missing=tmp_path / "missing.jpg", extra="--time 60 --qps 200 --max-latency 0.1")
            for word in words.split()
        ]
        status = main([*filled, "--out=json"] if "--help" not in filled else filled)
        text = capsys.readouterr().out.replace(str(tmp_path / store), "STORE")
        return status, text if "--help" in filled else _steady(json.loads(text))

    return run


def _steady(value: Any) -> Any:
    """The answer without parts that differ between calls or list other candidates."""
    if isinstance(value, dict):
        dropped = ("passed_over", "hint", "error", "registered", "load", "load_average")
        return {key: _steady(row) for key, row in value.items() if key not in dropped}
    return [_steady(row) for row in value] if isinstance(value, list) else value


def register(root: Path) -> None:
    """The test's own repositories, and copies of those in the folder that CK_TEST_REPOSITORIES names."""
    for repository in strangers(root):
        repository.register()
    real = os.environ.get("CK_TEST_REPOSITORIES")
    for folder in sorted(Path(real).iterdir()) if real else []:
        if (folder / ".ckr.json").is_file():
            shutil.copytree(folder, root / folder.name, ignore=shutil.ignore_patterns(".git"))
            Repositories().add(folder.name, root / folder.name)


def test_public_commands_work_with_other_repositories(
    typed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "with/CK"))
    register(tmp_path / "elsewhere")
    alone = {words: typed("alone", words) for words in SAME}
    beside = {words: typed("with", words) for words in SAME}
    assert {words: beside[words] for words in SAME if beside[words] != alone[words]} == {}
    assert sum(status == 0 for status, _ in alone.values()) > len(SAME) * 2 // 3


def test_foreign_entries_are_listed_and_warned_about_once(
    typed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CK_REPOS", str(tmp_path / "with/CK"))
    register(tmp_path / "elsewhere")
    names = [row["data_uoa"] for row in typed("with", "ls venv.template")[1]["lst"]]
    assert {"mlperf-inference-1.0", "generic"} <= set(names)
    assert main(["run", "program:object-detection", "--dry-run"]) == 0
    first = capsys.readouterr().err
    assert first.count("warning") == 1
    assert "ck check repo:one" in first
    assert main(["run", "program:object-detection", "--dry-run"]) == 0
    assert "warning" not in capsys.readouterr().err
