"""Stock CK's dictionaries, as used in notebooks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ck_repo as ck
from ck_repo import access, network, progress
from ck_repo.actions import kernel as actions
from ck_repo.store.entry import INFO

ROW = {"repo_uoa", "repo_uid", "module_uoa", "module_uid", "data_uoa", "data_uid", "path"}


def done(i: Any) -> dict[str, Any]:
    """The answer, which must not be an error."""
    r = access(i)
    assert r["return"] == 0, r
    return r


@pytest.fixture
def three(ck_home: Path) -> None:
    """Three data sets in two repositories."""
    done({"action": "add", "module_uoa": "repo", "data_uoa": "other", "quiet": "yes"})
    for repository, name, tags in (("", "birds", "small,sky"), ("", "boats", "small,sea"), ("other", "planes", "sky")):
        found = {"repo_uoa": repository, "module_uoa": "dataset", "data_uoa": name, "tags": tags}
        done({"action": "add", **found, "dict": {"count": 3, "by": {"year": {"2020": 1}}}, "data_name": f"Some {name}"})


def names(r: dict[str, Any]) -> list[str]:
    return [row["data_uoa"] for row in r["lst"]]


@pytest.mark.parametrize("action", ["search", "list", "ls", "find"])
def test_list_entries_have_stock_keys(three: None, action: str) -> None:
    r = done({"action": action, "module_uoa": "dataset", "tags": "sky"})
    assert names(r) == ["birds", "planes"]
    assert all(set(row) == ROW for row in r["lst"])
    assert r["lst"][1]["repo_uid"] == done({"action": "find", "module_uoa": "repo", "data_uoa": "other"})["data_uid"]


def test_meta_and_info_are_included_on_request(three: None) -> None:
    r = done({"action": "search", "module_uoa": "dataset", "tags": "sea", "add_meta": "yes", "add_info": "yes"})
    (row,) = r["lst"]
    assert row["meta"] == {"count": 3, "by": {"year": {"2020": 1}}, "tags": ["small", "sea"]}
    assert (row["data_name"], row["info"]["backup_module_uoa"]) == ("Some boats", "dataset")


def test_unreadable_info_does_not_hide_other_entries(three: None, capsys: pytest.CaptureFixture[str]) -> None:
    broken = Path(done({"action": "find", "module_uoa": "dataset", "data_uoa": "birds"})["path"])
    (broken / INFO).write_text("{")
    rows = done({"action": "search", "module_uoa": "dataset", "tags": "small", "add_info": "yes"})["lst"]
    assert [row.get("data_name") for row in rows] == [None, "Some boats"]
    assert "is not JSON" in capsys.readouterr().err


def test_load_has_dict_info_path_and_names(three: None, ck_home: Path) -> None:
    r = done({"action": "load", "module_uoa": "dataset", "data_uoa": "planes"})
    assert r["dict"]["tags"] == ["sky"]
    assert r["info"]["data_name"] == r["data_name"] == "Some planes"
    assert r["path"] == str(ck_home / "CK/other/dataset/planes")
    assert (r["path_module"], r["path_repo"]) == (str(ck_home / "CK/other/dataset"), str(ck_home / "CK/other"))
    assert (r["data_alias"], r["module_alias"], r["repo_alias"]) == ("planes", "dataset", "other")
    assert r["module_uid"] == r["info"]["backup_module_uid"]


@pytest.mark.parametrize(
    "i",
    [
        {"cid": "dataset:boats"}, {"cid": "local:dataset:boats"}, {"cid": "dataset", "data_uoa": "boats"},
        {"module_uoa": "dataset", "data_uoa": "boats", "repo_uoa": "", "out": ""},
        {"module_uoa": "dataset", "data_uoa": "boats", "skip_updates": "yes", "ignore_update": "yes"},
    ],
)  # fmt: skip
def test_ways_to_name_an_entry(three: None, i: dict[str, Any]) -> None:
    before = dict(i)
    assert done({"action": "load", **i})["data_uoa"] == "boats"
    assert i == before


def test_words_and_string_print_like_the_command_line(three: None, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["ls", "dataset:b*"], "ls dataset:b* --quiet", ("ls", "dataset:b*", "out=con")):
        assert names(done(words)) == ["birds", "boats"]
        assert capsys.readouterr().out == "birds\nboats\n"
    assert names(done("ls dataset:b* out=none")) == ["birds", "boats"]
    assert done({"action": "ls", "module_uoa": "dataset"})
    assert capsys.readouterr().out == ""
    assert done({"action": "ls", "module_uoa": "dataset", "out": "con", "all": "yes"})
    assert capsys.readouterr().out.splitlines()[0] == "local:dataset:birds"
    r = done({"action": "ls", "module_uoa": "dataset", "out": "json"})
    assert json.loads(capsys.readouterr().out) == r


def test_names_in_a_list(three: None, capsys: pytest.CaptureFixture[str]) -> None:
    r = done("search dataset --tags=sea --print_name --print_uid")
    assert capsys.readouterr().out == f"Some boats (dataset:boats ({r['lst'][0]['data_uid']}))\n"
    assert done({"action": "search", "module_uoa": "dataset", "limit_size": 2})["timed_out"] == "yes"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"count": 3}, ["birds", "boats", "planes"]), ({"count": "3"}, []), ({"count": True}, []),
        ({"tags": ["sea"]}, ["boats"]), ({"tags": ["sky", "small"]}, ["birds"]), ({"tags": "sea"}, []),
        ({"by": {"year": {"2020": 1}}}, ["birds", "boats", "planes"]), ({"by": {"year": {"2021": 1}}}, []),
        ({"by": {"year": 1}}, []), ({"tags": {"sea": 1}}, []), ({}, ["birds", "boats", "planes"]),
    ],
)  # fmt: skip
def test_search_by_meta_content(three: None, wanted: dict[str, Any], found: list[str]) -> None:
    assert names(done({"action": "search", "module_uoa": "dataset", "search_dict": wanted})) == found


def test_search_by_meta_content_ignoring_case(three: None) -> None:
    done({"action": "update", "cid": "dataset:boats", "dict": {"by": {"who": "Ann"}}})
    i = {"action": "search", "module_uoa": "dataset", "tags": "small", "search_dict": {"by": {"who": "ann"}}}
    assert names(done(i)) == []
    assert names(done({**i, "ignore_case": "yes"})) == ["boats"]
    assert names(done("search dataset --search_dict.by.who=Ann")) == ["boats"]
    assert access({**i, "search_dict": "ann"})["return"] == 2


@pytest.mark.parametrize("module", ["dataset", "package"])
def test_search_limit(three: None, module: str) -> None:
    i = {"action": "search", "module_uoa": module, "limit_size": "2"}
    assert (len(done(i)["lst"]), done(i)["timed_out"]) == (2, "yes")
    for everything in ("-1", 0, 5000):
        assert len(done({**i, "limit_size": everything})["lst"]) > 2
    named = done({"action": "search", "module_uoa": "package", "search_dict": {"name": "NumPy"}})
    assert names(named) == ["lib-numpy"]


def test_load_has_other_files_of_entry(three: None) -> None:
    r = done({"action": "load", "cid": "dataset:boats"})
    assert r["path_info"] == f"{r['path']}/.cm/info.json"
    assert not {"desc", "path_desc"} & set(r)
    for name in ("desc", "updates"):
        Path(r["path"], f".cm/{name}.json").write_text(f'{{"a": "{name}"}}')
    r = done({"action": "load", "cid": "dataset:boats"})
    assert (r["desc"], r["path_desc"]) == ({"a": "desc"}, f"{r['path']}/.cm/desc.json")
    assert (r["updates"], r["path_updates"]) == ({"a": "updates"}, f"{r['path']}/.cm/updates.json")


def test_names_can_be_listed() -> None:
    assert {"access", "api", "kernel", "load_json_file", "__version__"} <= set(dir(ck))
    assert {"access", "search", "load", "add"} <= set(dir(ck.kernel))
    for name in dir(ck):
        getattr(ck, name)


def test_answer_to_file(three: None, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    r = done({"action": "load", "cid": "dataset:boats", "out": "json_file", "out_file": str(file)})
    assert json.loads(file.read_text()) == r
    (tmp_path / "file").touch()
    r = access({"action": "load", "cid": "dataset:boats", "out": "json_file", "out_file": str(tmp_path / "file" / "f")})
    assert r["return"] == 8
    assert access({"action": "load", "cid": "dataset:boats", "out": "json_file"})["return"] == 2


@pytest.mark.parametrize(
    ("i", "code", "part"),
    [
        ({"action": "load", "module_uoa": "dataset", "data_uoa": "bots"}, 16, "boats"),
        ({"action": "load", "module_uoa": "datset", "data_uoa": "boats"}, 16, "dataset"),
        ({"action": "laod", "module_uoa": "dataset"}, 16, "load"),
        ({"action": "load", "module_uoa": "dataset"}, 2, "name of one entry"),
        ({"action": "search", "module_uoa": "dataset", "tgas": "sky"}, 16, "--tags"),
        ({"action": "search", "cid": "a:b:c:d"}, 2, "too many colons"),
        ({"action": "search", "module_uoa": "dataset", "out": "xml"}, 2, "json_file"),
        ({"action": "cp", "cids": ["dataset:x"]}, 2, "no first one"),
        ({"action": "cp", "cid": "dataset:boats", "xcids": ["x"]}, 2, "not a dictionary"),
        ("load dataset:bots", 16, "boats"),
        (["ls", "@nowhere.json"], 2, "cannot be read"),
        (7, 2, "not int"),
    ],
)  # fmt: skip
def test_errors_are_returned(three: None, i: Any, code: int, part: str) -> None:
    r = access(i)
    assert r["return"] == code
    assert part in r["error"]


def test_error_is_printed_for_words_and_not_for_dictionaries(ck_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    access("load nonesuch:x")
    assert "ck: error: there is no module 'nonesuch'" in capsys.readouterr().err
    access({"action": "load", "module_uoa": "nonesuch", "data_uoa": "x"})
    assert capsys.readouterr() == ("", "")


def test_internal_errors_are_returned_and_interrupts_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(error: BaseException) -> None:
        def run(request: Any) -> Any:
            raise error

        row = actions.ACTIONS["version"]
        monkeypatch.setitem(actions.ACTIONS, "version", type(row)(row.name, row.summary, row.example, run))

    put(ValueError("odd"))
    assert access({"action": "version"})["error"].startswith("ValueError: odd")
    put(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        access({"action": "version"})


def test_entries_are_written_copied_moved_renamed_and_removed(three: None) -> None:
    r = done({"action": "update", "cid": "dataset:boats", "dict": {"by": {"year": {"2021": 2}}}, "tags": "lake"})
    assert r["dict"] == {"count": 3, "by": {"year": {"2020": 1, "2021": 2}}, "tags": ["small", "sea", "lake"]}
    assert done({"action": "add", "cid": "dataset:boats", "update": "yes", "dict": {"count": 4}})["dict"]["count"] == 4
    assert access({"action": "add", "cid": "dataset:boats"})["return"] == 4
    copy = done({"action": "cp", "cid": "dataset:boats", "new_data_uoa": "ships", "new_repo_uoa": "other"})
    assert (copy["repo_uoa"], copy["data_uoa"], copy["dict"]["count"]) == ("other", "ships", 4)
    moved = done({"action": "mv", "cid": "dataset:ships", "new_data_uoa": "ferries", "new_repo_uoa": "local"})
    assert (moved["data_uid"], moved["repo_uoa"]) == (copy["data_uid"], "local")
    done({"action": "ren", "cid": "dataset:ferries", "new_data_uoa": "rafts"})
    done({"action": "rm", "module_uoa": "dataset", "data_uoa": "rafts", "force": "yes"})
    assert names(done({"action": "ls", "module_uoa": "dataset"})) == ["birds", "boats", "planes"]


def test_options_nest_either_way(ck_home: Path) -> None:
    for more in ({"env.CK_LOADGEN_SCENARIO": "Server"}, {"env": {"CK_LOADGEN_SCENARIO": "Server"}}):
        r = done({"action": "explain", "cid": "program:object-detection", "target_qps": 5, **more})
        assert r["loadgen"]["target_qps"] == 5


def test_process_state_is_unchanged(ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = progress._sink
    done({"action": "ls", "module_uoa": "package", "offline": "yes"})
    done("ls package --offline")
    assert not network.is_offline()
    assert progress._sink is before


def test_kernel_aliases(three: None) -> None:
    assert names(ck.search({"module_uoa": "dataset", "tags": "sea"})) == ["boats"]
    assert ck.load({"module_uoa": "dataset", "data_uoa": "boats"})["dict"]["count"] == 3
    with pytest.raises(AttributeError, match="configuration is not read"):
        ck.cfg  # noqa: B018
    with pytest.raises(AttributeError, match="'nonesuch' of stock CK's kernel"):
        ck.nonesuch  # noqa: B018


def test_importing_package_loads_nothing() -> None:
    code = "import sys, ck_repo; print([name for name in sys.modules if name.startswith('ck_repo')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "['ck_repo']\n"
    code = "import sys; from ck_repo import network; print('ck_repo.kernel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
