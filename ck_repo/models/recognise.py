"""Find the profiles that match a model file, and how one contradicts it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from ck_repo.errors import DetectError
from ck_repo.models.interface import OUTPUTS
from ck_repo.models.networks import DeclaredProfile
from ck_repo.models.profiles import Profile
from ck_repo.models.tensors import Interface, Tensor

ROLES = tuple(row.name for row in OUTPUTS)
_PATTERN = re.compile(r"(?P<dtype>\w+)\[(?P<sizes>[^\]]*)\]")
_SIZE = re.compile(r"(?:(?P<add>\d+)\+)?(?P<name>[A-Z])|(?P<number>\d+)")
_COLUMNS = re.compile(r"(?P<name>.+)\[(?P<first>\d+)?(?P<colon>:)?(?P<end>\d+)?\]")
_KINDS = {"float": ("float16", "float32", "float64", "bfloat16"), "int": ("int64", "int32"), "any": ()}
_STRIDES = (4, 8, 16, 32, 64, 128)  # pixels between cells; a network has a grid for each of some successive ones
_MAX_OUTPUTS = 6  # of a file whose outputs are tried in every order


@dataclass(frozen=True)
class Fitting:
    """A profile that matches a file.

    Attributes
    ----------
    profile
        With the names, size, type and layout of the file.
    exact
        Whether the file has exactly the profile's names.
    metadata
        How many keys of the file's metadata name it; 0 unless all do that it declares.
    """

    declared: DeclaredProfile
    profile: Profile
    exact: bool
    metadata: int


def fittings(kind: str, interface: Interface, declared: Sequence[tuple[DeclaredProfile, Profile]]) -> list[Fitting]:
    """The matching profiles, in their order.

    Parameters
    ----------
    kind
        The format of the file.
    declared
        Declarations with their profiles.
    """
    found = []
    for row, own in declared:
        exact = not (row.shapes or row.outputs_in_order or row.adapts)
        if kind not in row.formats and not exact:
            continue
        if not row.shapes and not row.outputs_in_order and not _names_fit(own, interface):
            continue
        if any(text not in interface.metadata.get(key, text) for key, text in row.if_said.items()):
            continue
        for resolved in _resolved(row, own, interface):
            adapted = adapt(row, resolved, interface)
            if not contradictions(adapted, interface):
                found.append(Fitting(row, adapted, exact, _metadata_fit(row, interface)))
    return found


def choose(found: Sequence[Fitting], path: object) -> Fitting | None:
    """The single matching profile; None if none matches.

    Raises
    ------
    DetectError
        If several match and would read the file differently; the message lists them, the hint has the option to choose.
    """
    best = max((row.metadata for row in found), default=0)
    named = [row for row in found if row.metadata and row.metadata == best]
    for group in ([row for row in found if row.exact], named, found):
        if not group:
            continue
        different = [row for row in group if not row.profile.reads_as(group[0].profile)]
        if not different:
            return group[0]
        names = list(dict.fromkeys(row.profile.name for row in (group[0], *different)))
        if len(names) == 1:
            raise DetectError(
                f"{path}: its outputs match the profile {names[0]} in more than one way",
                hint="set them: --boxes=, --scores=, --classes=",
            )
        raise DetectError(
            f"{path}: {len(names)} interfaces match its inputs and outputs: {', '.join(names)}",
            hint="choose one: "
            + " or ".join(f"--profile={name}" for name in names)
            + "; --try draws what the model then finds in ten images",
        )
    return None


def resolve(row: DeclaredProfile, own: Profile, interface: Interface) -> Profile:
    """A profile that the user selected, with the names of the file as far as it has them."""
    return adapt(row, next(iter(_resolved(row, own, interface)), own), interface)


def adapt(row: DeclaredProfile, own: Profile, interface: Interface) -> Profile:
    """A profile completed with the fields that the file determines.

    Parameters
    ----------
    row
        The declared profile, which lists the fields that may follow from the file: ``side``, ``layout`` and ``dtype``.
    own
        Its values.
    interface
        Names, shapes and types of the file's inputs and outputs. Without a single image input nothing is changed.
    """
    given = image_input(own, interface)
    if given is None:
        return own
    changes: dict[str, object] = {}
    if "layout" in row.adapts and len(given.shape) == 4 and (given.shape[1] == 3) != (given.shape[3] == 3):
        changes["layout"] = "NCHW" if given.shape[1] == 3 else "NHWC"
    if "dtype" in row.adapts and given.dtype in ("float16", "float32"):
        changes["dtype"] = given.dtype
    elif "dtype" in row.adapts and given.dtype == "uint8":  # bytes have no room for scaled pixels: the file scales them
        changes |= {"dtype": "uint8", "scaling": "none", "mean": [], "std": []}
    if "side" in row.adapts and len(given.shape) == 4:
        height, width = _sides(given.shape, str(changes.get("layout", own.layout)))
        if height and width:
            changes |= {"side": height, "height": None, "width": None} if height == width else {
                "side": None, "height": height, "width": width,
            }  # fmt: skip
            if own.resize == "keep":  # images cannot keep their size in a file of fixed size
                changes["resize"] = "stretch"
    return own.changed(changes)


def contradictions(own: Profile, interface: Interface) -> list[str]:
    """How an interface contradicts a file: sentences with both values; empty if it does not.

    Returns
    -------
    list
        Empty if the interface matches the file.
    """
    problems = []
    given = image_input(own, interface)
    names = [row.name for row in interface.inputs]
    if given is None:
        beside = f" besides {own.size_input}" if own.size_input else ""
        return [f"it has the inputs {', '.join(names)}; the interface has one{beside}"]
    if given.dtype and given.dtype != own.dtype:
        problems.append(f"its input {given.name} is {given.dtype}; the interface has {own.dtype}")
    if own.dtype == "uint8" and (own.scaling != "none" or own.mean or own.std):
        scaled = own.scaling if own.scaling != "none" else "mean and std"
        problems.append(f"its input {given.name} takes bytes; scaled pixels ({scaled}) are fractions")
    problems += _shape_problems(given, own)
    outputs = {row.name: row for row in interface.outputs}
    for role in ROLES:
        if text := str(getattr(own, role)):
            problems += _output_problems(role, text, outputs, interface.outputs, own)
    return problems


def image_input(own: Profile, interface: Interface) -> Tensor | None:
    """The input for images: the only one besides that for sizes; None if there are several."""
    rest = [row for row in interface.inputs if not own.size_input or row.name != own.size_input]
    sizes_fit = not own.size_input or len(rest) == len(interface.inputs) - 1
    return rest[0] if len(rest) == 1 and sizes_fit else None


def _shape_problems(given: Tensor, own: Profile) -> list[str]:
    shape = given.shape
    if not shape:
        return []
    if len(shape) != 4:
        return [f"its input {given} has {len(shape)} dimensions; images have 4"]
    channels = shape[1] if own.layout == "NCHW" else shape[3]
    if channels not in (None, 3):
        return [f"its input {given} does not have 3 colours at the position of the layout {own.layout}"]
    sides = _sides(shape, own.layout)
    if own.size is None and any(sides):
        return [f"its input {given} has a fixed size; the interface has a free size"]
    if own.size and any(size not in (None, wanted) for size, wanted in zip(sides, own.size, strict=True)):
        return [f"its input {given} does not have the size {own.size[0]} × {own.size[1]} of the interface"]
    return []


def _output_problems(
    role: str, text: str, outputs: Mapping[str, Tensor], in_order: Sequence[Tensor], own: Profile
) -> Iterator[str]:
    match = _COLUMNS.fullmatch(text)
    name = match["name"] if match else text
    position = re.fullmatch(r"#(\d+)", name)
    numbered = {str(number): each for number, each in enumerate(in_order)}
    found = numbered.get(position[1]) if position else outputs.get(name)
    if found is None:
        yield f"it has no output {name} for the {role}, only {', '.join(outputs)}"
        return
    if not found.shape:
        return
    columns = found.shape[-2] if own.transposed and len(found.shape) >= 2 else found.shape[-1]
    if match and columns is not None:
        last = int(match["end"]) if match["end"] else int(match["first"] or 0) + 1
        if last > columns:
            yield f"its output {found} has {columns} columns; the interface uses {text} for the {role}"
    elif role == "boxes" and not match and columns not in (None, 4):
        yield f"its output {found} has {columns} numbers for each box; the interface expects 4"


def _sides(shape: Sequence[int | None], layout: str) -> tuple[int | None, int | None]:
    return (shape[2], shape[3]) if layout == "NCHW" else (shape[1], shape[2])


def _same_name(name: str, interface: Interface) -> str:
    """The name in the file: TensorFlow's frozen graphs append the index of the value to the name of the node."""
    names = {row.name for row in interface.outputs}
    return name if name in names or f"{name}:0" not in names else f"{name}:0"


