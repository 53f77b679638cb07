"""The distributions contain everything an installed ck needs, and both ways of installing give a working command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from ck_repo import __version__

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

COMPONENTS = (".cm", "env_templates", "module", "os", "package", "program", "soft")


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([find_uv_bin(), "build", "--quiet", "--out-dir", folder, source], check=True)
    return folder


def component_files(source: Path) -> set[str]:
    """The files of the components, relative to the project."""
    files = {
        path.relative_to(source).as_posix() for name in COMPONENTS for path in (source / name).rglob("*") if path.is_file()
    }
    return files | {".ckr.json"}


def test_every_component_folder_is_packaged(source: Path) -> None:
    registered = {path.name.removeprefix("alias-a-") for path in (source / ".cm").glob("alias-a-*")}
    assert registered | {".cm"} == set(COMPONENTS)


def test_source_distribution_contains_the_project(source: Path, built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= component_files(source) | {"LICENSE", "CHANGELOG.md", "README.md", "ck_repo/py.typed", "tests/conftest.py"}


def test_wheel_contains_components_and_type_marker(source: Path, built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        names = set(archive.namelist())
    assert names >= {f"ck_repo/default_repository/{name}" for name in component_files(source)}
    assert "ck_repo/py.typed" in names
    code = {path.relative_to(source).as_posix() for path in (source / "ck_repo").rglob("*.py")}
    assert {name for name in names if name.endswith(".py") and "/default_repository/" not in name} == code


@pytest.mark.parametrize("what", ["wheel", "sdist"])
def test_wheel_records_commit_of_checkout(source: Path, what: str, tmp_path: Path) -> None:
    """Of a wheel built from the checkout, and of one built from the source distribution."""
    checkout = tmp_path / "checkout"
    shutil.copytree(source, checkout)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=all"]):
        subprocess.run([*git, *words], cwd=checkout, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=checkout, check=True, capture_output=True, text=True
    ).stdout.strip()
    direct = ["--wheel"] if what == "wheel" else []
    subprocess.run([find_uv_bin(), "build", "--quiet", *direct, "--out-dir", tmp_path / "dist", checkout], check=True)
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as archive:
        archive.extractall(tmp_path / "installed")
    words = [
        "-c",
        "import dataclasses, json, pathlib, sys; from ck_repo.store.git_state import state_of; "
        "print(json.dumps(dataclasses.asdict(state_of(pathlib.Path(sys.argv[1])))))",
    ]
    folder = tmp_path / "installed/ck_repo/default_repository"
    done = subprocess.run(
        [sys.executable, *words, folder], cwd=tmp_path / "installed", capture_output=True, text=True, check=True
    )
    state = json.loads(done.stdout)
    assert {key: state[key] for key in ("git", "commit", "changed", "installed")} == {
        "git": True, "commit": commit, "changed": False, "installed": True
    }  # fmt: skip


@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_installed_package_runs(how: str, source: Path, built: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True)
    project = tmp_path / "project"
    what: list[Path | str] = [next(built.glob("*.whl"))]
    if how == "editable":
        shutil.copytree(source, project)
        what = ["--editable", project]
    # without PYTHONPATH: pip would mistake the checkout for an installation
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CK_", "PYTHON", "VIRTUAL_ENV"))}
    subprocess.run([tmp_path / "v/bin/pip", "install", "--quiet", *what], env=kept, check=True)
    folders = {"CK_REPOS": str(tmp_path / "CK"), "CK_TOOLS": str(tmp_path / "CK-TOOLS")}
    for name in ("ck", "ck-repo"):
        for words, expected in ((["version"], __version__), (["search", "package", "--tags=dataset,demo"], "dataset-demo")):
            done = subprocess.run(
                [tmp_path / "v/bin" / name, *words],
                env=kept | folders,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            assert expected in done.stdout
