"""The `download` key of a recipe."""

from __future__ import annotations

from typing import Any

import pytest

from ck_repo.errors import ConfigError
from ck_repo.install.source import Source, read_source
from ck_repo.store.fields import Fields

URL = "https://example.org/a/f.bin"


def read(**content: Any) -> Source:
    return read_source(Fields(content, "recipe.json", "install[0].download"))


def test_source_is_read_with_its_mirrors() -> None:
    source = read(url=URL, mirrors=["file:///f.bin"], size=3, sha256="A" * 64)
    assert source == Source((URL, "file:///f.bin"), 3, "a" * 64, "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({}, "recipe.json: install.0..download.url"),
        ({"url": "ftp://example.org/f"}, "not http, https or file"),
        ({"url": URL, "mirrors": ["/local/f"]}, "'/local/f' is not http"),
        ({"url": URL, "sha256": "abc"}, "is not 64 hexadecimal digits"),
        ({"url": URL, "md5": "g" * 32}, "is not 32 hexadecimal digits"),
        ({"url": URL, "size": "3"}, "size is '3', not an integer"),
        ({"url": URL, "sha265": "a" * 64}, "sha265 is not a known key"),
    ],
)
def test_errors_name_their_key(content: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read(**content)
