"""Replay another user's result on another machine: other CK folders, another Python, no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.installed import Ck

if TYPE_CHECKING:
    from end_to_end.conftest import Subject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared_ck")]


@dataclass
class Unplugged(Ck):
    """The command in a network namespace that has no network."""

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        settings: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = ["unshare", "--map-root-user", "--net", str(self.program), *words]
        return subprocess.Popen(command, env=self.environment, cwd=self.home, text=True, **(settings | options))


@pytest.fixture(scope="module")
def unplugged() -> type[Ck]:
    """A `ck` without network: in a network namespace if the system allows it, otherwise with proxies that lead nowhere."""
    try:
        subprocess.run(["unshare", "--map-root-user", "--net", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets nobody make a network namespace: `unshare --map-root-user --net` fails")
    return Unplugged


def other_python() -> str:
    """A Python on this machine with another minor version than ours."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    for minor in ("3.12", "3.13", "3.11"):
        if minor != ours:
            from ck_repo.errors import DetectError
            from ck_repo.machine.interpreter import find_interpreter

            try:
                return str(find_interpreter(minor).path)
            except DetectError:
                continue
    pytest.skip("no other Python is on this machine")


@pytest.fixture(scope="module")
def recorded(shared_ck: Ck, subject: Subject) -> Ck:
    """A user's model on a user's images, in a dedicated venv, recorded as `mine`."""
    shared_ck.good("create", "venv:reproduce")
    shared_ck.good("detect", "soft:model.onnx", f"--full_path={subject.model}", "--extra_tags=depth.075,fp32")
    shared_ck.good("detect", "soft:dataset.coco.2017.val", f"--full_path={subject.image}", "--extra_tags=coco79")
    options = (
        "--model=depth.075,fp32",
        "--dataset=coco79",
        "--time=1",
        "--scenario=singlestream",
        "--threads=1",
        "--venv=reproduce",
    )
    shared_ck.good("run", "program:object-detection", *options, "--record=mine")
    return shared_ck


def test_run_is_replayed_elsewhere_with_another_python(recorded: Ck, subject: Subject, program: Path, tmp_path: Path) -> None:
    python = other_python()
    packed = recorded.good("zip", "experiment:mine", "--artifacts=all", f"--archive_name={tmp_path / 'mine.zip'}")
    assert packed["left_out"] == []
    (tmp_path / "elsewhere").mkdir()
    other = Ck(program, tmp_path / "elsewhere")
    other.good("unzip", "experiment", f"--zip={tmp_path / 'mine.zip'}")
    done = other.good("replay", "experiment:mine", f"--python={python}", "--repetitions=3")
    verdict = done["verdict"]
    assert done["reproduced"] is True
    assert verdict["mAP"][0] == pytest.approx(subject.mAP, abs=5e-6)
    assert verdict["mAP"][1] == pytest.approx(verdict["mAP"][0], abs=1e-3)
    assert verdict["agreement"]["share"] > 0.99
    assert verdict["same_order"] == {"accuracy": True, "performance": True}
    assert len(verdict["speed"]["values"]) == 3
    assert verdict["speed"]["interval"][0] <= verdict["speed"]["ratio"] <= verdict["speed"]["interval"][1]
    changed = {row["name"]: row for row in verdict["differences"]}
    assert changed["version"]["kind"] == "python"
    child = other.good("load", f"experiment:{done['experiment']['uid']}")["dict"]
    assert child["parent"]["alias"] == "mine"
    assert child["verdict"]["reproduced"] is True
    # the packed files were used: no folder of the other machine appears in it
    spec = json.loads((Path(done["path"]) / "spec.json").read_text())
    assert str(tmp_path / "elsewhere") in spec["model"]["path"]
    assert str(tmp_path / "elsewhere") in spec["dataset"]["images"]
    # fails with stricter tolerances
    strict = other.json("replay", "experiment:mine", "--detections=1.01", f"--python={python}")
    assert strict["return"] == 10
    assert strict["error"].startswith("not reproduced: ")
    assert strict["reproduced"] is False


