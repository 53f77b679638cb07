"""Machines of a campaign make their venv from a bundle or a lock that they are sent."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from campaign_lab import WAIT, Lab, await_workers, held, until
from toy_benchmark import made_runs
from unit.locks import make_venv

from ck_repo.campaign.messages import VenvSource
from ck_repo.campaign.recorded import Recorded
from ck_repo.campaign.remote_venv import bytes_there, in_venv, make_venv_of_file, receive
from ck_repo.environment.locking import renew_lock
from ck_repo.install.python_packages import install_python_packages
from ck_repo.reproduce.bundle import lock_of_bundle
from ck_repo.run.options import RunOptions
from ck_repo.run.prepare import prepare
from ck_repo.session import Session
from ck_repo.store.entry import Entry
from ck_repo.store.folders import tools_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find
from ck_repo.store.writing import remove_entry

ROOT = Path(__file__).parents[3]
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust", "--over.batch_size=1,4", "--cluster=local")


def written_bundle(path: Path) -> Path:
    """A bundle with one Python package, `ballast`."""
    files = {
        "ballast.py": b"x = 1\n",
        "ballast-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: ballast\nVersion: 1.0\n",
        "ballast-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel = path.with_name("ballast-1.0-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as file:
        rows = ["ballast-1.0.dist-info/RECORD,,"]
        for name, content in files.items():
            file.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(content)}")
        file.writestr("ballast-1.0.dist-info/RECORD", "\n".join(rows) + "\n")
    venv = make_venv("source")
    install_python_packages(venv.python, ["ballast==1.0"], path.with_name("log"), links=path.parent)
    lock = renew_lock(Session(), venv)
    remove_entry(venv.entry)
    contents = {f"wheels/{wheel.name}": wheel.read_bytes(), "lock.json": json.dumps(lock.as_data()).encode()}
    listed = {name: {"sha256": hashlib.sha256(each).hexdigest(), "size": len(each)} for name, each in contents.items()}
    contents["bundle.json"] = json.dumps({"format": "ck-bundle", "version": 1, "files": listed}).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def test_machine_makes_venv_from_bundle_without_network(
    ck: Callable[..., Any], log: Path, program: Entry, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    assert ck("create", "cluster").code == 0
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    monkeypatch.setattr("ck_repo.campaign.venv_file._PART", 500)
    bundle = written_bundle(ck_home / "b.zip")
    done = ck(*SWEEP, f"--bundle={bundle}")
    assert done.code == 0, done.err
    assert done.json["made"] == 2
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    for entry in find(Repositories(), "experiment"):
        assert entry.meta()["venv"]["name"] == f"bundle-{digest[:12]}"
        assert "ballast" in json.loads((entry.path / "lock.json").read_text())["packages"]
    assert not (tools_root() / ".cache/campaigns" / digest).exists()
    for size in (1, 4):  # the same command would not repeat the runs; one for this machine's own venv would
        plan = prepare(Session(trust=True), program, RunOptions(batch_size=size))
        assert len(Recorded(Session(), lock_of_bundle(bundle)).like(plan)) == 1
        assert Recorded(Session()).like(plan) == []
    assert len(made_runs(log)) == 2


def test_machine_makes_venv_from_lock(
    ck: Callable[..., Any], log: Path, program: Entry, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    assert ck("create", "cluster").code == 0
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    lock = ck_home / "mine.lock.json"
    with zipfile.ZipFile(written_bundle(ck_home / "b.zip")) as file:
        lock.write_bytes(file.read("lock.json"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(ck_home))  # the wheel lies there
    done = ck(*SWEEP, f"--lock={lock}")
    assert done.code == 0, done.err
    assert (done.json["made"], done.json["left"]) == (2, 0)
    name = f"lock-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    assert {entry.meta()["venv"]["name"] for entry in find(Repositories(), "experiment")} == {name}
    again = ck(*SWEEP, f"--lock={lock}")
    assert (again.json["made"], again.json["found"]) == (0, 2)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["receiving", "making"])
def test_machine_lost_while_it_gets_its_venv_gets_it_when_it_is_back(log: Path, lab: Lab, ck_home: Path, moment: str) -> None:
    """The worker waits for a lock: that of the file which it receives, or that of the machine's measurements."""
    bundle = written_bundle(ck_home / "b.zip")
    machine = lab.machine("far")
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    file = Path(machine["CK_TOOLS"]) / f".cache/campaigns/{digest}.lock"
    blocked = file if moment == "receiving" else Path(machine["CK_MEASUREMENT_LOCK"])
    with held(blocked):
        worker = lab.worker("far")
        await_workers(lab, "far")
        process = lab.begin(*SWEEP[:-1], f"--bundle={bundle}")
        until(lambda: "waiting" in (ck_home / "far.log").read_text(), process)
        lab.stop(worker)
    lab.worker("far")
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert b"far was lost while it created its venv" in err
    assert [entry.meta()["venv"]["name"] for entry in find(Repositories(), "experiment")] == [f"bundle-{digest[:12]}"] * 2


