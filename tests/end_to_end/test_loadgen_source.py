"""LoadGen built from source: fetched by git at a commit, compiled, and used instead of the venv's.

The source of round v1.0 is only on the network. Here, the recipe's own steps build today's LoadGen source,
from a local repository, with the two properties of v1.0's source that the recipe supports: headers in third_party/, and a
version generator that imports absl.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from end_to_end.installed import Ck

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "package" / "lib-loadgen-source"
LAYOUT = ("--sessions=1", "--threads=1", "--batch-size=1", "--samples-per-query=2")  # nothing is measured
RUN = ("run", "program:object-detection", "--scenario=multistream", "--mode=performance", "--time=1", "--count=32", *LAYOUT)
# as v1.0's setup.py is, of which the published logs have the SHA-1 (bd41a2b3…): plain setuptools, headers of a submodule,
# and a version generator that takes its flags from absl
SETUP = """
from setuptools import Extension, setup
from version_generator import generate_loadgen_version_definitions
generate_loadgen_version_definitions("generated/version_generated.cc", ".")
names = ["early_stopping", "issue_query_controller", "loadgen", "logging", "test_settings_internal", "utils", "version",
         "results", "bindings/python_api", "generated/version_generated"]
sources = [f"{name}.cc" for name in names]
setup(
    name="mlperf_loadgen", version="0.5a0",
    ext_modules=[Extension("mlperf_loadgen", define_macros=[("MAJOR_VERSION", "0"), ("MINOR_VERSION", "5")],
                           include_dirs=[".", "../third_party/pybind/include"], sources=sources)],
)
"""

GENERATOR_HEAD = """
from absl import flags
flags.DEFINE_string("loadgen_root", ".", "folder of the source")
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A repository with LoadGen's source; its URL and commit."""
    folder = tmp_path_factory.mktemp("inference")
    words = ["--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder / "sdist"), "mlcommons-loadgen==4.1.30"]
    subprocess.run([sys.executable, "-m", "pip", "download", *words], check=True)
    (archive,) = (folder / "sdist").iterdir()
    with tarfile.open(archive) as file:
        file.extractall(folder / "sdist", filter="data")
    source = folder / "git" / "loadgen"
    shutil.copytree(next(path for path in (folder / "sdist").iterdir() if path.is_dir()), source)
    for name in ("pyproject.toml", "setup.cfg"):
        (source / name).unlink(missing_ok=True)
    (source / "setup.py").write_text(SETUP)
    generator = source / "version_generator.py"
    generator.write_text(GENERATOR_HEAD + generator.read_text())

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=Somebody", "-c", "user.email=some@body.example", *words]
        return subprocess.run(command, cwd=folder / "git", check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "LoadGen")
    return f"git+file://{folder / 'git'}", git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def built(shared_ck: Ck, repository: tuple[str, str]) -> dict[str, object]:
    """A recipe of the user's that differs from ours by its URL alone, installed."""
    shared_ck.good("add", "local:package:loadgen-here", "--tags=x")
    entry = Path(str(shared_ck.good("find", "local:package:loadgen-here")["path"]))
    meta = json.loads((RECIPE / ".cm/meta.json").read_text())
    url, commit = repository
    meta["install"][0]["download"]["url"] = f"{url}@{commit}#subdirectory=loadgen"
    meta["tags"] = ["lib", "python-package", "mlperf", "loadgen", "here"]
    (entry / ".cm/meta.json").write_text(json.dumps(meta))
    for name in ("build.py", "samples.h"):
        shutil.copy(RECIPE / name, entry)
    refused = shared_ck.json("install", "package", "--tags=lib,python-package,mlperf,loadgen,here")
    assert (refused["return"], "--trust" in str(refused["error"])) == (6, True)  # it is a foreign program
    quick = replace(shared_ck, extra={"CXXFLAGS": "-O0"})  # compilation; the run itself is not measured here
    return dict(quick.good("install", "package", "--tags=lib,python-package,mlperf,loadgen,here", "--trust"))


def test_module_is_built_once_and_keeps_only_needed_files(built: dict[str, object], shared_ck: Ck) -> None:
    folder = Path(str(built["path"]))
    assert list((folder / "python").glob("mlperf_loadgen.*.so"))
    assert {path.name for path in folder.iterdir()} == {".ck-install.json", "loadgen", "python"}
    assert not {"build", "generated"} & {path.name for path in (folder / "loadgen").iterdir()}
    again = shared_ck.good("install", "package", "--tags=lib,python-package,mlperf,loadgen,here")
    assert again["path"] == built["path"]


def test_run_uses_built_module_only_on_request(built: dict[str, object], shared_ck: Ck) -> None:
    refused = shared_ck.json(*RUN, "--dep_add_tags.loadgen=here")
    assert "--trust" in str(refused["error"])  # its modules would run, whoever installed them
    with_it = shared_ck.good(*RUN, "--dep_add_tags.loadgen=here", "--record=with-it", "--trust")
    without = shared_ck.good(*RUN, "--record=without-it")

    def build_of(answer: dict[str, object]) -> str:
        log = Path(str(answer["path"]), "performance/mlperf_log_detail.txt").read_text()
        line = next(line for line in log.splitlines() if '"loadgen_version"' in line)
        return str(json.loads(line.removeprefix(":::MLLOG"))["value"])

    assert build_of(with_it) == "4.1.30 @ NA"  # no git folder
    assert build_of(without) != "4.1.30 @ NA"
    locked = json.loads(Path(str(with_it["path"]), "lock.json").read_text())
    row = next(row for row in locked["components"] if row["alias"] == "loadgen-here")
    assert row["downloads"][0]["urls"][0].startswith("git+file://")
    # its MultiStream is today's: the result shows what it does
    assert with_it["results"]["performance"]["issuing"].startswith("back to back; v1.0 has one query")


def test_replay_uses_built_module_without_rebuilding(built: dict[str, object], shared_ck: Ck) -> None:
    tools = Path(str(built["path"])).parent
    drift = shared_ck.json("check", "venv:mlperf-inference")["drift"]  # from other tests, which share the venv
    shared_ck.good(*RUN, "--dep_add_tags.loadgen=here", "--record=to-replay", "--trust")
    before = sorted(path.name for path in tools.iterdir())
    answer = shared_ck.json("replay", "experiment:to-replay", "--trust")
    log = next(Path(str(shared_ck.home)).rglob(f"{answer['experiment']['alias']}/performance/mlperf_log_detail.txt"))
    assert '"4.1.30 @ NA"' in log.read_text()
    assert sorted(path.name for path in tools.iterdir()) == before
    found = shared_ck.json("check", "venv:mlperf-inference")["drift"]  # the run may reinstall what other tests removed
    assert [row for row in found if row not in drift] == []  # the tools of the recipe are no drift


def test_recipe_names_commit_of_published_logs(shared_ck: Ck, data: Path) -> None:
    plan = shared_ck.good("explain", "package", "--tags=lib,python-package,mlperf,loadgen,r1.0")
    assert "lib-loadgen-source" in json.dumps(plan)
    url = json.loads((RECIPE / ".cm/meta.json").read_text())["install"][0]["download"]["url"]
    log = "ssd-mobilenet/SingleStream/TEST01/performance/run_1/mlperf_log_detail.txt"
    text = (data / "results_v1.0/closed/NVIDIA/compliance/Xavier_NX_TRT" / log).read_text()
    line = next(line for line in text.splitlines() if '"loadgen_git_log_message"' in line)
    assert json.loads(line.removeprefix(":::MLLOG"))["value"].startswith(url.partition("@")[2].partition("#")[0])
    offline = shared_ck.json("install", "package", "--tags=lib,python-package,mlperf,loadgen,r1.0", "--offline")
    assert offline["return"] != 0
    assert "github.com/mlcommons/inference" in str(offline["error"])