def _names_fit(own: Profile, interface: Interface) -> bool:
    names = {row.name for row in interface.outputs}
    return all(_same_name(text, interface) in names for role in ROLES if (text := str(getattr(own, role))))


def _resolved(row: DeclaredProfile, own: Profile, interface: Interface) -> list[Profile]:
    """The profile with the file's own names of outputs: by shape, by the file's information, or by order."""
    if row.shapes:
        return [_filled(own, names) for names in _by_shape(row, interface)]
    if row.outputs_in_order:
        names = interface.roles
        if not names and len(row.outputs_in_order) == len(interface.outputs):
            names = dict(zip(row.outputs_in_order, [each.name for each in interface.outputs], strict=True))
        in_order = {role: names[role] for role in row.outputs_in_order} if names else {}
        return [own.changed(in_order)] if in_order else []
    return [own.changed({role: _same_name(text, interface) for role in ROLES if (text := str(getattr(own, role)))})]


def _filled(own: Profile, names: Mapping[str, str]) -> Profile:
    changes = {}
    for role in ROLES:
        text = str(getattr(own, role))
        for key, name in names.items():
            text = text.replace("{" + key + "}", name)
        changes[role] = text
    return own.changed(changes)


def _by_shape(row: DeclaredProfile, interface: Interface) -> list[dict[str, str]]:
    """Every way to give the outputs to the shapes: name of the output by the declaration's name."""
    outputs = interface.outputs
    if len(outputs) != len(row.shapes) or len(outputs) > _MAX_OUTPUTS:
        return []
    found = []
    for order in permutations(outputs):
        sizes: dict[str, int] = {}
        if all(_shape_fits(pattern, each, sizes) for pattern, each in zip(row.shapes.values(), order, strict=True)) and (
            _bounds_fit(row, sizes) and _cells_fit(row, sizes, interface)
        ):
            found.append({key: each.name for key, each in zip(row.shapes, order, strict=True)})
    return found


