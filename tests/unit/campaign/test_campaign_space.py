"""The search space: its combinations, the default choice in it, and models that only some backends run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.campaign.space import Space
from ck_repo.run.options import RunOptions

SPACE = Space(
    {"model": ("", "int8"), "backend": ("ort", "torch"), "threads": (1, 2)},
    {"ort": {"level": ("all", "extended")}, "torch": {"pinning": ("", "yes", "no")}},
    "ort",
    {"": ("ort", "torch"), "int8": ("ort",)},
    {"ort": {"level": "all", "arena": "yes"}, "torch": {"pinning": ""}},
)


def trials(space: Space) -> list[Mapping[str, Any]]:
    """What `suggest` makes of every combination."""
    return [space.suggest(lambda label, rows, point=point: point[label]) for point in space.points()]  # type: ignore[misc]


def test_model_is_only_tried_with_backends_that_run_it() -> None:
    found = trials(SPACE)
    assert len(found) == SPACE.size == 2 * (2 + 3) + 2 * 2
    assert len({tuple(row.items()) for row in found}) == len(found)
    assert {(row["model"], row["backend"]) for row in found} == {("", "ort"), ("", "torch"), ("int8", "ort")}
    assert SPACE.choices() == [
        {"model": "", "backend": "ort"},
        {"model": "", "backend": "torch"},
        {"model": "int8", "backend": "ort"},
    ]


def test_option_without_a_value_is_left_to_the_backend() -> None:
    found = [row.get("backend_options.pinning") for row in trials(SPACE) if row["backend"] == "torch"]
    assert sorted(found, key=str) == [None, None, "no", "no", "yes", "yes"]


def test_first_trial_is_the_default_choice_with_its_measured_layout() -> None:
    space = SPACE.with_layout({"threads": 3, "sessions": 2})
    assert space.common["threads"] == (1, 2, 3)
    assert "sessions" not in space.common
    point = space.default_point({"threads": 3, "sessions": 2})
    assert point == {"model": "", "backend": "ort", "threads": 3, "ort.level": "all"}
    assert space.suggest(lambda label, rows: point[label]) == {
        "model": "", "backend": "ort", "threads": 3, "backend_options.level": "all",
    }  # fmt: skip


def test_measured_layout_within_the_space_keeps_its_order() -> None:
    assert Space({"threads": (3, 1)}).with_layout({"threads": 1}).common["threads"] == (3, 1)


def test_option_of_a_backend_is_for_trials_with_it() -> None:
    """`--over.backend.level=` and `--backend.arena=` with two backends: the other one gets neither."""
    space = Space({"backend": ("ort", "torch"), "backend_options.level": ("all", "basic")}, takes=SPACE.takes)
    assert space.size == 3
    assert [row.get("backend_options.level") for row in trials(space)] == ["all", "basic", None]
    fixed = {"backend_options": {"arena": "no"}, "count": 3}
    assert space.fixed_for({"backend": "ort"}, fixed) == fixed
    assert space.fixed_for({"backend": "torch"}, fixed) == {"backend_options": {}, "count": 3}


def test_default_values_of_options_are_the_same_choice_as_none() -> None:
    """So the accuracy of the default choice is measured once, and not again for the first trial."""
    given = RunOptions(backend_options={"level": "all", "arena": "no"})
    assert SPACE.without_defaults(given) == RunOptions(backend_options={"arena": "no"})
    torch = RunOptions(backend="torch", backend_options={"pinning": "yes"})
    assert SPACE.without_defaults(torch) == torch
