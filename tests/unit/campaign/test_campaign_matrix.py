"""What a sweep's words mean, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.campaign.axes import read_axes, read_values
from ck_repo.campaign.definition import read_exclusions, read_file
from ck_repo.campaign.matrix import Matrix
from ck_repo.campaign.pareto import front
from ck_repo.errors import CKError, ConfigError, NotFoundError, UsageError


def test_values_have_type_of_their_option() -> None:
    assert read_values("batch-size", "1, 4") == (1, 4)
    assert read_values("time", "2,2.5") == (2.0, 2.5)
    assert read_values("official", "yes,no") == (True, False)
    assert read_values("model", '["a,b", "c"]') == ("a,b", "c")
    assert read_axes({"dep_add_tags": {"weights": "a,b"}}, "over") == {"added_tags.weights": ("a", "b")}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("batch_sise", "1", "there is no run option 'batch_sise'"),
        ("batch_size", "1,x", "batch_size=x is not an integer"),
        ("batch_size", "1,1", "has the value 1 twice"),
        ("batch_size", "", "has no values"),
        ("scenario", "offline,ofline", "scenario=ofline is not one of"),
        ("official", "maybe", "is not yes or no"),
        ("model", "[1", "are not a JSON list"),
        ("model.x", "1", "has no value of its own"),
        ("dep_add_tags", "1", "has no value of its own"),
    ],
)
def test_invalid_axis_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        read_values(name, value)


def test_unknown_option_error_names_nearest_one() -> None:
    with pytest.raises(UsageError) as caught:
        read_values("batch_sise", "1")
    assert "batch_size" in caught.value.hint


def test_cells_are_all_combinations_except_excluded_ones() -> None:
    matrix = Matrix(
        {"scenario": "offline"}, {"threads": (1, 2), "batch_size": (1, 4)}, read_exclusions("threads=2,batch_size=4")
    )
    assert [tuple(cell.values.values()) for cell in matrix.cells()] == [(1, 1), (1, 4), (2, 1)]
    assert {cell.options.scenario for cell in matrix.cells()} == {"offline"}
    assert len({cell.key for cell in matrix.cells()}) == 3


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ("device=cpu", "which is not varied"),
        ("threads=3", "not among its values"),
        ("threads=1|2", "every combination is excluded"),
        ("threads", "is not OPTION=VALUE"),
    ],
)
def test_impossible_exclusion_is_refused(exclude: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Matrix({}, {"threads": (1, 2)}, read_exclusions(exclude)).cells()


def test_file_is_equivalent_to_options(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "name: night\nrepetitions: 3\ntime_limit: 3600\nover:\n  batch_size: [1, 4]\n  official: [yes, no]\n"
        "options: {scenario: server, target-qps: 5}\nexclude:\n  - {batch_size: [4], official: yes}\n"
    )
    found = read_file(path)
    assert found.over == {"batch_size": (1, 4), "official": (True, False)}
    assert found.options == {"scenario": "server", "target_qps": 5.0}
    assert found.exclude == ({"batch_size": (4,), "official": (True,)},)
    assert (found.name, found.repetitions, found.total) == ("night", 3, 3600.0)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ovr: {batch_size: [1]}", "over"),
        ("over: {batchsize: [1]}", "batch_size"),
        ("options: {scenaro: offline}", "scenario"),
        ("exclude: [{threds: 1}]", "threads"),
    ],
)
def test_unknown_key_of_file_error_names_nearest_one(text: str, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_file(path)
    assert hint in caught.value.hint
    assert str(path) in caught.value.what


@pytest.mark.parametrize("text", ["- 1", "over: 3", "repetitions: 0", "repetitions: x", "over: [", "time_limit: -1", "a: *b"])
def test_damaged_file_error_names_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(CKError, match=r"sweep\.yaml"):
        read_file(path)
    with pytest.raises(NotFoundError):
        read_file(tmp_path / "other.yaml")


def test_command_line_options_override_file(ck: Callable[..., Any], program: object, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("over: {batch_size: [1, 4], threads: [1, 2]}\nrepetitions: 5\n")
    words = (f"--file={path}", "--over.threads=2", "--repetitions=1", "--dry-run", "--out=json")
    found = ck("sweep", "program:toy-bench", *words).json
    assert [row["values"] for row in found["cells"]] == [{"batch_size": batch, "threads": 2} for batch in (1, 4)]
    assert found["runs"] == 2


def test_missing_axis_and_axis_that_is_fixed_are_refused(ck: Callable[..., Any], program: object) -> None:
    assert "nothing is varied" in ck("sweep", "program:toy-bench").err
    assert (
        "batch_size has a fixed value and is also varied"
        in ck("sweep", "program:toy-bench", "--over.batch_size=1,2", "--batch-size=4").err
    )


def test_front_has_only_undominated_rows() -> None:
    points = {"a": (3.0, 0.2), "b": (2.0, 0.3), "c": (2.0, 0.25), "d": (1.0, 0.3), "e": (0.5, 0.4), "twin of a": (3.0, 0.2)}
    assert front(points) == {"a", "b", "e", "twin of a"}
