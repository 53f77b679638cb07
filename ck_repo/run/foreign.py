"""Dependencies of other CK programs: those that mean something here, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ck_repo.errors import UsageError, did_you_mean
from ck_repo.resolve.component import Dependency
from ck_repo.run.options import RunOptions

_FRAMEWORK = "the framework is chosen with --backend=, and its version by the venv"
# a dependency of CK's programs, and why nothing is added to it
WITHOUT_EFFECT = {
    "python": "the venv's Python is used: `ck create venv --python=` chooses one",
    **dict.fromkeys(("compiler", "host-compiler", "compiler-tvm"), "nothing is compiled"),
    **dict.fromkeys(
        ("library", "lib-tensorflow", "lib-python-tensorflow", "lib-python-torch", "lib-python-tflite"), _FRAMEWORK
    ),
    **dict.fromkeys(("lib-python-tensorrt", "tensorrt-helper", "lib-python-pycuda"), "TensorRT is not supported"),
    **dict.fromkeys(("mlperf-inference-src", "loadgen-config-file"), "the round's settings come with ck"),
    **dict.fromkeys(
        ("lib-python-matplotlib", "lib-python-scipy", "lib-python-pillow", "coco-helper"), "the benchmark does not use it"
    ),
    **dict.fromkeys(("tensorflow-model-api", "tensorflow-model-api-object-detection"), "the benchmark does not use it"),
    **dict.fromkeys(("imagenet-aux", "imagenet-helper", "dataset-imagenet"), "the benchmark is object detection"),
    "dataset-source": "a data set made ready is chosen with --dataset=preprocessed",
    "edgetpu-lib": "Edge TPUs are not supported",
}
_BACKENDS = {
    "tensorflow": "tensorflow", "tensorflow-cpu": "tensorflow", "tensorflow-gpu": "tensorflow", "tflite": "tflite",
    "onnxruntime": "onnxruntime", "onnx": "onnxruntime", "pytorch": "torch", "torch": "torch", "openvino": "openvino",
}  # fmt: skip
_OF_BACKEND = {
    "lib-tensorflow": "tensorflow",
    "lib-python-tensorflow": "tensorflow",
    "lib-python-torch": "torch",
    "lib-python-tflite": "tflite",
}
_DEVICES = {"vcpu": "cpu", "vcuda": "cuda"}


def own_dependencies(options: RunOptions, rows: Sequence[Dependency], program: str) -> tuple[RunOptions, list[str]]:
    """The options with the tags for dependencies under the program's own keys, and a note for each that has no effect.

    Tags for CK's framework libraries choose backend and device, where the user does not.

    Raises
    ------
    UsageError
        If neither the program nor another CK program has such a dependency.
    """
    keys = {name: row.key for row in rows for name in (row.key, *row.also)}
    added: dict[str, str] = {}
    notes = []
    for name, tags in options.added_tags.items():
        if name in keys:
            added[keys[name]] = ",".join(part for part in (added.get(keys[name], ""), tags) if part)
        elif name in WITHOUT_EFFECT:
            options, taken = _framework(options, name, tags.split(","))
            notes += [taken or f"--dep_add_tags.{name}={tags} has no effect: {WITHOUT_EFFECT[name]}"]
        else:
            raise UsageError(f"{program} has no dependency {name!r}", hint=_hint(name, rows))
    return replace(options, added_tags=added), notes


def _framework(options: RunOptions, name: str, tags: Sequence[str]) -> tuple[RunOptions, str]:
    """The options with what tags of a framework say of backend and device; and a note, if they say something."""
    if WITHOUT_EFFECT[name] != _FRAMEWORK:
        return options, ""
    backend = _OF_BACKEND.get(name) or next((_BACKENDS[tag] for tag in tags if tag in _BACKENDS), "")
    device = next((_DEVICES[tag] for tag in tags if tag in _DEVICES), "")
    taken = []
    if backend and not options.backend:
        options, taken = replace(options, backend=backend), [f"--backend={backend}"]
    if device and options.device == RunOptions.device:
        options, taken = replace(options, device=device), [*taken, f"--device={device}"]
    if not taken:
        return options, ""
    return options, f"--dep_add_tags.{name}={','.join(tags)} is taken as {' '.join(taken)}; {_FRAMEWORK}"


def _hint(name: str, rows: Sequence[Dependency]) -> str:
    near = did_you_mean(name, [*(known for row in rows for known in (row.key, *row.also)), *WITHOUT_EFFECT])
    return near if near.startswith("did you mean") else f"it has {', '.join(row.key for row in rows)}"