def test_missing_artifacts_are_named(recorded: Ck, program: Path, tmp_path: Path) -> None:
    packed = recorded.good("zip", "experiment:mine", "--artifacts", f"--archive_name={tmp_path / 'mine.zip'}")
    assert {row["name"] for row in packed["left_out"]} >= {"ssd_mobilenet_v1_075_fp32.onnx"}
    (tmp_path / "elsewhere").mkdir()
    other = Ck(program, tmp_path / "elsewhere")
    other.good("unzip", "experiment", f"--zip={tmp_path / 'mine.zip'}")
    answer = other.json("replay", "experiment:mine")
    assert answer["return"] == 16
    assert "which the experiment used, is not on this machine" in answer["error"]
    assert "--artifacts=all" in answer["error"]


def test_bundle_is_enough_for_an_offline_machine(
    recorded: Ck, subject: Subject, program: Path, unplugged: type[Ck], tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.zip"
    recorded.good("bundle", "venv:reproduce", f"--output={bundle}")
    (tmp_path / "there").mkdir()
    other = unplugged(program, tmp_path / "there", {"UV_CACHE_DIR": str(tmp_path / "nothing")})
    made = other.good("create", "venv:air", f"--bundle={bundle}")
    assert made["differences"] == []
    assert other.good("check", "venv:air")["drift"] == []
    options = ("--venv=air", "--model=depth.075,fp32", "--dataset=coco79", "--mode=accuracy")
    answer = other.good("run", "program:object-detection", *options)
    assert answer["results"]["accuracy"]["mAP"] == pytest.approx(subject.mAP, abs=5e-6)
    # what the bundle lacks is named without waiting
    missing = other.json("run", "program:object-detection", "--venv=air", "--backend=openvino", "--mode=accuracy", "--offline")
    assert missing["return"] == 5
    assert "openvino" in missing["error"]
    assert "--offline disables the network" in missing["error"]
    missing = other.json("install", "package", "--tags=model,ssd-mobilenet,onnx,fp32,opset-8", "--offline")
    assert missing["return"] == 5
    assert "zenodo.org/record/3163026" in missing["error"]


def test_lock_recreates_venv_in_another_folder(recorded: Ck, program: Path, tmp_path: Path) -> None:
    lock = tmp_path / "mlperf.lock.json"
    recorded.good("lock", "venv:reproduce", f"--output={lock}")
    (tmp_path / "there").mkdir()
    other = Ck(program, tmp_path / "there")
    made = other.good("create", "venv:again", f"--lock={lock}")
    # the recording user's own files are missing here, and everything else is the same
    assert [row["kind"] for row in made["differences"]] == ["component", "component"]
    assert all("`ck detect soft:" in row["remark"] for row in made["differences"])
    content = json.loads(lock.read_text())
    assert made["packages"] == {name: row["version"] for name, row in content["packages"].items()}
    # a package whose content differs from the lock is rejected, and nothing unfinished remains
    content["packages"]["numpy"]["content"] = "0" * 64
    lock.write_text(json.dumps(content))
    answer = other.json("create", "venv:other", f"--lock={lock}")
    assert answer["return"] == 10
    assert f"numpy {content['packages']['numpy']['version']} differs from the lock" in answer["error"]
    assert [row["data_uoa"] for row in other.good("ls", "venv")["lst"]] == ["again"]
    # a yanked version is replaced by the nearest available one, with a message
    content["packages"]["numpy"] = {"version": "1.99.99"}
    lock.write_text(json.dumps(content))
    found = {row["name"]: row for row in other.good("create", "venv:nearest", f"--lock={lock}")["differences"]}
    assert found["numpy"]["locked"] == "1.99.99"
    assert "not available" in found["numpy"]["remark"]
    shutil.rmtree(tmp_path / "there")
