"""A misspelt key of a package is rejected with the nearest one; an author's own and stock CK's keys are accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.errors import ConfigError
from ck_repo.resolve.component import read_component
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]  # the fixture `ck`
STEP = {"copy": {"file": "model.onnx"}}


def _package(**meta: Any) -> Entry:
    return create_entry(Repositories().writable(), "package", "mine", {"tags": ["mine"], "install": [STEP], **meta})


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"variatons": {}}, "variatons is not a known key; did you mean variations?"),
        ({"model": {"format": "onnx", "max_bach": 1}}, "model.max_bach is not a known key; did you mean max_batch?"),
        ({"deps": {"numpy": {"tag": "numpy"}}}, "deps.numpy.tag is not a known key; did you mean tags?"),
        ({"variations": {"a": {"defualt": True}}}, "variations.a.defualt is not a known key; did you mean default?"),
        (
            {"variations": {"a": {"changes": {"modle": {}}}}},
            "variations.a.changes.modle is not a known key; did you mean model?",
        ),
        ({"install": [{"download": {"url": "https://a.org/b", "sha265": "0"}}]}, "did you mean sha256?"),
        (
            {"install": [{"downlaod": {"url": "https://a.org/b"}}]},
            "install[0].downlaod is not a known key; did you mean download?",
        ),
        ({"dataset": {"image": "x"}}, "did you mean images?"),
    ],
)
def test_misspelt_key_suggests_nearest(meta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_component(_package(**meta))
    assert message in caught.value.what
    assert "meta.json" in caught.value.what


def test_author_and_stock_keys_are_allowed() -> None:
    stock = {"suggested_path": "a", "customize": {"version": "1"}, "use_scripts_from_another_entry": {}}
    model = {"format": "onnx", "x-paper": "1512.02325", "side": 300, "score_above": 0.1}
    deps = {"numpy": {"tags": "numpy", "local": "yes", "sort": 10, "x-why": "speed"}}
    component = read_component(_package(**stock, model=model, deps=deps, **{"x-lab": "ours"}))
    assert component.name == "mine"


def test_install_reports_the_key(ck: Ck) -> None:
    _package(variatons={})
    done = ck("install", "package:mine", "--dry-run")
    assert done.code != 0
    assert "did you mean variations?" in done.err
