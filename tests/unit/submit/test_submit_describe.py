"""System descriptions: no prompts; required input is marked, kept and checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ck_repo.rounds.round import load_round

Ck = Callable[..., Any]
USER_INPUT = ("--submitter=Us", "--division=open", "--status=available", "--system-type=edge")


def describe(ck: Ck, path: Path, *words: str) -> Any:
    return ck("describe", "system:mine", f"--output={path}", *words, "--out=json")


def test_description_has_every_key_of_the_rules_in_order(ck: Ck, tmp_path: Path) -> None:
    describe(ck, tmp_path / "s.json")
    content = json.loads((tmp_path / "s.json").read_text())
    rules = load_round().submission
    assert list(content) == [*rules.system_required, *rules.system_keys]
    assert content["host_processor_core_count"] >= 1
    assert content["host_memory_capacity"].endswith(" GB")
    assert content["operating_system"]


def test_required_user_input_is_marked_and_reported(ck: Ck, tmp_path: Path) -> None:
    answer = describe(ck, tmp_path / "s.json")
    assert answer.code == 10
    marked = {key for key, value in answer.json["dict"].items() if str(value).startswith("ADD: ")}
    assert marked >= {"division", "submitter", "status", "system_type"}
    expected = " ".join(row["expected"] for row in answer.json["findings"])
    assert all(key in expected for key in marked)
    assert all(row["line"] for row in answer.json["findings"])


def test_only_hidden_machine_details_remain(ck: Ck, tmp_path: Path) -> None:
    answer = describe(ck, tmp_path / "s.json", *USER_INPUT)
    left = {row["expected"].split(":")[0] for row in answer.json.get("findings", [])}
    assert left <= {"framework", "host_storage_capacity", "host_storage_type", "host_memory_capacity"}
    assert answer.code == (10 if left else 0)


def test_user_input_is_kept_and_errors_are_found(ck: Ck, tmp_path: Path) -> None:
    describe(ck, tmp_path / "s.json", *USER_INPUT)
    content = json.loads((tmp_path / "s.json").read_text())
    content |= {"cooling": "a fan", "framework": "mine 1.0", "number_of_nodes": "a few"}
    (tmp_path / "s.json").write_text(json.dumps(content))
    answer = describe(ck, tmp_path / "s.json")
    assert (answer.json["dict"]["cooling"], answer.json["dict"]["framework"]) == ("a fan", "mine 1.0")
    assert [row["seen"] for row in answer.json["findings"] if "number_of_nodes" in row["expected"]] == ["'a few'"]


def test_invalid_file_is_not_overwritten(ck: Ck, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("my notes")
    assert describe(ck, tmp_path / "s.json").code == 3
    assert (tmp_path / "s.json").read_text() == "my notes"
