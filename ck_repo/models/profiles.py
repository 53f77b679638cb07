"""Profiles: named sets of the fields of a model's interface (`ck_repo.models.interface`), which networks declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from typing import Any

from ck_repo.errors import ConfigError, NotFoundError, did_you_mean
from ck_repo.models.interface import DECODING, INPUT, OUTPUTS, typed
from ck_repo.models.networks import DeclaredProfile, Network, declared_profiles, own_networks


@dataclass(frozen=True)
class Profile:
    """How an image becomes a model's input, and its outputs become detections; the fields are those of the interface.

    Attributes
    ----------
    side
        None if the input is not square, or of any size.
    only_annotated
        Whether images without annotations are skipped.
    reference_faults
        Fields that differ in the reference harness of v1.0.1.
    """

    name: str
    side: int | None
    scaling: str
    layout: str
    dtype: str
    boxes: str
    scores: str
    classes: str
    count: str
    box_order: str
    score_above: float | None
    classes_are: str
    class_offset: int = 0
    height: int | None = None
    width: int | None = None
    resize: str = "stretch"
    fill: int = 114
    placed: str = "centre"
    colour: str = "rgb"
    mean: list[float] = field(default_factory=list, hash=False)
    std: list[float] = field(default_factory=list, hash=False)
    objectness: str = ""
    image: str = ""
    size_input: str = ""
    transposed: bool = False
    box_units: str = "unit"
    clip: bool = False
    scores_are: str = "given"
    background: str = "none"
    labels_per_box: str = "best"
    nms: str = "none"
    nms_iou: float = 0.5
    nms_candidates: int | None = None
    max_detections: int | None = None
    only_annotated: bool = False
    reference_faults: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the input; None if each image keeps its own size."""
        if self.side:
            return self.side, self.side
        return (self.height, self.width) if self.height and self.width else None

    def as_data(self) -> dict[str, object]:
        """As JSON, without the errors of the reference; newer fields only if they differ from their default."""
        later = {row.name: row for row in fields(self)[_FIRST:]}
        return {
            name: value
            for name, value in (vars(self) | {"side": self.side or 0}).items()
            if name != "reference_faults" and (name not in later or name == "only_annotated" or value != _default(later[name]))
        }

    def as_spec(self) -> Mapping[str, Any]:
        """The fields of `ck_repo.contract.spec.Model`."""
        content = vars(self) | {"side": self.side or 0, "mean": tuple(self.mean), "std": tuple(self.std)}
        return {name: value for name, value in content.items() if name not in _NOT_IN_SPEC}

    def changed(self, values: Mapping[str, Any]) -> Profile:
        """The profile with other values of fields, by name."""
        return replace(self, **values)

    def reads_as(self, other: Profile) -> bool:
        """Whether both read a model in the same way, apart from their names."""
        return self.as_data() | {"name": ""} == other.as_data() | {"name": ""}

    def with_reference_faults(self) -> Profile:
        """The profile as in the reference harness of v1.0.1, for comparison with its logs.

        It cuts the ONNX model's scores at 0.5, skips images without annotations for the PyTorch model, and by default scores
        contiguous classes as if they were category ids.
        """
        faulty = replace(self, **self.reference_faults)
        return replace(faulty, classes_are="category")

    def for_model(self, model: Mapping[str, Any]) -> Profile:
        """The profile updated with a model's own description.

        Raises
        ------
        ConfigError
            If the description has an invalid value.
        """
        outputs = model.get("outputs") or {}
        if not isinstance(outputs, Mapping) or not set(outputs) <= set(_OUTPUTS):
            raise ConfigError(
                f"the model's outputs are {outputs!r}, not names for {', '.join(_OUTPUTS)}",
                hint="fix the package's meta.json, or register the file again with `ck detect`",
            )
        own = {key: typed(key, model[key]) for key in (*_OUTPUTS, *_OWN) if key in model}
        if "side" in own and "height" not in own:
            own |= {"height": None, "width": None}
        elif "height" in own or "width" in own:
            own = {"side": None} | own
        return replace(self, **own, **{key: typed(key, value) for key, value in outputs.items()})


_NOT_IN_SPEC = ("name", "only_annotated", "reference_faults")
_FIRST = [row.name for row in fields(Profile)].index("height")  # fields that spec.json only has if they matter
# fields that a model's description may override
_OUTPUTS = tuple(row.name for row in OUTPUTS)
_OWN = tuple(row.name for row in (*INPUT, *DECODING) if row.name not in ("input", "max_batch"))
_NEEDED = ("scaling", "layout", "dtype", "boxes", "scores", "box_order", "classes_are")
_KEYS = (*_OUTPUTS, *_OWN, "only_annotated", "reference_faults")


def profiles_of(networks: Mapping[str, Network]) -> dict[str, Profile]:
    """The profiles that networks declare, by name, in their order.

    Raises
    ------
    ConfigError
        If a value is invalid; with its file and key.
    """
    return {name: _profile(row) for name, row in declared_profiles(networks).items()}


@cache
def own_profiles() -> Mapping[str, Profile]:
    """The profiles of the benchmark's own networks."""
    return profiles_of(own_networks())


def profile(name: str, profiles: Mapping[str, Profile] | None = None) -> Profile:
    """The profile of that name, among the benchmark's own by default.

    Raises
    ------
    NotFoundError
        If there is no such profile.
    """
    known = own_profiles() if profiles is None else profiles
    if name not in known:
        raise NotFoundError(f"there is no profile {name!r}", hint=did_you_mean(name, known))
    return known[name]


def _profile(declared: DeclaredProfile) -> Profile:
    row = declared.fields
    row.only(*_KEYS, *DeclaredProfile.KEYS)
    for key in _NEEDED:
        row.needed(key)
    if ("height" in row) != ("width" in row) or not ("side" in row or "height" in row):
        raise row.error("side", None, "a number of pixels or free, or height and width instead")
    unknown = set(declared.reference_faults) - {*_OWN, "only_annotated"}
    if unknown:
        raise row.error("reference_faults", sorted(unknown), f"a table of {', '.join(_OWN)} and only_annotated")
    content, values = row.as_dict(), {}
    for key in (*_OUTPUTS, *_OWN):
        if key in row:
            try:
                values[key] = typed(key, content[key])
            except ConfigError as error:
                raise row.error(key, content[key], error.what.rpartition(", not ")[2]) from None
    return Profile(
        declared.name,
        **{"side": None, "classes": "", "count": "", "score_above": None} | values,
        only_annotated=row.flag("only_annotated"),
        reference_faults=declared.reference_faults,
    )


def _default(row: Any) -> Any:
    return row.default if row.default is not MISSING else row.default_factory()
