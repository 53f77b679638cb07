"""Tags for the dependencies of other CK programs."""

from __future__ import annotations

import pytest

from ck_repo.errors import UsageError
from ck_repo.models.backends import own_backends
from ck_repo.resolve.component import Dependency
from ck_repo.run.foreign import own_dependencies
from ck_repo.run.options import RunOptions

DEPS = [Dependency("weights", ("model",), also=("model",)), Dependency("dataset", ("dataset",), also=("images",))]


def taken(options: RunOptions) -> tuple[RunOptions, list[str]]:
    return own_dependencies(options, DEPS, "program:toy", list(own_backends().values()))


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ({"weights": "a"}, {"weights": "a"}),
        ({"model": "a,b"}, {"weights": "a,b"}),
        ({"images": "x", "dataset": "y"}, {"dataset": "x,y"}),
    ],
)
def test_dependency_aliases(added: dict[str, str], expected: dict[str, str]) -> None:
    options, notes = taken(RunOptions(added_tags=added))
    assert (options.added_tags, notes) == (expected, [])


@pytest.mark.parametrize("name", ["python", "compiler", "mlperf-inference-src", "loadgen-config-file", "lib-python-matplotlib"])
def test_dependency_of_other_programs_is_ignored_with_message(name: str) -> None:
    options, (note,) = taken(RunOptions(added_tags={name: "v3"}))
    assert options == RunOptions()
    assert note.startswith(f"--dep_add_tags.{name}=v3 has no effect: ")


@pytest.mark.parametrize(
    ("added", "backend", "device"),
    [
        ({"lib-tensorflow": "vcuda,vsrc"}, "tensorflow", "cuda"),
        ({"lib-tensorflow": "vcpu"}, "tensorflow", "cpu"),
        ({"library": "tflite,v1.15"}, "tflite", "cpu"),
        ({"library": "v1.14"}, "", "cpu"),
    ],
)
def test_framework_selects_backend_and_device(added: dict[str, str], backend: str, device: str) -> None:
    options, notes = taken(RunOptions(added_tags=added))
    assert (options.backend, options.device) == (backend, device)
    assert len(notes) == 1


def test_user_choice_is_kept() -> None:
    options, notes = taken(RunOptions(backend="onnxruntime", added_tags={"library": "tflite"}))
    assert options.backend == "onnxruntime"
    assert "has no effect" in notes[0]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("wieghts", "did you mean weights?"), ("compilr", "did you mean compiler"), ("zzz", "it has weights, dataset")],
)
def test_unknown_dependency_is_rejected(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"program:toy has no dependency '{name}'") as caught:
        taken(RunOptions(added_tags={name: "x"}))
    assert hint in caught.value.hint
