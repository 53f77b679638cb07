"""Creating venvs: atomically, repeatedly, from a suitable template."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ck_repo.environment.create import create_venv, plan_venv
from ck_repo.environment.venv import Venv, find_venv
from ck_repo.errors import CKError, ConflictError, InstallError, NotFoundError, StorageError, UsageError
from ck_repo.session import Session
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


@pytest.fixture
def repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repositories:
    """With templates that need no package index."""
    monkeypatch.setenv("VIRTUALENV_OVERRIDE_APP_DATA", str(tmp_path / "virtualenv"))
    found = Repositories()
    for name, content in (
        ("empty", 'python: ">=3.10"\n'),
        ("other", 'python: ">=3.10"\n'),
        ("future", 'python: ">=3.99"\n'),
        ("odd", "components:\n  thing:\n    tags: no-such-thing\n"),
        ("broken", "components:\n  thing:\n    tags: broken-thing\n"),
    ):
        entry = create_entry(found.writable(), "env_templates", name, {})
        (entry.path / "template.yaml").write_text(content)
    create_entry(found.writable(), "package", "broken-thing", {"install": [{"copy": {"file": "not there"}}]})
    return found


def make(repositories: Repositories, name: str = "mine", template: str = "empty", *, force: bool = False) -> Venv:
    return create_venv(Session(repositories), plan_venv(Session(repositories), name, template), force=force)


def folders(repositories: Repositories) -> list[str]:
    """Venvs that a user sees, including unfinished ones."""
    home = repositories.get("local").path / "venv"
    return sorted(path.name for path in home.iterdir() if path.is_dir() and path.name != ".cm") if home.exists() else []


def test_venv_has_its_own_python(repositories: Repositories) -> None:
    venv = make(repositories)
    code = "import sys; print(sys.prefix, sys.base_prefix != sys.prefix)"
    done = subprocess.run([venv.python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(venv.folder), "True"]
    assert venv.version == ".".join(map(str, sys.version_info[:3]))
    assert find_venv(Session(repositories), "mine") == venv
    assert folders(repositories) == ["mine"]
    check_second_time(repositories, venv)


def check_second_time(repositories: Repositories, venv: Venv) -> None:
    """Creating a venv takes seconds, so these tests share one."""
    (venv.folder / "mark").touch()
    assert make(repositories) == venv
    with pytest.raises(ConflictError, match="already exists, created from empty"):
        make(repositories, template="other")
    assert (venv.folder / "mark").exists()
    recreated = make(repositories, template="other", force=True)
    assert recreated.template == "other"
    assert not (venv.folder / "mark").exists()
    recreated.python.unlink()
    with pytest.raises(InstallError, match="is missing"):
        make(repositories, template="other")


def test_failure_leaves_no_venv(repositories: Repositories) -> None:
    with pytest.raises(InstallError, match="not there"):
        make(repositories, template="broken")
    assert folders(repositories) == []
    assert find_venv(Session(repositories), "mine") is None


def test_leftovers_of_killed_process_are_replaced(repositories: Repositories) -> None:
    half = repositories.get("local").path / "venv" / "mine" / "venv" / "bin"
    half.mkdir(parents=True)
    (half / "python").write_text("half")
    venv = make(repositories)
    subprocess.run([venv.python, "-c", ""], check=True)


@pytest.mark.parametrize(
    ("name", "template", "kind", "message"),
    [
        ("mine", "future", CKError, "3.99"),
        ("mine", "no-such", NotFoundError, "no-such"),
        ("mine", "odd", CKError, "no-such-thing"),
        ("a/b", "empty", UsageError, "is not a valid name"),
        ("", "empty", UsageError, "is not a valid name"),
    ],
)
def test_impossible_plan_fails_before_anything_is_created(
    repositories: Repositories, name: str, template: str, kind: type[CKError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        plan_venv(Session(repositories), name, template)
    assert folders(repositories) == []


def test_python_not_supported_by_template_is_rejected(repositories: Repositories) -> None:
    with pytest.raises(ConflictError, match=r"the template future is for Python >=3\.99, and .* is 3\."):
        plan_venv(Session(repositories), "mine", "future", sys.executable)


def test_unwritable_location_fails_before_anything_is_created(
    repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CK_TOOLS", "/proc/x")
    with pytest.raises(StorageError, match="the folder /proc/x cannot be created") as caught:
        make(repositories)
    assert "CK_TOOLS" in caught.value.hint
    assert find_venv(Session(repositories), "mine") is None
