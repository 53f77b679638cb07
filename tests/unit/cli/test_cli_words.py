"""CK's grammar: how a command line is parsed, and which ones are rejected."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ck_repo.actions.request import Target
from ck_repo.cli.words import parse
from ck_repo.errors import CKError, UsageError


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("program", Target("program")),
        ("program:object-detection", Target("program", "object-detection")),
        ("local:venv:*", Target("venv", "*", "local")),
        (":venv:a", Target("venv", "a")),
        ("032630d041b4fd8a:5e1100048ab875d7", Target("032630d041b4fd8a", "5e1100048ab875d7")),
        ("repo:octoml@venv", Target("repo", "octoml@venv")),
        ("all", Target("repo", "*")),
    ],
)
def test_module_entry_and_repository(word: str, target: Target) -> None:
    words = parse(["pull", word])
    assert (words.action, words.targets) == ("pull", [target])


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        (["--tags=a,b"], {"tags": "a,b"}),
        (["tags=a,b"], {"tags": "a,b"}),
        (["-tags=a"], {"tags": "a"}),
        (["--quiet"], {"quiet": "yes"}),
        (["--tags="], {"tags": ""}),
        (["--version=>=1.17,<2"], {"version": ">=1.17,<2"}),
        (["--dry-run", "--target-qps=5"], {"dry_run": "yes", "target_qps": "5"}),
        (["--dry_run"], {"dry_run": "yes"}),
        (["--env.EXTRA_OPS=--time 60 --qps 200"], {"env": {"EXTRA_OPS": "--time 60 --qps 200"}}),
        (["--env.A-B=1", "env.C=2"], {"env": {"A-B": "1", "C": "2"}}),
        (["--dict.a.b.c=1", "--dict.a.d=2"], {"dict": {"a": {"b": {"c": "1"}, "d": "2"}}}),
        (["--dep_add_tags.weights=ssd-mobilenet"], {"dep_add_tags": {"weights": "ssd-mobilenet"}}),
        (["--a=1", "--a=2"], {"a": "2"}),
        (["-h"], {"help": "yes"}),
        (['@@@{"tags": ["a"], "dry-run": true}'], {"tags": ["a"], "dry_run": True}),
        (['@@@{"env": {"A": 1}}', "--env.B=2"], {"env": {"A": 1, "B": "2"}}),
        (["--env.B=2", '@@@{"env": {"A": 1}}'], {"env": {"A": 1, "B": "2"}}),
    ],
)
def test_options(typed: list[str], options: dict[str, Any]) -> None:
    assert parse(["run", "program:x", *typed]).options == options


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"tags": "x", "env": {"A": 1}}'),
        ("a.yaml", "tags: x\nenv:\n  A: 1\n"),
        ("a.yml", "{tags: x, env: {A: 1}}"),
        ("no-ending", '{"tags": "x", "env": {"A": 1}}'),
    ],
)
def test_options_from_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    words = parse(["run", f"@{tmp_path / name}", "--env.B=2", "program:x"])
    assert words.options == {"tags": "x", "env": {"A": 1, "B": "2"}}
    assert words.targets == [Target("program", "x")]


def test_words_after_double_dash_are_kept() -> None:
    words = parse(["activate", "venv:x", "--print", "--", "python", "--version", "--", "@x"])
    assert words.rest == ("python", "--version", "--", "@x")
    assert words.options == {"print": "yes"}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["a:b:c:d"], "'a:b:c:d' has too many colons\nwrite module:entry"),
        (["--=1"], "is not an option"),
        (["-"], "is not an option"),
        (["--env.=1"], "--env. is not an option"),
        (["=1"], "is not an option"),
        (["@@@{"], "the JSON after @@@ is not JSON: .* at line 1, column 2"),
        (["@@@[1]"], "the JSON after @@@ is not an object"),
        (["@/nowhere/a.json"], "@/nowhere/a.json cannot be read"),
        (["@"], "cannot be read"),
        (['@@@{"a": ' + "9" * 5000 + "}"], "the JSON after @@@ cannot be read as JSON"),
        (['@@@{"a": ' + "[" * 100_000], "the JSON after @@@ cannot be read as JSON"),
    ],
)
def test_meaningless_words_are_rejected(typed: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(["run", *typed])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b'{\n"a": }', "a.json is not JSON: .* line 2, column 6"),
        ("a.json", b"[]", "a.json is not an object"),
        ("a.json", b"\xff", "a.json cannot be read"),
        ("a.yaml", b"a: [", "a.yaml is not YAML"),
        ("a.yaml", b"- a", "a.yaml is not a mapping"),
        ("a.yaml", b"a: !!python/object/apply:os.getcwd []", "a.yaml is not YAML"),
        ("a.yaml", b"when: 2021-99-99", "a.yaml is not YAML"),
    ],
)
def test_corrupt_options_file_is_reported(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CKError, match=words):
        parse(["run", f"@{tmp_path / name}"])


@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "large", "loop", "procfs"])
def test_options_file_must_be_regular_and_bounded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "options.json"
    if kind == "device":
        path = Path("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        with open(path, "wb") as file:
            file.truncate(65 << 20)
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path = Path("/proc/self/mem")
    with pytest.raises(UsageError, match="cannot be read") as caught:
        parse(["run", f"@{path}"])
    assert "64 MiB" in caught.value.hint


def test_options_file_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "real.json").write_text('{"x": 1}')
    (tmp_path / "link.json").symlink_to(tmp_path / "a" / "real.json")
    assert parse(["run", f"@{tmp_path / 'link.json'}"]).options == {"x": 1}


_PIECES = st.sampled_from(["--", "-", "@@@", "@", "=", ".", ":", "{", "}", "[", '"', "a", "env", "1", " ", "all", "\\", "null"])
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
_JSON = st.recursive(
    st.none() | st.floats() | _TEXT, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner), max_leaves=8
)
_WORD = st.lists(_PIECES | _TEXT, max_size=6).map("".join) | _JSON.map(lambda value: "@@@" + json.dumps(value))


@given(st.lists(_WORD, max_size=6))
@example(["a", "--b.c.d=1", '@@@{"b": 1}', "--b.c=2"])
@settings(database=None)
def test_any_input_is_parsed_or_rejected(words: list[str]) -> None:
    with suppress(CKError):
        parsed = parse(words)
        assert all(isinstance(each, Target) for each in parsed.targets)


_NAME = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)


@given(st.dictionaries(_NAME, st.dictionaries(_NAME, _TEXT, min_size=1, max_size=3), max_size=3))
@settings(database=None)
def test_nested_options_round_trip(options: dict[str, dict[str, str]]) -> None:
    typed = [f"--{head}.{key}={value}" for head, row in options.items() for key, value in row.items()]
    assert parse(["run", *typed]).options == options
