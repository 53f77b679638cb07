"""`ck detect soft` registers, and later commands use it."""

from __future__ import annotations

import os
import pickle
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_sets
import pytest

from ck_repo.store.folders import default_repository_root

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file of the user's."""
    return Path(shutil.copy(default_repository_root() / "package/model-demo-ssd/demo_ssd.onnx", tmp_path / "mine.onnx"))


def test_user_model_is_registered_and_comes_first(ck: Run, model: Path) -> None:
    answer = ck("detect", "soft:model.onnx", f"--full_path={model}", "--extra_tags=demo,mine")
    assert answer["env"]["file"] == str(model)
    assert {"model", "onnx", "mine"} <= set(answer["tags"])
    (row,) = ck("explain", "package", "--tags=model,demo")["plan"]
    assert (row["source"], row["name"]) == ("registered", "mine.onnx")
    assert {"name": "model-demo-ssd", "why": "registered components take precedence over packages"} in row["passed_over"]


def test_missing_model_is_skipped(ck: Run, model: Path) -> None:
    ck("detect", "soft:model.onnx", f"--full_path={model}", "--extra_tags=demo")
    model.unlink()
    (row,) = ck("explain", "package", "--tags=model,demo")["plan"]
    assert row["package"] == "model-demo-ssd"
    assert f"{model} is missing" in row["passed_over"][0]["why"]


def test_unregistering_keeps_the_file(ck: Run, model: Path) -> None:
    uid = ck("detect", "soft:model.onnx", f"--full_path={model}")["env_uid"]
    assert ck("rm", f"env:{uid}", "--force")["return"] == 0
    assert model.exists()
    assert ck("show", "env")["lst"] == []


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, None])
def test_corrupt_model_is_not_registered(ck: Run, model: Path, content: bytes | None) -> None:
    model.write_bytes(model.read_bytes()[:100_000] if content is None else content)
    failed = ck("detect", "soft:model.onnx", f"--full_path={model}")
    assert failed["return"] == 9
    assert str(model) in failed["error"]
    assert ck("show", "env")["lst"] == []


def test_data_set_is_registered_by_one_image(ck: Run, tmp_path: Path) -> None:
    content = coco_sets.write_coco(tmp_path / "coco", images=12)
    image = tmp_path / "coco/val2017" / content["images"][4]["file_name"]
    answer = ck("detect", "soft:dataset.coco.2017.val", f"--full_path={image}", "--extra_tags=small")
    assert answer["env"]["dataset"]["count"] == 12
    (row,) = ck("explain", "package", "--tags=dataset,coco,val,small")["plan"]
    assert row["source"] == "registered"


def test_interpreters_are_registered_or_listed(ck: Run) -> None:
    answer = ck("detect", "soft:compiler.python", f"--full_path={sys.executable}")
    assert answer["env"]["version"] == "{}.{}.{}".format(*sys.version_info[:3])
    versions = [row["version"] for row in ck("detect", "soft:compiler.python")["lst"]]
    assert answer["env"]["version"] in versions


def test_disk_is_not_searched_for_models_without_path(ck: Run) -> None:
    failed = ck("detect", "soft:model.onnx")
    assert failed["return"] == 2
    assert "--full_path=" in failed["error"]


def test_registered_python_is_used_for_venv(ck: Callable[..., Any], tmp_path: Path) -> None:
    mine = tmp_path / "mine/python3.11"
    mine.parent.mkdir()
    version = platform.python_version()
    mine.write_text(
        f'#!/bin/sh\necho \'{{"version": "{version}", "implementation": "CPython", "machine": "m", "path": "{mine}"}}\'\n'
    )
    mine.chmod(0o755)
    assert ck("detect", "soft:compiler.python", f"--full_path={mine}")["return"] == 0
    plan = ck("create", "venv:mine", f"--python={version}", "--dry-run")
    assert plan["python"] == str(mine)


@pytest.mark.parametrize("old", [False, True])
def test_pytorch_file_is_registered_for_its_framework(ck: Run, tmp_path: Path, old: bool) -> None:
    torch = pytest.importorskip("torch")
    from object_detection.models.ssd_mobilenet import SSDMobileNet

    path = tmp_path / "mine.pytorch"
    torch.save(SSDMobileNet().state_dict(), path, _use_new_zipfile_serialization=not old)
    answer = ck("detect", "soft:model.pytorch", f"--full_path={path}", "--extra_tags=mine")
    assert answer["env"]["model"]["profile"] == "coco-300-pt"
    assert answer["env"]["model"]["benchmark"] == "ssd-mobilenet"
    words = ("explain", "program:object-detection", "--model=mine", "--dataset=demo,shapes")
    for backend, last in ((None, "convert-pytorch-to-safetensors"), ("tensorflow", "convert-safetensors-to-tensorflow")):
        plan = ck(*words, *([f"--backend={backend}"] if backend else []))["plan"]
        assert [row["package"] for row in plan if row["dependency"] == "weights"] == [last]


def test_malicious_pytorch_file_is_not_registered(ck: Run, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    class Malicious:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {mark}",)

    path = tmp_path / "mine.pytorch"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": Malicious()}, 2))
    answer = ck("detect", "soft:model.pytorch", f"--full_path={path}")
    assert answer["return"] == 9
    assert "nothing of it was run" in answer["error"]
    assert not mark.exists()
    assert ck("show", "env")["lst"] == []
