"""Less common ways to install a package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ck = Callable[..., Any]  # the fixture `ck`


def plan(ck: Ck, *words: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ck("install", "package", *words, "--dry-run", "--out=json").json["plan"]
    return rows


@pytest.mark.parametrize(("without", "format_"), [("pytorch,tf", "onnx"), ("onnx,tf", "pytorch")])
def test_excluded_tags(ck: Ck, without: str, format_: str) -> None:
    (row,) = plan(ck, "--tags=model,ssd-mobilenet,non-quantized", f"--no_tags={without}")
    assert format_ in row["package"]


@pytest.mark.parametrize("version", ["1.26.4", "v1.26.4"])
def test_exact_version(ck: Ck, version: str) -> None:
    assert plan(ck, "--tags=lib,python-package,numpy", f"--force_version={version}")[0]["requirement"] == "numpy==1.26.4"


def test_excluded_tags_alone_select_nothing(ck: Ck) -> None:
    done = ck("install", "package", "--no_tags=onnx")
    assert done.code == 2
    assert "needs tags or a name" in done.err


@pytest.mark.parametrize("flag", ["--rebuild", "--reinstall"])
def test_installed_package_is_planned_again(ck: Ck, flag: str) -> None:
    ck("install", "package:model-demo-ssd")
    assert plan(ck, "--tags=model,demo")[0]["ready"]
    (row,) = plan(ck, "--tags=model,demo", flag)
    assert not row["ready"]
    assert row["reason"].endswith("and installed again")


def test_registered_package_is_not_reinstalled(ck: Ck, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(Path(ck("install", "package:model-demo-ssd", "--out=json").json["env"]["file"]).read_bytes())
    ck("detect", "soft:model.onnx", f"--full_path={path}", "--extra_tags=mine")
    done = ck("install", "package", "--tags=model,mine", "--rebuild")
    assert done.code == 4
    assert "mine.onnx is registered, and no package installs it" in done.err


def test_dependency_tags(ck: Ck) -> None:
    step = '"install": [{"copy": {"file": ".cm/meta.json"}}]'
    for alias in ("one", "two"):
        ck("add", f"package:{alias}", f'@@@{{"dict": {{"tags": ["below", "{alias}"], {step}}}}}')
    ck("add", "package:top", f'@@@{{"dict": {{"tags": ["above"], {step}, "deps": {{"under": {{"tags": ["below"]}}}}}}}}')
    rows = plan(ck, "--tags=above", "--dep_add_tags.under=two")
    assert [row["package"] for row in rows] == ["two", "top"]
    done = ck("install", "package", "--tags=above", "--dep_add_tags.undr=two", "--dry-run")
    assert done.code == 16
    assert "did you mean under?" in done.err


def test_ck_options_without_effect(ck: Ck) -> None:
    done = ck("install", "package:model-demo-ssd", "--dry-run", "--env.PACKAGE_URL=x", "--extra_version=-a", "--reuse_deps")
    assert done.code == 0
    assert done.err.count("has no effect") == 2
