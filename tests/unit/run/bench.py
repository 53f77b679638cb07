"""A toy benchmark in its own repository, with a venv to run it in."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from bare_venv import bare_venv

from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import RunRecord, execute
from ck_repo.run.prepare import RunPlan, prepare
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find
from ck_repo.store.writing import create_entry

HARNESS = """
import json, os, signal, sys
from pathlib import Path
spec = json.loads(Path(sys.argv[1]).read_text())
print("so far so good")
results = {"model": spec["model"]["name"], "scenario": spec["scenario"], "accuracy": {"mAP": 0.5}}
results["found"] = [Path(spec["model"]["path"]).read_text(), Path(spec["dataset"]["annotations"]).name]
"""
WELL = 'Path("results.json").write_text(json.dumps(results))\n'


class Bench:
    """A repository with a toy benchmark, and a venv."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.repositories = Repositories()
        self.local = self.repositories.writable()
        self.program = self.entry(
            "program", "toy-bench", harness="toy_harness",
            deps={
                "weights": {"tags": ["model"], "default_tags": ["plain"]},
                "dataset": {"tags": ["dataset"]},
                "framework": {"tags": ["framework"], "when": {"backend": "toy"}},
            },
        )  # fmt: skip
        model = {"profile": "coco-300", "backend": "toy", "input": "image", "dataset": "dataset,toy-set"}
        for alias, tag in (("toy-model", "plain"), ("other-model", "fancy")):
            self.copied(alias, f"{alias}.txt", tags=["model", tag], model=model)
        dataset = {"images": "images", "annotations": "a.json"}
        for alias in ("toy-set", "z-other-set"):
            self.copied(alias, "a.json", tags=["dataset"], dataset=dataset)
        self.copied("toy-framework", "f.txt", tags=["framework"])
        self.venv = self.entry("venv", "mlperf-inference", template="toy", python_version=platform.python_version())
        bare_venv(self.venv.path / "venv")

    def entry(self, module: str, alias: str, **meta: Any) -> Entry:
        return create_entry(self.local, module, alias, meta)

    def copied(self, alias: str, file: str, **meta: Any) -> None:
        """A package whose recipe copies one file."""
        row = self.entry("package", alias, file=file, install=[{"copy": {"file": file}}], **meta)
        (row.path / file).write_text(alias)

    def plan(self, **options: Any) -> RunPlan:
        return prepare(Session(self.repositories), self.program, RunOptions(**options))

    def run(self, code: str = WELL, name: str = "", **options: Any) -> RunRecord:
        package = self.program.path / "toy_harness"
        package.mkdir(exist_ok=True)
        (package / "__main__.py").write_text(HARNESS + code)
        return execute(Session(self.repositories, trust=True), self.plan(**options), name=name, tags=["mine"])

    def experiments(self) -> list[str]:
        return [row.alias for row in find(self.repositories, "experiment")]

    def left(self) -> list[Path]:
        """Folders beside the experiments."""
        return [path for path in (self.local.path / "experiment").glob(".*") if path.name != ".cm"]
