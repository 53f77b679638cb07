"""What an experiment keeps of the machine, the venv and the repositories."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from ck_repo.detect.platform import describe_platform
from ck_repo.record.provenance import provenance
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.venv.environment import Venv


def test_machine_has_cores_and_memory() -> None:
    found = describe_platform()
    assert 0 < found["cores_usable"] <= found["cores_logical"] == os.cpu_count()
    assert 0 < found["cores_physical"] <= found["cores_logical"]
    assert found["sockets"] > 0
    assert found["memory"] > 2**28  # bytes
    assert found["load"] >= 0


def test_machine_has_names() -> None:
    found = describe_platform()
    assert all(found[key] for key in ("cpu", "machine", "os", "kernel", "governor"))
    assert platform.release() in found["kernel"]


def test_cores_that_a_batch_system_grants_are_the_usable_ones() -> None:
    granted = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(granted)})
        assert describe_platform()["cores_usable"] == 1
    finally:
        os.sched_setaffinity(0, granted)


def venv_at(folder: Path) -> Venv:
    site = folder / "venv" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    entry = Entry("local", "venv", "mine", "0" * 16, folder)
    return Venv("mine", entry, folder / "venv", "mlperf-inference-1.0", "3.11.7")


def install(venv: Venv, name: str) -> None:
    info = venv.folder / "lib" / "python3.11" / "site-packages" / f"{name}.dist-info"
    info.mkdir()
    (info / "RECORD").touch()


def test_venv_is_told_as_it_is_now(tmp_path: Path) -> None:
    """The run may have installed something since the venv was first looked at."""
    venv = venv_at(tmp_path)
    assert venv.packages == {}
    install(venv, "numpy-2.1.0")
    found = provenance(Repositories(), venv, [])
    assert found["venv"] == {
        "name": "mine", "template": "mlperf-inference-1.0", "python": "3.11.7", "packages": {"numpy": "2.1.0"}
    }  # fmt: skip


def test_repositories_that_took_part_are_told_with_their_commit(tmp_path: Path) -> None:
    repositories = Repositories()
    row = repositories.add("shared")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(row.path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    repositories.add("not-used")
    clean = provenance(repositories, venv_at(tmp_path / "v"), ["shared", "local", "shared"])["repositories"]
    (row.path / "new.txt").touch()
    changed = provenance(repositories, venv_at(tmp_path / "w"), ["shared"])["repositories"]
    assert set(clean) == {"shared", "local"}
    assert re.fullmatch("[0-9a-f]{40}", str(clean["shared"]["commit"]))
    assert (clean["shared"]["changed"], changed["shared"]["changed"]) == (False, True)
    assert clean["local"]["git"] is False
