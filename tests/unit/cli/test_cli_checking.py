"""Arguments are checked against what the action declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.actions.declare import Action, Answer, Option
from ck_repo.cli.checking import checked_options
from ck_repo.errors import NotFoundError, UsageError, did_you_mean

Ck = Callable[..., Any]  # the fixture `ck`

_ACTION = Action(
    "do",
    "does",
    "ck do it",
    lambda request: Answer(),
    options=(
        Option("tags", "t"),
        Option("batch-size", "n", kind="integer", minimum=1),
        Option("time", "x", kind="number", minimum=0, above=True),
        Option("force", "f", kind="flag"),
        Option("device", "d", choices=("cpu", "cuda")),
        Option("env", "e", kind="nested"),
        Option("dict", "j", kind="json"),
        Option("record", "r", aliases=("record_uoa",)),
    ),
)


def _checked(**typed: Any) -> dict[str, Any]:
    return checked_options(typed, _ACTION, "do it")


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ({"batch_size": "8"}, {"batch_size": 8}),
        ({"batch_size": 8}, {"batch_size": 8}),
        ({"time": "0.1"}, {"time": 0.1}),
        ({"time": 60}, {"time": 60.0}),
        ({"force": "yes"}, {"force": True}),
        ({"force": "no"}, {"force": False}),
        ({"force": False}, {"force": False}),
        ({"force": "On"}, {"force": True}),
        ({"device": "cuda"}, {"device": "cuda"}),
        ({"device": "CUDA"}, {"device": "cuda"}),
        ({"tags": ["a", "b"]}, {"tags": "a,b"}),
        ({"env": {"A": "1"}}, {"env": {"A": "1"}}),
        ({"dict": '{"a": 1}'}, {"dict": {"a": 1}}),
        ({"dict": {"a": 1}}, {"dict": {"a": 1}}),
        ({"record_uoa": "x"}, {"record": "x"}),
        ({"quiet": "yes", "out": "json"}, {"quiet": True, "out": "json"}),
    ],
)
def test_values_are_converted_and_names_normalized(typed: dict[str, Any], value: dict[str, Any]) -> None:
    assert _checked(**typed) == value


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"batch_size": "0"}, "--batch-size=0: it has to be at least 1"),
        ({"batch_size": "-3"}, "at least 1"),
        ({"batch_size": "1.5"}, "--batch-size=1.5 is not an integer"),
        ({"batch_size": 1.5}, "--batch-size=1.5 is not an integer"),
        ({"batch_size": True}, "is not an integer"),
        ({"batch_size": "many"}, "--batch-size=many is not an integer"),
        ({"batch_size": ""}, "is not an integer"),
        ({"batch_size": "yes"}, "is not an integer"),
        ({"batch_size": float("inf")}, "is not an integer"),
        ({"batch_size": [1]}, "is not an integer"),
        ({"batch_size": "9" * 5000}, "is not an integer"),
        ({"time": "0"}, "--time=0: it has to be more than 0"),
        ({"time": "inf"}, "--time=inf is not a number"),
        ({"time": "nan"}, "--time=nan is not a number"),
        ({"time": "1e999"}, "is not a number"),
        ({"time": "1,5"}, "is not a number"),
        ({"time": None}, "is not a number"),
        ({"time": True}, "is not a number"),
        ({"force": "maybe"}, "--force is a flag and takes no value 'maybe'\nuse --force or --force=no"),
        ({"device": "gpu"}, "--device=gpu is not one of cpu, cuda"),
        ({"device": "cud"}, "did you mean cuda"),
        ({"out": "jsn"}, "--out=jsn is not one of con, json, none\ndid you mean json"),
        ({"env": "1"}, r"--env does not have that form\nuse --env\.KEY=VALUE"),
        ({"tags": {"a": "1"}}, "--tags does not have that form\nuse --tags="),
        ({"force": {"a": "1"}}, "--force does not have that form"),
        ({"dict": "{"}, "--dict is not JSON"),
    ],
)
def test_wrong_value_names_its_option(typed: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        _checked(**typed)


@pytest.mark.parametrize(("typed", "meant"), [("tag", "--tags"), ("batchsize", "--batch-size"), ("quite", "--quiet")])
def test_unknown_option_suggests_nearest(typed: str, meant: str) -> None:
    with pytest.raises(
        NotFoundError, match=f"`ck do it` has no option --{typed}\ndid you mean .*{meant}.*\nsee `ck do it --help`"
    ):
        _checked(**{typed: "1"})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["instal", "package"], "the module 'package' has no action 'instal'\ndid you mean install"),
        (["ls", "pakage"], "there is no module 'pakage'\ndid you mean package"),
        (["install"], "`ck install` needs a module\none of `ck install package`"),
        (["versoin"], "there is no action 'versoin'\ndid you mean version"),
        (["ls", "package", "--tag=x"], "`ck ls package` has no option --tag\ndid you mean --tags"),
        (
            ["search", "package", "--tags", "coco"],
            "does not expect 'coco'\nwrite an option and its value as one word",
        ),
        (["run", "program:object-detecton"], "there is no program:object-detecton\ndid you mean object-detection"),
        (["run", "program:object-detection", "--scenario=ofline"], "did you mean offline"),
        (["run", "program:object-detection", "--count=0"], "--count=0: it has to be at least 1"),
        (["run", "program:object-detection", "--target-qps=nan"], "--target-qps=nan is not a number"),
        (["help", "venvs"], "there is no module 'venvs'\ndid you mean venv"),
    ],
)
def test_mistyped_command_suggests_nearest(ck: Ck, words: list[str], message: str) -> None:
    done = ck(*words)
    assert done.code in (2, 16)
    assert message in done.err
    assert done.out == ""


def test_missing_entry_is_not_taken_for_a_module(ck: Ck) -> None:
    assert "env_templates" not in ck("load", "venv:mine").err


def test_nearest_or_first_names_are_suggested() -> None:
    assert did_you_mean("vnev", ["venv", "env"]) == "did you mean venv or env?"
    assert did_you_mean("x", ["aa", "bb"]) == "known: aa, bb"
    assert did_you_mean("x", []) == ""
    assert did_you_mean("x", [f"a{number}" for number in range(15)]).endswith("and 3 more")
