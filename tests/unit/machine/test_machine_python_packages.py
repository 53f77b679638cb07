"""A venv's packages are read from its metadata folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from ck_repo.machine.python_packages import altered_files, half_removed, python_packages


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "venv/lib/python3.11/site-packages"
    folder.mkdir(parents=True)
    return folder


def add(site: Path, name: str, record: bool = True) -> None:
    (site / name).mkdir()
    if record:
        (site / name / "RECORD").touch()


def test_names_are_normalized_as_in_pep_503(site: Path) -> None:
    for name in ("opencv_python_headless-4.12.0.88", "PyYAML-6.0.3", "ruamel.yaml-0.18", "torch-2.1.0+cpu"):
        add(site, f"{name}.dist-info")
    assert python_packages(site.parents[2] / "bin/python") == {
        "opencv-python-headless": "4.12.0.88",
        "pyyaml": "6.0.3",
        "ruamel-yaml": "0.18",
        "torch": "2.1.0+cpu",
    }


def test_interrupted_installation_does_not_count(site: Path, tmp_path: Path) -> None:
    add(site, "numpy-2.0.0.dist-info", record=False)
    add(site, "numpy")
    add(site, "old-1.0.egg-info")
    assert python_packages(site.parents[2] / "bin/python") == {}
    assert python_packages(tmp_path / "no venv/bin/python") == {}


def test_package_with_missing_code(site: Path) -> None:
    python = site.parents[2] / "bin/python"
    for name, record in (
        ("whole-1.0", "whole/__init__.py,sha256=0,1\nwhole-1.0.dist-info/WHEEL,sha256=0,1\n"),
        ("half_gone-1.0", "half/__init__.py,sha256=0,1\nhalf/part.py,sha256=0,1\n"),
        ("damaged-1.0", f"{'x' * 200_000},sha256=0,1\n"),  # longer than the csv module's field limit
    ):
        add(site, f"{name}.dist-info")
        (site / f"{name}.dist-info" / "RECORD").write_text(record)
    for module in ("whole", "half"):
        (site / module).mkdir()
    (site / "whole" / "__init__.py").touch()
    assert half_removed(python) == {"half-gone": str(site / "half/__init__.py")}
    assert altered_files(python, "half-gone") == ["half/__init__.py", "half/part.py"]
    assert altered_files(python, "damaged") == ["damaged-1.0.dist-info/RECORD"]
