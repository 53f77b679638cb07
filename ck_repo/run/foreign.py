"""Dependencies of other CK programs: the supported ones, and why others have no effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ck_repo.errors import UsageError, did_you_mean
from ck_repo.models.backends import Backend
from ck_repo.resolve.component import Dependency
from ck_repo.run.options import RunOptions

_FRAMEWORK = "the framework is chosen with --backend=, and its version by the venv"
# dependencies of CK's programs that cannot get tags, and why
WITHOUT_EFFECT = {
    "python": "the venv's Python is used: `ck create venv --python=` chooses one",
    **dict.fromkeys(("compiler", "host-compiler", "compiler-tvm"), "nothing is compiled"),
    "library": _FRAMEWORK,
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
_DEVICES = {"vcpu": "cpu", "vcuda": "cuda"}


def own_dependencies(
    options: RunOptions, rows: Sequence[Dependency], program: str, backends: Sequence[Backend] = ()
) -> tuple[RunOptions, list[str]]:
    """The options with the tags for dependencies under the program's own keys, and a note for each without effect.

    Tags for CK's framework libraries select backend and device, unless the user does.

    Raises
    ------
    UsageError
        If neither the program nor another CK program has such a dependency.
    """
    keys = {name: row.key for row in rows for name in (row.key, *row.also)}
    without_effect = WITHOUT_EFFECT | {name: _FRAMEWORK for row in backends for name in row.replaces}
    added: dict[str, str] = {}
    notes = []
    for name, tags in options.added_tags.items():
        if name in keys:
            added[keys[name]] = ",".join(part for part in (added.get(keys[name], ""), tags) if part)
        elif name in without_effect:
            why, taken = without_effect[name], ""
            if why == _FRAMEWORK:
                options, taken = _framework(options, name, tags.split(","), backends)
            notes += [taken or f"--dep_add_tags.{name}={tags} has no effect: {why}"]
        else:
            raise UsageError(f"{program} has no dependency {name!r}", hint=_hint(name, rows, without_effect))
    return replace(options, added_tags=added), notes


def _framework(options: RunOptions, name: str, tags: Sequence[str], backends: Sequence[Backend]) -> tuple[RunOptions, str]:
    """The options with backend and device from the tags of a framework; and a note, if there are any."""
    called = {tag: row.name for row in backends for tag in (row.name, *row.also_called)}
    replaced = next((row.name for row in backends if name in row.replaces), "")
    backend = replaced or next((called[tag] for tag in tags if tag in called), "")
    device = next((_DEVICES[tag] for tag in tags if tag in _DEVICES), "")
    taken = []
    if backend and not options.backend:
        options, taken = replace(options, backend=backend), [f"--backend={backend}"]
    if device and options.device == RunOptions.device:
        options, taken = replace(options, device=device), [*taken, f"--device={device}"]
    if not taken:
        return options, ""
    return options, f"--dep_add_tags.{name}={','.join(tags)} is interpreted as {' '.join(taken)}; {_FRAMEWORK}"


def _hint(name: str, rows: Sequence[Dependency], without_effect: Iterable[str]) -> str:
    near = did_you_mean(name, [*(known for row in rows for known in (row.key, *row.also)), *without_effect])
    return near if near.startswith("did you mean") else f"it has {', '.join(row.key for row in rows)}"
