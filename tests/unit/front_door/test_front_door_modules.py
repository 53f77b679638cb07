"""The entries that stock CK loads match the engine."""

from __future__ import annotations

import json
import sys
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ck_repo.resolve.versions import is_version

ROOT = Path(__file__).resolve().parents[3]
MODULES = ROOT / "module"


def load(name: str, file: Path, **options: Any) -> ModuleType:
    """Load a file that is not in a package of this environment."""
    spec = util.spec_from_file_location(name, file, **options)
    assert spec
    assert spec.loader
    sys.modules[name] = module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def front_door() -> ModuleType:
    """The package that stock CK loads."""
    folder = MODULES / "front-door"
    return load("front_door", folder / "__init__.py", submodule_search_locations=[str(folder)])


def test_entries_match_actions() -> None:
    for path, text in load("make_modules", MODULES / "make_modules.py").files().items():
        assert (MODULES / path).read_text(encoding="utf-8") == text, f"{path}: run `python module/make_modules.py`"


def test_repository_is_recognized_by_uid(front_door: ModuleType) -> None:
    assert json.loads((ROOT / ".ckr.json").read_text())["data_uid"] == front_door.handover.REPOSITORY


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"action": "show", "module_uoa": "env", "out": "con", "cids": []}, ["show", "env"]),
        (
            {"action": "run", "module_uoa": "program", "data_uoa": "object-detection", "count": 4, "offline": True},
            ["run", "program:object-detection", "--count=4", "--offline=yes"],
        ),
        (
            {"action": "run", "module_uoa": "program", "data_uoa": "a", "repo_uoa": "mine", "env": {"N": "1"}},
            ["run", "mine:program:a", '@@@{"env": {"N": "1"}}'],
        ),
        ({"action": "ls", "module_uoa": "package", "repo_uoa": "mine"}, ["ls", "package", "--repo_uoa=mine"]),
        (
            {"action": "compare", "module_uoa": "experiment", "data_uoa": "a", "cids": ["experiment:b"], "xcids": [{}]},
            ["compare", "experiment:a", "experiment:b"],
        ),
        (
            {"action": "activate", "module_uoa": "venv", "unparsed": ["python", "-V"]},
            ["activate", "venv", "--", "python", "-V"],
        ),
    ],
)
def test_request_as_words(front_door: ModuleType, request_: dict[str, Any], words: list[str]) -> None:
    assert front_door.start.words(request_) == words


@pytest.mark.parametrize(
    "tag", ["1.6.0", "v1.0", "2.0rc1", "1.0.post2", "1.0.dev3", "2017", "r1.0", "opset-8", "1.6.0-cpu", ""]
)
def test_version_tag_is_passed_as_version(front_door: ModuleType, tag: str) -> None:
    assert bool(front_door.door._VERSION.fullmatch(tag)) == is_version(tag)


def write_project(folder: Path, *requirements: str) -> None:
    lines = "".join(f'  "{requirement}",\n' for requirement in requirements)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "a"\ndependencies = [\n{lines}]\n\n[tool.b]\nc = ["]"]\n')


def test_changed_requirements_need_a_new_environment(front_door: ModuleType, tmp_path: Path) -> None:
    write_project(tmp_path, "a>=1")
    before = front_door.engine._key(str(tmp_path))
    write_project(tmp_path, "a>=1", "b[c]>=2")
    assert front_door.engine.requirements(str(tmp_path)) == ["a>=1", "b[c]>=2"]
    assert front_door.engine._key(str(tmp_path)) != before


def test_requirements_match_the_project(front_door: ModuleType) -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no TOML parser")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert front_door.engine.requirements(str(ROOT)) == project["dependencies"]


def test_project_without_requirements_is_an_error(front_door: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\n')
    with pytest.raises(front_door.engine.EngineError, match="has no list `dependencies`"):
        front_door.engine.requirements(str(tmp_path))


def test_pip_failure_is_an_error_with_log(front_door: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, "a-distribution-that-is-nowhere")
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", ""), ("PIP_CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    with pytest.raises(front_door.engine.EngineError, match="a-distribution-that-is-nowhere") as caught:
        front_door.engine.python(str(tmp_path))
    assert "PIP_FIND_LINKS" in str(caught.value)
    with pytest.raises(front_door.engine.EngineError):  # incomplete environments are recreated
        front_door.engine.python(str(tmp_path))


@pytest.mark.parametrize(
    ("module", "key"),
    [("package", "use_scripts_from_another_entry"), ("soft", "use_customize_script_from_another_entry")],
)
def test_stock_ck_does_not_install_or_detect_ours_itself(module: str, key: str) -> None:
    for meta in sorted((ROOT / module).glob("*/.cm/meta.json")):
        content = json.loads(meta.read_text(encoding="utf-8"))
        assert content.get(key) == {"data_uoa": "engine", "module_uoa": "front-door"}, f"{meta} needs the key {key}"
