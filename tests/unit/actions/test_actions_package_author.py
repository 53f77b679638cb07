"""Create a package from a template, and check it until it is complete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`


def _edit(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = place / ".cm" / "meta.json"
    meta = json.loads(path.read_text())
    change(meta)
    path.write_text(json.dumps(meta))


def test_model_package_is_created_checked_completed_and_installed(ck: Ck, tmp_path: Path) -> None:
    place = Path(ck("add", "package:model-mine", "--template=model", "--tags=lab", "--out=json").json["path"])
    assert "ck check package:model-mine" in (place / "README.md").read_text()
    done = ck("check", "package:model-mine")
    assert done.code == 3
    assert "https://example.org/model-mine.onnx is a placeholder" in done.out
    _edit(place, lambda meta: meta.update(install=[{"copy": {"file": "model.onnx"}}]))
    assert "copy: model.onnx is not in the entry" in ck("check", "package:model-mine").out
    (place / "model.onnx").write_bytes(b"weights")
    assert ck("check", "package:model-mine").out == "package:model-mine is complete\n"
    made = ck("install", "package", "--tags=model,lab", "--out=json").json
    assert made["env"]["digest"] == hashlib.sha256(b"weights").hexdigest()


@pytest.mark.parametrize(("kind", "faults"), [("dataset", 1), ("library", 0)])
def test_other_templates_only_need_placeholders(ck: Ck, kind: str, faults: int) -> None:
    ck("add", "package:mine", f"--template={kind}")
    assert len(ck("check", "package:mine", "--out=json").json["faults"]) == faults


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda meta: meta["model"].update(format="onx"),
            "model.format is 'onx', which no backend of ck runs; did you mean onnx?",
        ),
        (lambda meta: meta["model"].update(profile="coco-30"), "did you mean coco-300"),
        (lambda meta: meta.update(variatons={}), "did you mean variations?"),
        (lambda meta: meta.update(deps={"a": {"tags": "no-such-thing"}}), "deps.a: "),
        (lambda meta: meta["install"].append({"download": {"url": "https://a.net/b"}}), "https://a.net/b has no digest"),
    ],
)
def test_error_is_named(ck: Ck, change: Callable[[dict[str, Any]], None], fault: str) -> None:
    place = Path(ck("add", "package:mine", "--template=model", "--out=json").json["path"])
    _edit(place, change)
    assert fault in ck("check", "package:mine").out


def test_our_packages_are_complete(ck: Ck) -> None:
    for row in ck("ls", "package", "--repo_uoa=mlperf-object-detection").out.split():
        done = ck("check", f"package:{row}")
        assert done.code == 0, done.out


def test_uid_of_package_from_template_is_checked(ck: Ck) -> None:
    done = ck("add", "package:mine", "--template=model", "--data_uid=mine")
    assert done.code == 2
    assert "--data_uid=mine is not 16 hexadecimal digits" in done.err


@pytest.mark.parametrize(
    ("name", "why"),
    [("x" * 300, "x is unreadable (File name too long)"), ("../../secret", "leads out"), ("a\0b", "a\\x00b is")],
)
def test_file_outside_entry_is_named(ck: Ck, name: str, why: str) -> None:
    place = Path(ck("add", "package:mine", "--template=model", "--out=json").json["path"])
    _edit(place, lambda meta: meta.update(install=[{"copy": {"file": name}}]))
    done = ck("check", "package:mine")
    assert done.code == 3
    assert why in done.out
