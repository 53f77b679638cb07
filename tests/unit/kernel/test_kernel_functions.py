"""Functions of stock's kernel that programs use: files, values, console."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ck_repo.kernel as ck


def test_json_round_trip(tmp_path: Path) -> None:
    file = str(tmp_path / "a.json")
    assert ck.save_json_to_file({"json_file": file, "dict": {"b": 1, "a": [None, "ü"]}, "sort_keys": "yes"}) == {"return": 0}
    assert Path(file).read_text(encoding="utf-8").index('"a"') < Path(file).read_text(encoding="utf-8").index('"b"')
    assert ck.load_json_file({"json_file": file}) == {"return": 0, "dict": {"b": 1, "a": [None, "ü"]}}
    ck.save_json_to_file({"json_file": file, "dict": {"a": 1, "b": object()}, "safe": "yes"})
    assert ck.load_json_file({"json_file": file})["dict"] == {"a": 1}


@pytest.mark.parametrize(
    ("function", "i", "code", "part"),
    [
        (ck.load_json_file, {"json_file": "/nowhere/a.json"}, 16, "does not exist"),
        (ck.load_json_file, {}, 1, "needs the key 'json_file'"),
        (ck.load_text_file, {"text_file": "/nowhere/a"}, 16, "/nowhere/a"),
        (ck.save_json_to_file, {"json_file": "/nowhere/a", "dict": {"a": object()}}, 1, "JSON"),
        (ck.list_all_files, {"path": "/nowhere"}, 16, "/nowhere"),
        (ck.parse_cid, {"cid": "alone"}, 1, "is not a valid name"),
        (ck.parse_cid, {"cid": "a:b:c:d"}, 2, "too many colons"),
    ],
)
def test_failures_are_returned(function: Any, i: dict[str, Any], code: int, part: str) -> None:
    r = function(i)
    assert r["return"] == code
    assert part in r["error"]


def test_broken_files_are_returned_as_errors(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"{\xff: [")
    name = str(tmp_path / "a")
    for function, key in ((ck.load_json_file, "json_file"), (ck.load_yaml_file, "yaml_file"), (ck.load_text_file, "text_file")):
        assert function({key: name})["return"] == 1


def test_yaml_round_trip(tmp_path: Path) -> None:
    file = str(tmp_path / "a.yaml")
    assert ck.save_yaml_to_file({"yaml_file": file, "dict": {"a": [1, {"b": "c"}]}}) == {"return": 0}
    assert ck.load_yaml_file({"yaml_file": file})["dict"] == {"a": [1, {"b": "c"}]}


def test_text_as_lines_and_pairs(tmp_path: Path) -> None:
    file = str(tmp_path / "a.txt")
    ck.save_text_file({"text_file": file, "string": 'x = "1"\r\n'})
    ck.save_text_file({"text_file": file, "string": "y = a = b\nnothing\n", "append": "yes"})
    i = {"text_file": file, "convert_to_dict": "yes", "str_split": "=", "remove_quotes": "yes", "delete_after_read": "yes"}
    r = ck.load_text_file(i)
    assert r["dict"] == {"x": "1", "y": "a = b"}
    assert r["lst"][0] == 'x = "1"'
    assert not Path(file).exists()


def test_files_below_folder(tmp_path: Path) -> None:
    for name in ("a.txt", "sub/b.json", ".cm/meta.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("12")
    assert ck.list_all_files({"path": str(tmp_path)})["list"] == {"a.txt": {"size": 2}, "sub/b.json": {"size": 2}}
    assert list(ck.list_all_files({"path": str(tmp_path), "all": "yes", "pattern": "*.json"})["list"]) == [
        ".cm/meta.json", "sub/b.json",
    ]  # fmt: skip
    assert ck.list_all_files({"path": str(tmp_path), "limit": 1})["number"] == "1"


def test_temporary_name_is_unused() -> None:
    name = ck.gen_tmp_file({"prefix": "a-", "suffix": ".json"})["file_name"]
    assert not Path(name).exists()
    assert Path(name).name.startswith("a-")
    assert "/" not in ck.gen_tmp_file({"remove_dir": "yes"})["file_name"]


def test_uids_and_names() -> None:
    assert ck.is_uid(ck.gen_uid({})["data_uid"])
    assert [ck.is_uoa(text) for text in ("a", "a*", "a?", "#a")] == [True, False, False, False]
    assert ck.parse_cid({"cid": "r:m:e"}) == {"return": 0, "repo_uoa": "r", "module_uoa": "m", "data_uoa": "e"}
    assert ck.parse_cid({"cid": "alone", "ignore_error": "yes"}) == {"return": 0}


def test_dictionaries_are_merged_and_keys_moved() -> None:
    one: dict[str, Any] = {"a": {"b": 1}, "l": [1], "x": 1}
    assert ck.merge_dicts({"dict1": one, "dict2": {"a": {"c": 2}, "l": [2], "x": {"y": 1}}})["dict1"] is one
    assert one == {"a": {"b": 1, "c": 2}, "l": [2], "x": {"y": 1}}
    ck.merge_dicts({"dict1": one, "dict2": {"l": [3]}, "append_lists": "yes"})
    assert one["l"] == [2, 3]
    moved: dict[str, Any] = {"e_n": 5}
    assert ck.get_from_dicts(one, "x", None, moved) == {"y": 1}
    assert (moved["x"], "x" in one) == ({"y": 1}, False)
    assert ck.get_from_dicts({}, "n", 0, moved, "e_") == 5
    assert ck.get_from_dicts({}, "n", 0, None) == 0


def test_flat_keys() -> None:
    found: dict[str, Any] = {"plain": 1}
    for key, value in (("##a#b", 1), ("##list@2#name", "third"), ("##list@0", "first"), ("new", 2)):
        ck.set_by_flat_key({"dict": found, "key": key, "value": value})
    assert found == {"plain": 1, "a": {"b": 1}, "list": ["first", None, {"name": "third"}], "new": 2}


def test_console(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ck.out("grün")
    with pytest.raises(SystemExit) as stopped:
        ck.err({"return": 16, "error": "nothing there"})
    assert stopped.value.code == 16
    with pytest.raises(KeyboardInterrupt):
        ck.jerr({"return": 1, "error": "stop"})
    assert capsys.readouterr().out == "grün\nError: nothing there\nError: stop\n"
    monkeypatch.setattr("builtins.input", lambda text: "yes")
    assert ck.inp({"text": "sure? "}) == {"return": 0, "string": "yes"}


def test_input_without_terminal_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(text: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert ck.inp({"text": "sure?"})["return"] == 1
