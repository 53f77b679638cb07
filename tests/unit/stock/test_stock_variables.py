"""The variables by which scripts find installed components: names, values and quoting."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ck_repo.stock.variables import Variables, prefix_of, variables_of
from ck_repo.store.installed import read_installed

ODD = ["plain", "with space", "it's", "$(touch spoilt)", "a;b", "ünï"]


def _meta(**more: Any) -> dict[str, Any]:
    return {"name": "A thing", "label": "my-thing", "path": "/tools/thing", "source": "package", **more}


@pytest.mark.parametrize(
    ("meta", "prefix"),
    [
        (_meta(model={"format": "onnx"}), "CK_ENV_ONNX_MODEL"),
        (_meta(model={"format": "tflite"}), "CK_ENV_TENSORFLOW_MODEL"),
        (_meta(model={"format": "unheard-of"}), "CK_ENV_MY_THING"),
        (_meta(tags=["dataset", "coco", "2017"]), "CK_ENV_DATASET_COCO"),
        (_meta(tags=["dataset", "coco", "preprocessed"]), "CK_ENV_DATASET_OBJ_DETECTION_PREPROCESSED"),
        (_meta(tags=["compiler", "python"]), "CK_ENV_COMPILER_PYTHON"),
        (_meta(tags=["lib", "mlperf", "loadgen"]), "CK_ENV_PYTHON_PACKAGE_MLPERF_LOADGEN"),
        ({"name": "my file (1).bin"}, "CK_ENV_MY_FILE_1_BIN"),
    ],
)
def test_prefix(meta: dict[str, Any], prefix: str) -> None:
    assert prefix_of(read_installed(meta, "meta")) == prefix


def test_model_has_folder_file_version_and_name() -> None:
    values = variables_of(_meta(file="/tools/thing/m.onnx", version="1.0", model={"format": "onnx"})).values
    assert values == {
        "CK_ENV_ONNX_MODEL": "/tools/thing",
        "CK_ENV_ONNX_MODEL_ROOT": "/tools/thing",
        "CK_ENV_ONNX_MODEL_FILE": "/tools/thing/m.onnx",
        "CK_ENV_ONNX_MODEL_ONNX_FILEPATH": "/tools/thing/m.onnx",
        "CK_ENV_ONNX_MODEL_VERSION": "1.0",
        "ML_MODEL_MODEL_NAME": "my-thing",
    }


@pytest.mark.parametrize("images", ["val2017", "/tools/thing/val2017"])
def test_data_set_has_images_and_annotations(images: str) -> None:
    meta = _meta(tags=["dataset", "coco"], dataset={"images": images, "annotations": "a/b.json"})
    values = variables_of(meta).values
    assert values["CK_ENV_DATASET_IMAGE_DIR"] == "/tools/thing/val2017"
    assert values["CK_ENV_DATASET_ANNOTATIONS"] == "/tools/thing/a/b.json"
    assert values["CK_ENV_DATASET_TYPE"] == "coco"


def test_modules_and_programs_are_put_on_search_paths() -> None:
    assert variables_of(_meta(python_path="/tools/thing/lib")).searched == {"PYTHONPATH": ("/tools/thing/lib",)}
    assert variables_of(_meta(tags=["compiler", "python"])).searched == {"PATH": ("/tools/thing",)}


def test_entry_of_another_ck_keeps_its_variables(tmp_path: Path) -> None:
    (tmp_path / "env.sh").write_text(
        "#! /bin/bash\n\nexport CK_ENV_LIB_FOO=/opt/foo\nexport PATH=/opt/foo/bin:$PATH\n"
        'export LD_LIBRARY_PATH="${CK_ENV_LIB_FOO}/lib":$LD_LIBRARY_PATH\ntouch /tmp/never-run\n'
    )
    meta = {
        "tags": ["lib", "foo"],
        "deps": {"below": {"dict": {"env": {"CK_ENV_BELOW": "/opt/below", "CK_ENV_LIB_FOO": "/old"}}}},
        "env": {"CK_ENV_LIB_FOO": "/opt/foo", "CK_ENV_LIB_FOO_BIN": "$CK_ENV_LIB_FOO/bin", "not a name": "x"},
    }
    found = variables_of(meta, tmp_path)
    expected = {"CK_ENV_LIB_FOO": "/opt/foo", "CK_ENV_LIB_FOO_BIN": "/opt/foo/bin", "CK_ENV_BELOW": "/opt/below"}
    assert found.values == expected
    assert found.searched == {"PATH": ("/opt/foo/bin",), "LD_LIBRARY_PATH": ("/opt/foo/lib",)}


def test_self_referencing_value_terminates() -> None:
    found = variables_of({"env": {"A": "$A/x", "B": "${C}", "C": "${B}"}})
    assert found.values["A"] == "/x"


def test_first_value_wins_and_search_paths_are_joined() -> None:
    one = Variables({"A": "1"}, {"PATH": ("/a", "/b")})
    both = one.joined(Variables({"A": "2", "B": "3"}, {"PATH": ("/b", "/c"), "PYTHONPATH": ("/p",)}))
    assert both == Variables({"A": "1", "B": "3"}, {"PATH": ("/a", "/b", "/c"), "PYTHONPATH": ("/p",)})
    assert both.environment({"PATH": "/usr/bin", "HOME": "/h"}) == {
        "A": "1", "B": "3", "HOME": "/h", "PATH": "/a:/b:/c:/usr/bin", "PYTHONPATH": "/p",
    }  # fmt: skip


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_shell_round_trips_any_value(value: str, shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    lines = Variables({"CK_ENV_X": value}, {"CK_PATH": ("/a b", "/c")}).lines(shell)
    script = "\n".join([*lines, 'printf "%s|%s" "$CK_ENV_X" "$CK_PATH"'])
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.replace(" /c", ":/c") == f"{value}|/a b:/c"
    assert not (tmp_path / "spoilt").exists()
