"""Profiles: how an image becomes a model's input and a model's output becomes detections. Networks declare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

from ck_repo.errors import ConfigError, NotFoundError, did_you_mean
from ck_repo.models.networks import DeclaredProfile, Network, own_networks
from ck_repo.store.fields import Fields


@dataclass(frozen=True)
class Profile:
    """Pre- and post-processing of a model.

    Attributes
    ----------
    side
        The input's side in pixels.
    scaling
        ``none`` (uint8 as it is), ``plus-minus-one`` or ``imagenet`` (mean and deviation of ImageNet).
    layout
        ``NHWC`` or ``NCHW``.
    dtype
        Of the input.
    boxes, scores, classes, count
        Names of the outputs; `count` is empty where the number of detections is that of the rows.
    box_order
        ``yxyx`` or ``xyxy``, corners on a scale of 0 to 1.
    score_above
        Detections with this score or less are dropped; None keeps all.
    classes_are
        ``category`` ids of the annotations, or ``contiguous`` numbers from 1 in the order of their categories.
    class_offset
        Added to the model's classes first; 1 where the model counts them from 0.
    only_annotated
        Whether images without annotations are left out.
    reference_faults
        What the reference harness of v1.0.1 does differently: fields of the profile.
    """

    name: str
    side: int
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
    only_annotated: bool = False
    reference_faults: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def as_data(self) -> dict[str, Any]:
        """As JSON, without the faults of the reference."""
        return {key: value for key, value in vars(self).items() if key != "reference_faults"}

    def with_reference_faults(self) -> Profile:
        """As the reference harness of v1.0.1 does it, for comparison with logs of then.

        It cuts the ONNX model's scores at 0.5, leaves out images without annotations for the PyTorch model, and scores
        contiguous classes as if they were category ids unless it is told otherwise.
        """
        faulty = replace(self, **self.reference_faults)
        return replace(faulty, classes_are="category")

    def for_model(self, model: Mapping[str, Any]) -> Profile:
        """The profile with what a model's own description says over it."""
        outputs = model.get("outputs") or {}
        if not isinstance(outputs, Mapping) or not set(outputs) <= set(_OUTPUTS):
            raise ConfigError(
                f"the model's outputs are {outputs!r}, not names by {', '.join(_OUTPUTS)}",
                hint="fix the package's meta.json, or register the file again with `ck detect`",
            )
        own = {key: model[key] for key in _OWN if key in model}
        return replace(self, **own, **outputs)


# what a model's description may say otherwise than its profile
_OUTPUTS = ("boxes", "scores", "classes", "count")
_OWN = ("side", "scaling", "layout", "dtype", "box_order", "score_above", "classes_are", "class_offset")
_SCALINGS, _LAYOUTS, _ORDERS, _CLASSES = (
    ("none", "plus-minus-one", "imagenet"), ("NHWC", "NCHW"), ("yxyx", "xyxy"), ("category", "contiguous"),
)  # fmt: skip
_KEYS = tuple(row.name for row in fields(Profile) if row.name != "name")


def profiles_of(networks: Mapping[str, Network]) -> dict[str, Profile]:
    """The profiles that networks declare, by name, in their order.

    Raises
    ------
    ConfigError
        If a value is not what it has to be; with its file and key.
    """
    found: dict[str, Profile] = {}
    for row in (row for network in networks.values() for row in network.profiles):
        if row.name not in found:  # of two with one name the first counts
            found[row.name] = _profile(row)
    return found


@cache
def own_profiles() -> Mapping[str, Profile]:
    """The profiles of the benchmark's own networks."""
    return profiles_of(own_networks())


def profile(name: str, profiles: Mapping[str, Profile] | None = None) -> Profile:
    """The profile of that name, among the benchmark's own unless others are given."""
    known = own_profiles() if profiles is None else profiles
    if name not in known:
        raise NotFoundError(f"there is no profile {name!r}", hint=did_you_mean(name, known))
    return known[name]


def _profile(declared: DeclaredProfile) -> Profile:
    row = declared.fields
    row.only(*_KEYS, "formats", "input", "outputs_in_order")
    side = row.whole("side")
    if not side or side < 1:
        raise row.error("side", side, "a number of pixels")
    unknown = set(declared.reference_faults) - {*_OWN, "only_annotated"}
    if unknown:
        raise row.error("reference_faults", sorted(unknown), f"a table of {', '.join(_OWN)} and only_annotated")
    return Profile(
        declared.name,
        side,
        _one_of(row, "scaling", _SCALINGS),
        _one_of(row, "layout", _LAYOUTS),
        row.needed("dtype"),
        row.needed("boxes"),
        row.needed("scores"),
        row.needed("classes"),
        row.text("count"),
        _one_of(row, "box_order", _ORDERS),
        row.number("score_above"),
        _one_of(row, "classes_are", _CLASSES),
        row.whole("class_offset", 0) or 0,
        row.flag("only_annotated"),
        declared.reference_faults,
    )


def _one_of(row: Fields, key: str, known: Sequence[str]) -> str:
    if row.text(key) not in known:
        raise row.error(key, row.text(key), f"one of {', '.join(known)}")
    return row.text(key)
