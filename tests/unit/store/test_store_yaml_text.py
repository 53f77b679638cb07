"""Untrusted YAML: plain values, and a limited number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.environment.template import read_template
from ck_repo.errors import ConfigError
from ck_repo.store.entry import Entry
from ck_repo.store.yaml_text import parse_yaml

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


def test_plain_values_and_aliases_are_read() -> None:
    assert parse_yaml("a: &one [1, x]\nb: *one\n") == {"a": [1, "x"], "b": [1, "x"]}
    assert parse_yaml("") is None


@pytest.mark.parametrize("text", [LAUGHS, MERGES, CHAIN], ids=["laughs", "merges", "chain"])
def test_alias_expansion_is_limited(text: str) -> None:
    with pytest.raises(ValueError, match="expand to more than 100000 values"):
        parse_yaml(text)


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "&a {b: *a}", "[" * 5000, "a: " + "9" * 5000, "a: 2026-99-99", "? [a]\n: b", "!!python/name:os.system x",
     "a: !!int x", "\x00", "x" * (1 << 21), "a: 'open", "<<: 5"],
    ids=["itself", "in a mapping", "deep", "long number", "date", "key", "python", "int", "NUL", "long", "open", "merge"],
)  # fmt: skip
def test_invalid_yaml_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- of any of its messages
        parse_yaml(text)


@pytest.mark.parametrize(
    "text", [LAUGHS, MERGES, "description: &a [x, x]\npython: " + "[*a]" * 1, "components: &a {b: *a}", "[" * 5000]
)
def test_template_errors_are_reported(add: Callable[..., Entry], text: str) -> None:
    entry = add("t", module="env_templates")
    (entry.path / "template.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_template(entry)
    assert len(str(caught.value)) < 2000


def test_outside_link_or_device_is_not_read_as_template(add: Callable[..., Entry]) -> None:
    entry = add("t", module="env_templates")
    for target in ("/dev/zero", "/etc/passwd"):
        (entry.path / "template.yaml").unlink(missing_ok=True)
        (entry.path / "template.yaml").symlink_to(target)
        with pytest.raises(ConfigError, match="leads out"):
            read_template(entry)


def _deep(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value, value]
    return value


def test_value_in_message_is_shortened(add: Callable[..., Entry]) -> None:
    from ck_repo.store.fields import Fields

    with pytest.raises(ConfigError) as caught:
        Fields({"a": _deep("x", 60)}, "f").text("a")
    assert len(str(caught.value)) < 2000
