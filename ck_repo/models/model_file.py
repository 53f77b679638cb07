"""A user's model file: its format, its interface, and the profile that matches it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ck_repo.errors import DetectError
from ck_repo.models.formats import format_of
from ck_repo.models.interface import FIELDS, OUTPUTS
from ck_repo.models.networks import DeclaredProfile, Network, declared_profiles, own_networks
from ck_repo.models.profiles import Profile, profile, profiles_of
from ck_repo.models.recognise import adapt, choose, contradictions, fittings, image_input, resolve
from ck_repo.models.tensors import Interface
from ck_repo.models.torch_file import TorchFile

DESCRIBED = "described"  # the profile of models that users describe
_DATASET = "dataset,coco,2017,val"
_ADAPTED = (
    "side",
    "height",
    "width",
    "layout",
    "dtype",
    "resize",
    "scaling",
    "mean",
    "std",
)  # what `adapt` takes from the file
_FIELDS = frozenset(row.name for row in FIELDS)
_NAMED_BEFORE = frozenset({"boxes", "scores", "classes", "count"})  # outputs in descriptions of the first version
_HINT = (
    "docs/own-model.md explains how to describe a model: `ck detect soft:… --boxes=OUTPUT --scores=OUTPUT …`; "
    "`ck detect soft --help` lists the options"
)


def main_file(path: Path, kind: str) -> Path:
    """The main file of a model; for a folder the one of the SavedModel."""
    main = format_of(kind).main
    return path / main if main and path.is_dir() else path


def inspect_model(
    path: Path,
    kind: str,
    profile_name: str = "",
    networks: Mapping[str, Network] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Read a model file and return its interface: the `model` section of an env entry.

    Parameters
    ----------
    path
        The file.
    kind
        Its format, one of `REGISTERED_FORMATS`.
    profile_name
        The profile to use, if several match.
    networks
        The known networks, by name; the benchmark's own by default.
    given
        Fields of the interface that the user set.

    Raises
    ------
    DetectError
        If the file is damaged, no profile or several match its interface, or it contradicts the user's fields; the message
        lists inputs and outputs.
    """
    known = own_networks() if networks is None else networks
    read = format_of(kind).read
    if read is None:
        return _weights(path, profile_name, known, given or {})
    interface = read(path)
    declared, base = _base(path, kind, interface, profile_name, known, given or {})
    chosen = _with_given(declared, base, interface, given or {})
    problems, image = contradictions(chosen, interface), image_input(chosen, interface)
    # frozen graphs of TensorFlow append the index of the value to the name of the node
    if image and (asked := (given or {}).get("input", image.name)) not in (image.name, image.name.removesuffix(":0")):
        problems.append(f"its input for images is {image.name}; --input= names {asked}")
    if problems:
        raise DetectError(
            f"{path} does not match the requested interface ({_said(chosen, given or {})})\n"
            + "\n".join(f"  {problem}" for problem in problems),
            hint=f"omit --profile= to let the file decide, or correct the options\n{_signature(interface)}",
        )
    own = profiles_of(known)[chosen.name]
    assert image is not None  # otherwise it would be a contradiction
    batch = image.shape[0] if image.shape else None
    return {
        **_differences(chosen, own),
        "format": kind,
        "profile": chosen.name,
        "input": image.name,
        "max_batch": (given or {}).get("max_batch") or batch,
        "signature": {"inputs": [str(row) for row in interface.inputs], "outputs": [str(row) for row in interface.outputs]},
        "opset": interface.opset,
        "dataset": _DATASET,
    }


def profile_for_file(model: Mapping[str, Any], file: str, networks: Mapping[str, Network]) -> Profile:
    """The interface of a model from its description, completed from the file.

    Parameters
    ----------
    model
        The `model` section of its meta.
    file
        The file; empty if it does not exist yet.
    networks
        The known networks.

    Raises
    ------
    DetectError
        If a package's profile does not match its file.
    """
    own = profile(str(model.get("profile") or DESCRIBED), profiles_of(networks))
    declared = declared_profiles(networks)[own.name]
    kind = str(model.get("format", ""))
    read = format_of(kind).read
    if file and read and "signature" not in model and (declared.shapes or declared.adapts):
        interface = read(main_file(Path(file), kind))
        own = _with_given(declared, resolve(declared, own, interface), interface, _interface_fields(model))
        if problems := contradictions(own, interface):
            raise DetectError(
                f"{file} does not match its profile {own.name}\n" + "\n".join(f"  {problem}" for problem in problems),
                hint=f"correct `model` in the package's meta.json\n{_signature(interface)}",
            )
        return own
    return own.for_model(model)


def _interface_fields(model: Mapping[str, Any]) -> dict[str, object]:
    """The fields of the interface in a package's description."""
    outputs = model.get("outputs") or {}
    return {**{key: value for key, value in model.items() if key in _FIELDS}, **outputs}


