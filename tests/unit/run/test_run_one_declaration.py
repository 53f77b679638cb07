"""A run option is declared once: an entry added to `run/options.py` reaches everything that has run options."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit.run.bench import WELL, Bench

from ck_repo.environment.lockfile import lock_of_experiment
from ck_repo.errors import ConfigError
from ck_repo.run.recorded_options import options_of
from ck_repo.store.entry import Entry
from ck_repo.store.search import load

ROOT = Path(__file__).resolve().parents[3]
PARTS = (".cm", "ck_repo", "env_templates", "module", "os", "package", "program", "soft")
ROWS = """
    warm_up: Annotated[
        int | None,
        RunOption(
            "queries before the clock starts",
            option="warm-up-queries",
            maximum=500,
            ck=Spelling("CK_WARM_UP"),
            extra_ops="--warm-up",
            official="an official run has no queries before the clock starts",
            in_spec=True,
        ),
    ] = None
    cooler: Annotated[str, RunOption("the fan to switch on", value="NAME", this_machine=True, audited=False)] = ""
"""
# what replays and the Python API also read
RESULTS = """
results |= {"sessions": 1, "threads": 1, "batch_size": 1}
results["accuracy"] |= {"AP50": 0.5, "AP75": 0.5, "detections": 4}
"""


class Changed:
    """A copy of the checkout with two more run options, run in separate processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        unwanted = shutil.ignore_patterns("__pycache__")
        for part in PARTS:
            shutil.copytree(ROOT / part, root / part, ignore=unwanted)
        shutil.copy(ROOT / ".ckr.json", root)
        (root / "docs").mkdir()
        for script in ("make_commands.py", "make_api.py"):
            shutil.copy(ROOT / "docs" / script, root / "docs")
        options = root / "ck_repo/run/options.py"
        text = options.read_text(encoding="utf-8")
        place = "    venv: Annotated["
        assert text.count(place) == 1
        options.write_text(text.replace(place, ROWS.lstrip("\n") + place), encoding="utf-8")

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def ck(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "ck_repo", *words)

    def run(self, *words: str) -> dict[str, Any]:
        """A run of the toy benchmark; the meta of its experiment."""
        done = self.ck("run", "program:toy-bench", "--trust", "--out=json", *words)
        assert done.returncode == 0, done.stderr
        meta: dict[str, Any] = json.loads((Path(json.loads(done.stdout)["path"]) / ".cm/meta.json").read_text())
        return meta


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Changed:
    return Changed(tmp_path_factory.mktemp("changed"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.run(RESULTS + WELL)  # writes the harness
    return made


def test_help_and_commands_page(changed: Changed) -> None:
    line = "  --warm-up-queries=N              queries before the clock starts\n"
    assert line in changed.ck("run", "program", "--help").stdout
    audit = changed.ck("audit", "program", "--help").stdout
    assert "--warm-up-queries=N" in audit
    assert "--cooler" not in audit
    assert changed.python("docs/make_commands.py").returncode == 0
    assert line in (changed.root / "docs/commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--warm-up-queries=0"], 2, "--warm-up-queries=0: it has to be at least 1"),
        (["--warm-up-queries=501"], 2, "warm_up is 501; it has to be more than 0 and at most 500"),
        (["--env.CK_WARM_UP=many"], 2, "--env.CK_WARM_UP=many is not an integer"),
        (["--env.CK_WARM_UPS=1"], 16, "did you mean CK_WARM_UP"),
        (["--env.EXTRA_OPS=--warmup 1"], 16, "did you mean --warm-up"),
        (["--official", "--warm-up-queries=3"], 2, "no queries before the clock starts"),
    ],
    ids=str,
)
def test_values_are_checked(changed: Changed, bench: Bench, words: list[str], code: int, message: str) -> None:
    done = changed.ck("explain", "program:toy-bench", *words)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_every_spelling_is_recorded_and_passed_to_harness(changed: Changed, bench: Bench) -> None:
    for words in (["--warm-up-queries=3"], ["--env.CK_WARM_UP=3"], ["--env.EXTRA_OPS=--warm-up 3"]):
        meta = changed.run(*words)
        assert (meta["options"]["warm_up"], meta["spec"]["warm_up"]) == (3, 3)
    meta = changed.run()
    assert "warm_up" not in meta["options"]
    assert meta["spec"]["warm_up"] is None


def test_replay_reuses_it(changed: Changed, bench: Bench) -> None:
    changed.run("--record=first", "--warm-up-queries=3", "--cooler=fan-1")
    first = load(bench.repositories, "experiment", "first")
    assert _recorded(first) == {"warm_up": 3, "cooler": "fan-1"}
    done = changed.ck("replay", "experiment:first", "--venv=mlperf-inference", "--record=again", "--trust")
    assert "REPRODUCED" in done.stdout, done.stderr
    assert _recorded(load(bench.repositories, "experiment", "again")) == {"warm_up": 3}
    with pytest.raises(ConfigError, match=r"has the option (cooler|warm_up), which this ck does not support"):
        options_of(lock_of_experiment(first.path, first.meta()), first)  # by the ck without these options


def _recorded(experiment: Entry) -> dict[str, Any]:
    """The added options in the lock of an experiment."""
    lock = lock_of_experiment(experiment.path, experiment.meta())
    return {name: value for name, value in lock.options.items() if name in ("warm_up", "cooler")}


def test_python_keyword(changed: Changed, bench: Bench) -> None:
    assert "is out of date" in changed.python("docs/make_api.py", "--check").stderr
    assert changed.python("docs/make_api.py").returncode == 0
    assert changed.python("docs/make_api.py", "--check").returncode == 0
    code = 'from ck_repo import api; print(api.run("toy-bench", warm_up=3, trust=True).meta["spec"]["warm_up"])'
    done = changed.python("-c", code)
    assert done.stdout == "3\n", done.stderr
