"""Options of backends: declaration, values and checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_benchmark import add_backend, switch, toy_benchmark

from ck_repo.errors import ConfigError, UsageError
from ck_repo.models.backend_options import check_options, read_options
from ck_repo.models.backends import own_backends
from ck_repo.store.fields import Fields
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load


def declared(**row: Any) -> Fields:
    return Fields({"options": {"depth": {"help": "how deep", **row}}}, "toy.py")


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"values": ["a"], "maximum": 3},
        {"values": "a"},
        {"values": ["a"], "search": ["b"]},
        {"values": ["a"], "default": "b"},
        {"maximum": 3, "search": ["4"]},
        {"values": ["a"], "valeus": ["b"]},
    ],
)
def test_contradictory_declaration_is_rejected(row: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"toy\.py"):
        read_options(declared(**row))


def test_value_must_be_declared() -> None:
    options = read_options(declared(minimum=2, maximum=8))
    check_options("toy", options, {"depth": "8"})
    for value in ("1", "9", "x", "-2", "3.0", ""):
        with pytest.raises(UsageError, match="is not one of 2 to 8"):
            check_options("toy", options, {"depth": value})
    with pytest.raises(UsageError, match="has no option 'dept'") as caught:
        check_options("toy", options, {"dept": "2"})
    assert "depth" in caught.value.hint


def test_every_backend_declares_readable_options() -> None:
    assert {name for name, row in own_backends().items() if row.options} >= {"onnxruntime", "openvino", "tflite", "torch"}


def test_command_line_accepts_backend_and_options(ck: Callable[..., Any]) -> None:
    words = ("run", "program:object-detection", "--dry-run", "--backend=onnxruntime")
    assert ck(*words, "--backend.graph_level=basic").code == 0
    done = ck(*words, "--backend.graph_levle=basic")
    assert done.code == 2
    assert "the backend onnxruntime has no option 'graph_levle'" in done.err
    assert "graph_level" in done.err
    done = ck(*words, "--backend.spinning=maybe")
    assert "--backend.spinning=maybe is not one of yes, no" in done.err


def test_backend_without_declared_options_accepts_none(ck: Callable[..., Any]) -> None:
    toy_benchmark()
    done = ck("run", "program:toy-bench", "--trust", "--backend.depth=2", "--out=json")
    assert "the backend toy has no option 'depth'" in done.json["error"]


def test_backend_options_are_recorded_and_passed_on(ck: Callable[..., Any]) -> None:
    """The harness gets them in spec.json; the experiment and a replay have them."""
    add_backend(toy_benchmark(), "quick", options={"depth": {"help": "how deep", "maximum": 8}, "boost": switch()})
    words = ("--backend=quick", "--backend.depth=2", "--backend.boost=yes", "--out=json")
    done = ck("run", "program:toy-bench", "--trust", *words)
    entry = load(Repositories(), "experiment", done.json["experiment"]["uid"])
    options = {"depth": "2", "boost": "yes"}
    assert entry.meta()["options"]["backend_options"] == options
    assert json.loads((entry.path / "spec.json").read_text())["backend_options"] == options
    assert json.loads((entry.path / "lock.json").read_text())["options"]["backend_options"] == options


def test_sweep_varies_backend_options(ck: Callable[..., Any]) -> None:
    """The option doubles the speed of the backend, which is 33 samples/s."""
    add_backend(toy_benchmark(), "quick", options={"boost": switch(), "depth": {"help": "how deep", "maximum": 8}})
    words = ("--backend=quick", "--backend.depth=2", "--over.backend.boost=no,yes", "--name=mine", "--out=json")
    done = ck("sweep", "program:toy-bench", "--trust", *words)
    speeds = {row["values"]["backend_options.boost"]: row["value"] for row in done.json["rows"]}
    assert speeds == {"no": pytest.approx(33.0), "yes": pytest.approx(66.0)}
    recorded = [
        load(Repositories(), "experiment", each["uid"]).meta()["options"]["backend_options"]
        for row in done.json["rows"]
        for each in row["experiments"]
    ]
    assert sorted(recorded, key=str) == [{"boost": "no", "depth": "2"}, {"boost": "yes", "depth": "2"}]


def test_value_with_keys_is_rejected_where_only_one_is_allowed(ck: Callable[..., Any]) -> None:
    for words in (("--scenario=offline", "--scenario.x=1"), ("--env.A=1", "--env.A.B=2"), ("--env.A=1", "--env=2")):
        done = ck("run", "program:object-detection", "--dry-run", *words)
        assert done.code == 2
        assert "has a value and keys" in done.err


def test_page_lists_every_declared_option() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tune.md").read_text(encoding="utf-8")
    for backend in own_backends().values():
        for number, option in enumerate(backend.options.values()):
            first = f"`{backend.name}`" if number == 0 else ""
            row = " | ".join((first, f"`{option.name}`", option.allowed, ", ".join(option.search), option.help)).strip()
            squeezed = [" ".join(line.split()) for line in page.splitlines()]
            assert " ".join(f"| {row if first else '| ' + row.removeprefix('| ')} |".split()) in squeezed, row
