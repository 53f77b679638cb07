"""Declarations of backends and networks are read from modules without importing them."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ck_repo.errors import ConfigError
from ck_repo.models.backends import backend_called, default_backend, formats, own_backends, read_backends
from ck_repo.models.declared import declarations, entry_points, own_folder
from ck_repo.models.networks import own_networks, read_networks
from ck_repo.models.profiles import own_profiles, profiles_of


def distribution(folder: Path, name: str, points: str, **modules: str) -> Path:
    """Write a distribution's entry points and modules into a folder."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(points)
    for module, source in modules.items():
        path = folder / f"{module.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    return folder


def test_entry_points_of_a_group(tmp_path: Path) -> None:
    distribution(tmp_path, "one", "[group]\na = mod:x\n[other]\nb = mod\n")
    distribution(tmp_path, "two", "[group]\nC = pkg.mod")
    distribution(tmp_path, "broken", "a = b")
    assert entry_points(tmp_path, "group") == {"a": "mod", "C": "pkg.mod"}
    assert entry_points(tmp_path, "none") == {}
    assert entry_points(tmp_path / "no folder", "group") == {}


def test_first_folder_wins_and_undeclared_module_has_a_name(tmp_path: Path) -> None:
    points = "[g]\na = mod\nb = pkg.inner\nc = pkg\nd = elsewhere\n"
    sources = {"mod": "X = {'k': 1}", "pkg__inner": "X: dict = {'k': 2}", "pkg__/__init__": "import nothing\nY = 1"}
    first = distribution(tmp_path / "first", "one", points, **sources)
    second = distribution(tmp_path / "second", "two", "[g]\na = mod\ne = mod\n", mod="X = {'k': 3}")
    found = {name: row.as_dict() for name, row in declarations("g", "X", [first, None, second]).items()}
    assert found == {"a": {"k": 1}, "b": {"k": 2}, "c": {}, "d": {}, "e": {"k": 3}}


@pytest.mark.parametrize(
    "source", ["X = dict(a=1)", "X = {'a': open('f')}", "X = {", "X = {'a': " + "[" * 3000 + "]" * 3000 + "}"]
)
def test_non_literal_declaration_is_rejected_with_its_file(tmp_path: Path, source: str) -> None:
    folder = distribution(tmp_path, "one", "[g]\na = mod\n", mod=source)
    with pytest.raises(ConfigError, match=r"mod\.py: X cannot be read"):
        declarations("g", "X", [folder])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("BACKEND = {'runs': ['onnx']}", "runs is"),
        ("BACKEND = {'deps': {'x': 'lib'}}", r"deps\.x is 'lib', not an object"),
        ("BACKEND = ['onnx']", "not an object"),
        ("BACKEND = {'name': 'x'}", "name is not a known key"),
    ],
)
def test_invalid_backend_names_file_and_key(tmp_path: Path, source: str, message: str) -> None:
    folder = distribution(tmp_path, "one", "[ck_repo.backends]\nx = mod\n", mod=source)
    with pytest.raises(ConfigError, match=rf"mod\.py: .*{message}"):
        read_backends([folder])


GOOD = {
    "formats": ["onnx"], "input": "x", "side": 64, "scaling": "none", "layout": "NHWC", "dtype": "uint8", "boxes": "b",
    "scores": "s", "classes": "c", "box_order": "yxyx", "classes_are": "category",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "NWHC"}, "layout is 'NWHC', not one of NHWC, NCHW"),
        ({"side": 0}, "side is 0"),
        ({"boxes": ""}, "boxes is None"),
        ({"scale": 1}, "scale is not a known key"),
        ({"reference_faults": {"boxes": "x"}}, "reference_faults is"),
    ],
)
def test_invalid_profile_names_file_and_key(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    source = f"NETWORK = {{'marker': 'w', 'profiles': {{'own': {GOOD | changes!r}}}}}"
    folder = distribution(tmp_path, "one", "[ck_repo.networks]\nx = mod\n", mod=source)
    with pytest.raises(ConfigError, match=rf"mod\.py: profiles\.own\.{message}"):
        profiles_of(read_networks([folder]))


def test_third_party_profile_does_not_replace_ours(tmp_path: Path) -> None:
    source = f"NETWORK = {{'marker': 'w', 'profiles': {{'coco-300': {GOOD!r}, 'own': {GOOD!r}}}}}"
    folder = distribution(tmp_path, "one", "[ck_repo.networks]\nx = mod\n", mod=source)
    found = profiles_of(read_networks([own_folder(), folder]))
    assert found["coco-300"] == own_profiles()["coco-300"]
    assert found["own"] == replace(found["own"], side=64, name="own")


def test_our_backend_declarations_are_consistent() -> None:
    backends = own_backends()
    every = [name for row in backends.values() for name in (row.name, *row.also_called)]
    assert len(every) == len(set(every)), "two backends have one name"
    assert set(formats()) == {"onnx", "openvino", "pytorch", "safetensors", "tensorflow", "tflite"}
    for row in backends.values():
        assert default_backend(row.runs, backends.values()) == row.name
        assert set(row.part_of) <= set(backends)
    assert [backend_called(name, backends.values()) for name in ("PyTorch", "ort", "torch", "tpu")] == [
        "torch", "onnxruntime", "torch", "tpu",
    ]  # fmt: skip


def test_harness_finds_the_same_backends_and_networks() -> None:
    """The engine reads the declarations as data, the harness imports them."""
    pytest.importorskip("numpy")
    harness = importlib.import_module("object_detection.models.networks").known_networks()
    for name, row in own_networks().items():
        assert harness[name].marker == row.marker
        assert list(harness[name].profiles) == [declared.name for declared in row.profiles]
    importlib.import_module("object_detection.backends")
    for name in own_backends():
        try:
            module = importlib.import_module(entry_points(own_folder(), "ck_repo.backends")[name])
        except ImportError:
            continue  # its framework is not installed
        (fields,) = [row for key, row in declarations("ck_repo.backends", "BACKEND", [own_folder()]).items() if key == name]
        assert fields.as_dict() == module.BACKEND


def test_declaration_is_readable_without_dependencies(tmp_path: Path) -> None:
    source = "import a_framework_that_nobody_has\nraise SystemExit\nBACKEND = {'runs': 'onnx'}\n"
    folder = distribution(tmp_path, "one", "[ck_repo.backends]\nx = mod\n", mod=source)
    assert read_backends([folder])["x"].runs == "onnx"


def test_installer_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "cached.py").write_text("BACKEND = {'runs': 'onnx'}")
    folder = distribution(tmp_path / "site", "one", "[ck_repo.backends]\nx = mod\n")
    (folder / "mod.py").symlink_to(tmp_path / "cached.py")
    assert read_backends([folder])["x"].runs == "onnx"
    (folder / "mod.py").unlink()
    os.mkfifo(folder / "mod.py")  # not a regular file: it is not opened
    assert read_backends([folder])["x"].runs == ""


def test_harness_distribution_has_harness_version() -> None:
    (info,) = own_folder().glob("*.dist-info")
    text = (own_folder() / "object_detection/__init__.py").read_text()
    version = text.partition('__version__ = "')[2].partition('"')[0]
    assert info.name == f"object_detection-{version}.dist-info"
    assert f"Version: {version}\n" in (info / "METADATA").read_text()
