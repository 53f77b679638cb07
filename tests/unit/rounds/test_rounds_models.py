"""The packages of models, compared with the table of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ck_repo.errors import NotFoundError
from ck_repo.models.backends import default_backend, own_backends
from ck_repo.models.profiles import profile
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.variations import Variant, choose
from ck_repo.store.entry import Entry

PACKAGES = Path(__file__).resolve().parents[3] / "package"
# row, tags, format, expected mAP, origin of the file
TABLE = [
    (1, "tf,ssd-mobilenet,side.300,non-quantized", "tensorflow", 0.23, "ssd_mobilenet_v1_coco_2018_01_28.tar.gz"),
    (2, "tf,ssd-mobilenet,side.300,quantized,finetuned,-symmetric", "tensorflow", 0.23594, "record/3252084"),
    (3, "tf,ssd-mobilenet,side.300,quantized,finetuned,symmetric", "tensorflow", 0.234, "record/3401714"),
    (4, "pytorch,ssd-mobilenet,side.300,non-quantized", "pytorch", 0.23, "record/3239977"),
    (5, "onnx,ssd-mobilenet,side.300,non-quantized,opset-8", "onnx", 0.23, "record/3163026"),
    (6, "onnx,ssd-mobilenet,side.300,non-quantized,opset-11", "onnx", 0.23, "record/4735652"),
    (7, "onnx,ssd-mobilenet,side.300,quantized", "onnx", 0.23, ""),
    (7, "pytorch,ssd-mobilenet,side.300,quantized", "safetensors", 0.23, ""),
    (8, "tf,ssd-resnet34,side.1200,non-quantized", "tensorflow", 0.20, "record/3345892"),
    (9, "pytorch,ssd-resnet34,side.1200,non-quantized", "pytorch", 0.20, "record/3236545"),
    (10, "onnx,ssd-resnet34,side.1200,non-quantized,opset-8", "onnx", 0.20, "record/3228411"),
    (11, "onnx,ssd-resnet34,side.1200,non-quantized,opset-11", "onnx", 0.20, "record/4735664"),
]
PROFILES = {1: "coco-300", 2: "coco-300", 3: "coco-300", 4: "coco-300-pt", 5: "coco-300", 6: "coco-300", 7: "coco-300",
            8: "coco-1200-tf", 9: "coco-1200-pt", 10: "coco-1200-onnx", 11: "coco-1200-tf"}  # fmt: skip


def packages() -> list[Component]:
    folders = [row for row in PACKAGES.iterdir() if (row / ".cm/meta.json").exists()]
    return [read_component(Entry("x", "package", row.name, "0" * 16, row)) for row in sorted(folders)]


def variants(tags: str) -> list[Variant]:
    words = f"model,object-detection,mlperf,{tags}".split(",")
    wanted, excluded = [row for row in words if row[0] != "-"], [row[1:] for row in words if row[0] == "-"]
    found = [choose(row, wanted, excluded) for row in packages() if not row.conversion]
    return [row for row in found if isinstance(row, Variant)]


def meta_of(variant: Variant) -> dict[str, Any]:
    return variant.component.fields(variant.chosen).as_dict()


@pytest.mark.parametrize(("row", "tags", "format_", "expected", "place"), TABLE)
def test_every_model_has_one_package(row: int, tags: str, format_: str, expected: float, place: str) -> None:
    (variant,) = variants(tags)
    meta = meta_of(variant)
    model = meta["model"]
    assert (model["row"], model["format"], model["expected_mAP"]) == (row, format_, expected)
    steps = [step["download"] for step in meta["install"] if "download" in step]
    assert [place in step["url"] for step in steps] == ([True] if place else [])
    assert all(place for step in steps if not (step.get("sha256") or "zenodo.org/record/" in step["url"]))


@pytest.mark.parametrize(("row", "tags"), [(row, tags) for row, tags, *_ in TABLE])
def test_interface_is_data_and_matches_profile(row: int, tags: str) -> None:
    (variant,) = variants(tags)
    model = meta_of(variant)["model"]
    wanted = profile(PROFILES[row]).as_data()
    names = ("side", "scaling", "layout", "dtype", "box_order", "score_above", "classes_are")
    assert model["profile"] == PROFILES[row]
    assert {name: model[name] for name in names} == {name: wanted[name] for name in names}
    assert model["outputs"] == {name: wanted[name] for name in ("boxes", "scores", "classes", "count")}
    assert {"input", "max_batch", "precision", "source", "licence", "benchmark", "dataset"} <= model.keys()


def test_both_opsets_of_a_name_can_be_installed() -> None:
    files = {meta_of(variants(tags)[0])["file"] for _, tags, *_ in TABLE[4:6]}
    assert len(files) == 1


def test_known_digests_are_pinned() -> None:
    """Rows 1 and 10 of the table."""
    pins = {}
    for row, tags, *_ in TABLE:
        for step in meta_of(variants(tags)[0])["install"]:
            if "sha256" in step.get("download", {}):
                pins[row] = (step["download"]["size"], step["download"]["sha256"][:8])
    assert pins == {1: (76541073, "8788f891"), 10: (80363696, "b417a818")}


def test_every_package_has_a_description() -> None:
    for row in packages():
        if row.entry.alias.startswith(("model-ssd", "convert-", "dataset-coco-2017-val-")):
            assert len((row.entry.path / "README.md").read_text().splitlines()) >= 3, row.entry.alias


def test_every_framework_runs_a_reachable_format() -> None:
    """Except TensorFlow Lite, which runs only its own files; SSD-ResNet34's weights only come from its PyTorch file."""
    from ck_repo.resolve.catalogue import Listed
    from ck_repo.resolve.context import Context
    from ck_repo.resolve.resolver import Resolver

    resolver = Resolver(Context(Listed(packages())))
    backends = own_backends()
    runs = {row.runs for row in backends.values()}
    assert {default_backend(target, backends.values()) for target in runs} == set(backends)
    for row, tags, *_ in TABLE:
        choice = resolver.resolve(f"model,object-detection,mlperf,{tags}")
        unreachable = {8: {"safetensors"}, 10: {"safetensors", "tensorflow"}, 11: {"safetensors", "tensorflow"}}.get(row, set())
        for target in runs - {"tflite"} - unreachable:
            assert resolver.in_format(choice, target).model["format"] == target
        for target in unreachable:
            with pytest.raises(NotFoundError, match=f"no conversions lead to {target}") as caught:
                resolver.in_format(choice, target)
            assert "is not for the network ssd-resnet34-1200" in caught.value.hint
