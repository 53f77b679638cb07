"""The function `run` mirrors `ck run` and checks its arguments the same way."""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ck_repo import api, network
from ck_repo.actions import program
from ck_repo.actions.request import Request
from ck_repo.actions.run_options import run_options
from ck_repo.errors import CKError, NotFoundError, RunError, UsageError
from ck_repo.store.entry import Entry

_OTHERWISE = {"time": "seconds", "record_repo": "repository", "dep_add_tags": "dependency_tags"}
# CK's older spellings, output options, options that run or keep nothing, and options of loops
_NOT_TAKEN = {"cmd_key", "env", "print_files", "dry_run", "explain", "repetitions", "no_record", "report", "timings"}
_NOT_TAKEN |= {"shards", "cluster", "certificates", "bundle", "lock"}  # runs on several machines


def test_every_command_option_is_a_keyword() -> None:
    known = program.ACTIONS["run"].options
    options = {option.name.replace("-", "_") for option in known if not option.unused} - _NOT_TAKEN
    keywords = {name for name, row in inspect.signature(api.run).parameters.items() if row.kind is row.KEYWORD_ONLY}
    assert {_OTHERWISE.get(name, name) for name in options} == keywords - {"progress", "offline"}


def test_run_options_match_declarations() -> None:
    script = Path(__file__).resolve().parents[3] / "docs" / "make_api.py"
    page = runpy.run_path(str(script))
    assert page["PAGE"].read_text(encoding="utf-8") == page["page"](), "run: python docs/make_api.py"


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"scenario": "offine"}, UsageError, "did you mean offline"),
        ({"count": 0}, UsageError, "--count=0"),
        ({"seconds": -1.0}, UsageError, "--time=-1"),
        ({"compliance": "TEST99"}, UsageError, "TEST01"),
        ({"model": "no-such-model"}, NotFoundError, "no-such-model"),
        ({"program": "objct-detection"}, NotFoundError, "did you mean object-detection"),
        ({"device": "cuda"}, RunError, "GPU"),
    ],
)
def test_values_are_checked_before_running(options: dict[str, Any], error: type[CKError], part: str, ck_home: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("ck_repo.run.pipeline.has_cuda", lambda: False)
    with pytest.raises(error, match=part):
        api.run(**options)
    assert not (ck_home / "CK-TOOLS").exists()


def test_request_equals_command_line_request(monkeypatch: pytest.MonkeyPatch, recorded: Callable[..., Entry]) -> None:
    seen: list[Request] = []
    entry = recorded("one")

    def run_records(request: Request) -> list[SimpleNamespace]:
        assert network.is_offline()
        seen.append(request)
        return [SimpleNamespace(experiment=entry)]

    monkeypatch.setattr("ck_repo.api.benchmark.run_records", run_records)
    done = api.run(
        "local:program:mine",
        seconds=2,
        tags=["a", "b"],
        record="x",
        target_qps=5,
        dependency_tags={"weights": "tiny"},
        user_conf=Path("user.conf"),
        offline=True,
    )
    assert done.alias == "one"
    assert not network.is_offline()
    assert (seen[0].target.text, seen[0].options["tags"], seen[0].options["record"]) == ("local:program:mine", "a,b", "x")
    options = run_options(seen[0])
    assert (options.seconds, options.target_qps, options.added_tags) == (2.0, 5.0, {"weights": "tiny"})
    assert options.user_conf == "user.conf"
    assert (options.scenario, options.mode, options.device, options.official) == ("offline", "both", "cpu", False)