def _bounds_fit(row: DeclaredProfile, sizes: Mapping[str, int]) -> bool:
    if any(name in sizes and not low <= sizes[name] <= high for name, (low, high) in row.sizes.items()):
        return False
    fewer = [sizes.get(name) for name in row.fewer]
    return not (len(fewer) == 2 and fewer[0] is not None and fewer[1] is not None and fewer[0] >= fewer[1])


def _cells_fit(row: DeclaredProfile, sizes: Mapping[str, int], interface: Interface) -> bool:
    """Whether sizes are those of all grids on the input, or are not, as the declaration says."""
    grids = _grids(interface) if row.per_cell or row.not_per_cell else []
    of_all = [sizes.get(name) in [count * cells for cells in grids] for name, count in row.per_cell.items()]
    others = [sizes.get(name) in [count * cells for cells in grids] for name, count in row.not_per_cell.items()]
    return all(of_all) and not any(others)


def _grids(interface: Interface) -> list[int]:
    """How many cells some successive grids on the input may have; none if the file does not say how large it is."""
    images = [each.shape for each in interface.inputs if len(each.shape) == 4 and 3 in (each.shape[1], each.shape[3])]
    if len(images) != 1:
        return []
    height, width = _sides(images[0], "NCHW" if images[0][1] == 3 else "NHWC")
    if not height or not width:
        return []
    cells = [-(-height // stride) * -(-width // stride) for stride in _STRIDES]
    return [sum(cells[first:end]) for first in range(len(cells)) for end in range(first + 2, len(cells) + 1)]


def _shape_fits(pattern: str, tensor: Tensor, sizes: dict[str, int]) -> bool:
    """Whether a tensor has the type and shape of a pattern; named sizes are recorded. An unknown size matches any name."""
    match = _PATTERN.fullmatch(pattern)
    wanted = [_SIZE.fullmatch(part.strip()) for part in match["sizes"].split(",")] if match else []
    if not match or len(wanted) != len(tensor.shape):
        return False
    kinds = _KINDS.get(match["dtype"], (match["dtype"],))
    if kinds and tensor.dtype not in kinds:
        return False
    for part, size in zip(wanted, tensor.shape, strict=True):
        if part is None:
            return False
        if part["number"]:
            if size != int(part["number"]):
                return False
            continue
        if size is None:
            continue
        rest = size - int(part["add"] or 0)
        if rest < 1 or sizes.setdefault(part["name"], rest) != rest:
            return False
    return True


def _metadata_fit(row: DeclaredProfile, interface: Interface) -> int:
    return len(row.metadata) if all(text in interface.metadata.get(key, "") for key, text in row.metadata.items()) else 0