@pytest.mark.slow
def test_time_limit_ends_command_whose_machine_is_making_its_venv(log: Path, lab: Lab, ck_home: Path) -> None:
    bundle = written_bundle(ck_home / "b.zip")
    machine = lab.machine("far")
    with held(Path(machine["CK_MEASUREMENT_LOCK"])):
        lab.worker("far")
        await_workers(lab, "far")
        process = lab.begin(*SWEEP[:-1], f"--bundle={bundle}", "--time_limit=2")
        out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 7, err
    assert (json.loads(out)["state"], json.loads(out)["left"]) == ("time limit", 2)


def test_dry_run_counts_runs_and_downloads_by_the_bundle(ck: Callable[..., Any], program: Entry, ck_home: Path) -> None:
    """The run here had no `ballast`, which the bundle has."""
    assert ck("sweep", "program:toy-bench", "--trust", "--over.batch_size=1").code == 0
    assert ck(*SWEEP, "--dry-run").json["runs"] == 1
    bundle = written_bundle(ck_home / "b.zip")
    found = ck(*SWEEP, f"--bundle={bundle}", "--dry-run").json
    assert (found["runs"], found["downloads"], found["python_packages"]) == (2, [], [])
    assert found["bundle"] == {"path": str(bundle), "size": bundle.stat().st_size}
    assert "downloads: none; each machine gets b.zip" in ck(*SWEEP[:2], *SWEEP[3:], f"--bundle={bundle}", "--dry-run").out


def test_unusable_bundle_is_an_error(
    ck: Callable[..., Any], program: Entry, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    assert ck("create", "cluster").code == 0
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    bundle = written_bundle(ck_home / "b.zip")
    with zipfile.ZipFile(bundle, "a") as file:
        file.writestr("wheels/more.whl", b"")
    done = ck(*SWEEP, f"--bundle={bundle}")
    assert done.code == 7
    assert "every machine was skipped" in done.json["error"]
    assert "more.whl" in done.json["error"]
    bundle.write_bytes(bundle.read_bytes()[:300])
    done = ck(*SWEEP, f"--bundle={bundle}")
    assert done.code == 3
    assert "is damaged or truncated" in done.json["error"]


def test_file_is_received_in_parts_and_verified(ck_home: Path) -> None:
    content = written_bundle(ck_home / "b.zip").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert bytes_there("bundle", digest) == 0
    assert receive(digest, 0, content[:100]) == 100
    assert receive(digest, 0, content[:100]) == 100  # sent twice
    assert bytes_there("bundle", digest) == 100
    damaged = b"x" + content[101:]
    assert receive(digest, 100, damaged) == len(content)
    answer = make_venv_of_file("bundle", digest, trust=False)
    assert "was damaged during the transfer" in str(answer["error"])
    assert receive(digest, 0, content) == len(content)
    assert make_venv_of_file("bundle", digest, trust=False) == {}
    assert bytes_there("bundle", digest) == -1


def test_venv_of_file_is_only_used_by_its_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_VENV", "mine")
    with in_venv(VenvSource("bundle", "0123456789abcdef")):
        assert (os.environ["CK_VENV"], os.environ["CK_OFFLINE"]) == ("bundle-0123456789ab", "1")
    assert os.environ["CK_VENV"] == "mine"
    assert "CK_OFFLINE" not in os.environ
    with in_venv(None):
        assert os.environ["CK_VENV"] == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cluster=local", "--bundle=b", "--lock=l"), "--bundle= and --lock= exclude each other"),
        (("--bundle=b",), "is for the machines of a cluster"),
        (("--cluster=local", "--bundle=b", "--venv=mine"), "--bundle= and --venv= exclude each other"),
        (("--cluster=local", "--lock=none.json"), "none.json does not exist"),
    ],
)
def test_invalid_options_are_refused(ck: Callable[..., Any], program: Entry, words: tuple[str, ...], message: str) -> None:
    done = ck("sweep", "program:toy-bench", "--over.batch_size=1,4", *words)
    assert done.code in (2, 16)
    assert message in done.err