def _base(
    path: Path, kind: str, interface: Interface, profile_name: str, networks: Mapping[str, Network], given: Mapping[str, Any]
) -> tuple[DeclaredProfile, Profile]:
    """The user's profile, else the matching one, else the general one if boxes and scores are given."""
    profiles = profiles_of(networks)
    declared = declared_profiles(networks)
    if profile_name:
        named = profile(profile_name, profiles)
        row = declared[named.name]
        resolved = resolve(row, named, interface)
        if "{" in resolved.boxes + resolved.scores and not {"boxes", "scores"} <= set(given):
            forms = ", ".join(row.shapes.values())
            bounds = "".join(f"; {size} from {low} to {high}" for size, (low, high) in row.sizes.items())
            raise DetectError(
                f"{path} does not match the profile {named.name}: its outputs do not have the form {forms}{bounds}\n"
                f"{_signature(interface)}",
                hint=_HINT,
            )
        return row, resolved
    if DESCRIBED in profiles and {"boxes", "scores"} <= set(given):
        return declared[DESCRIBED], profiles[DESCRIBED]
    described = _of_profile(given)
    rows = [(row, profiles[name]) for name, row in declared.items()]
    found = fittings(kind, interface, [(row, own.for_model(described)) for row, own in rows])
    # if nothing matches together with the user's fields, the error shows why
    if fitting := choose(found or fittings(kind, interface, rows), path):
        return fitting.declared, fitting.profile
    raise DetectError(
        f"{path}: no known profile matches its interface\n{_signature(interface)}",
        hint=f"{_HINT}; --profile= selects one of {', '.join(profiles)}",
    )


def _with_given(declared: DeclaredProfile, base: Profile, interface: Interface, given: Mapping[str, Any]) -> Profile:
    """The profile updated with the user's fields; the file determines the rest."""
    described = _of_profile(given)
    if declared.name == DESCRIBED:
        described = {"classes": ""} | described
    adapted = adapt(declared, base.for_model(described), interface)
    return adapted.for_model({name: value for name, value in described.items() if name in _ADAPTED})


def _of_profile(given: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a profile: all except those of the file itself."""
    return {name: value for name, value in given.items() if name not in ("input", "max_batch")}


def _differences(chosen: Profile, own: Profile) -> dict[str, object]:
    """The fields of a model's description that differ from its profile."""
    before, after = vars(own), vars(chosen)
    fields = {key: value for key, value in after.items() if value != before[key] and key != "reference_faults"}
    outputs = {row.name: fields.pop(row.name) for row in OUTPUTS if row.name in fields}
    if {"side", "height", "width"} & set(fields):
        square = chosen.size is None or chosen.side
        fields = {key: value for key, value in fields.items() if key not in ("side", "height", "width")}
        fields |= {"side": chosen.side or "free"} if square else {"height": chosen.height, "width": chosen.width}
    if outputs and set(outputs) <= _NAMED_BEFORE:
        outputs = {key: getattr(chosen, key) for key in ("boxes", "scores", "classes", "count")}
    return fields | ({"outputs": outputs} if outputs else {})


def _said(chosen: Profile, given: Mapping[str, Any]) -> str:
    return ", ".join([f"profile {chosen.name}", *(f"{name} {value}" for name, value in given.items())])


def _signature(interface: Interface) -> str:
    inputs, outputs = (", ".join(map(str, rows)) for rows in (interface.inputs, interface.outputs))
    task = interface.metadata.get("task", "")
    return f"  inputs: {inputs}\n  outputs: {outputs}" + (f"\n  task: {task[:60]}" if task else "")


def _weights(path: Path, profile_name: str, networks: Mapping[str, Network], given: Mapping[str, Any]) -> dict[str, object]:
    """The `model` section of a PyTorch file, which has no interface: a weight identifies the network."""
    weights = TorchFile(path).weights
    for network in networks.values():
        declared = network.profile_of("pytorch")
        if declared and network.marker and network.marker in weights:
            own = profile(profile_name or declared.name, profiles_of(networks))
            chosen = own.for_model(_of_profile(given))
            return {
                **_differences(chosen, own),
                "format": "pytorch", "network": network.name, "benchmark": network.benchmark, "profile": chosen.name,
                "input": declared.input,
                "max_batch": given.get("max_batch"),
                "signature": {
                    "inputs": [f"{declared.input} {chosen.dtype}[{chosen.layout}]"],
                    "outputs": [f"{len(weights)} weights"],
                },
                "dataset": _DATASET,
            }  # fmt: skip
    raise DetectError(
        f"{path}: its weights do not belong to a known network; {next(iter(weights))} is the first of {len(weights)}",
        hint=f"known: {', '.join(row.name for row in networks.values() if row.marker)}; "
        "MLPerf's files are ssd_mobilenet_v1.pytorch and resnet34-ssd1200.pytorch",
    )
