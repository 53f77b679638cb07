"""Show a repository, a package, the machine and other CKs' results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`


def test_show_repository(ck: Ck, ck_home: Path) -> None:
    ck("add", "dataset:a")
    found = ck("show", "repo:local", "--out=json").json
    assert (found["data_uoa"], found["path"]) == ("local", str(ck_home / "CK" / "local"))
    assert found["entries"] == {"dataset": 1}
    assert ck("show", "repo:local").out.startswith(f"local ({found['data_uid']})\n  folder: {found['path']}\n")
    assert len(ck("show", "repo", "--out=json").json["lst"]) == 2
    assert ck("show", "repo:loca").code == 16


def test_repository_names_and_folder(ck: Ck, ck_home: Path) -> None:
    ck("add", "repo:mine")
    uid = ck("find", "repo:mine", "--out=json").json["data_uid"]
    assert ck("uid", "repo:mine").out == f"{uid}\n"
    assert ck("cid", "repo:mine").out == f"befd7892b0d469e9:{uid}\n"
    assert ck("cid", f"repo:{uid}", "--out=json").json["cuoa"] == "repo:mine"
    assert ck("cd", "repo:mine").out == f"{ck_home / 'CK/mine'}\n"
    for action in ("uid", "cid", "cd"):
        assert ck(action, "repo:nowhere").code == 16
        done = ck(action, "repo")
        assert (done.code, f"`ck {action} repo` needs the name of one repository" in done.err) == (2, True)


def test_recache_does_nothing(ck: Ck) -> None:
    done = ck("recache", "repo")
    assert (done.code, done.out.startswith("nothing to do")) == (0, True)


def test_show_package(ck: Ck) -> None:
    found = ck("show", "package:model-demo-ssd", "--out=json").json
    assert found["name"] == "Demo SSD 300"
    assert {"model", "demo", "onnx"} <= set(found["tags"])
    assert "package:model-demo-ssd\n  name: Demo SSD 300\n" in ck("show", "package:model-demo-ssd").out


def test_show_all_packages_as_table(ck: Ck) -> None:
    ck("add", "package:broken", '@@@{"dict": {"deps": 1, "tags": ["model"]}}')
    done = ck("show", "package", "--tags=model")
    assert done.out.splitlines()[0].split() == ["package", "version", "name"]
    assert "package:model-demo-ssd" in done.out
    assert "warning: package skipped:" in done.err
    assert ck("show", "package:broken").code == 3


def test_show_machine(ck: Ck) -> None:
    whole = ck("detect", "platform", "--out=json").json["features"]
    assert {"os", "cpu", "gpu", "gpus", "platform"} <= set(whole)
    assert ck("detect", "platform.cpu", "--out=json").json["features"]["cpu"]["name"] == whole["cpu"]["name"]
    for module in ("platform.gpu", "platform.gpgpu"):
        assert ck("detect", module, "--out=json").json["features"]["gpus"] == whole["gpus"]
    assert f"CPU name: {whole['cpu']['name']}\n" in ck("detect", "platform").out


@pytest.fixture
def results(ck: Ck, tmp_path: Path) -> Path:
    """Imported figures, and results of another CK in their own repository."""
    table = tmp_path / "t.csv"
    table.write_text(
        "division,organisation,system,model,scenario,result_raw,validity\nclosed,A,box,ssd-mobilenet,Offline,100,VALID\n"
    )
    ck("import", "results", f"--path={table}")
    ck("add", "repo:other")
    ck("add", "other:result:demo", "--tags=speech,demo", "--data_name=Somebody's demo")
    return table


def test_env_entries_of_another_ck_are_labelled(ck: Ck, results: Path) -> None:
    done = ck("ls", "result")
    assert done.code == 0
    assert "ssd-mobilenet" in done.out
    assert "  other:result:demo: Somebody's demo; tags speech,demo; 0 files" in done.out
    assert [row["data_uoa"] for row in ck("ls", "result", "--out=json").json["others"]] == ["demo"]
    assert "demo" not in ck("ls", "result", "--scenario=offline").out


def test_results_of_one_repository(ck: Ck, results: Path) -> None:
    assert len(ck("ls", "result", "--repo_uoa=local", "--out=json").json["lst"]) == 1
    other = ck("ls", "result", "--repo_uoa=other", "--out=json").json
    assert (other["lst"], len(other["others"])) == ([], 1)
    assert ck("ls", "result", "--repo_uoa=nonesuch").code == 16
