"""Engine and harness agree on spec.json and results.json: every field round-trips with a value of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from itertools import count
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from object_detection.contract import record as their_record
from object_detection.contract import results as their_results
from object_detection.contract import spec as their_spec
from object_detection.errors import HarnessError
from object_detection.spec import read_spec

from ck_repo.contract import record, results, spec

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "program" / "object-detection"
PARTS = ("spec.Spec", "results.Results")
OURS, THEIRS = {"spec": spec, "results": results}, {"spec": their_spec, "results": their_results}


def kind(side: Mapping[str, Any], part: str) -> Any:
    """A dataclass of the engine or the harness."""
    module, name = part.split(".")
    return getattr(side[module], name)


def filled(wanted: Any, numbers: Iterator[int]) -> Any:
    """An instance with a distinct value, never the default, in every field."""
    values = {}
    for each, hint in typed(wanted):
        if not each.metadata.get("transient"):
            values[each.name] = {"unheard-of": next(numbers)} if each.metadata.get("others") else value(hint, each, numbers)
    return wanted(**values)


def typed(wanted: Any) -> list[tuple[Field[Any], Any]]:
    hints = get_type_hints(wanted)
    return [(each, hints[each.name]) for each in fields(wanted)]


def value(hint: Any, each: Field[Any], numbers: Iterator[int]) -> Any:
    number = next(numbers)
    if get_origin(hint) is UnionType:
        hint = next(part for part in get_args(hint) if part is not type(None))
    if is_dataclass(hint):
        return filled(hint, numbers)
    if get_origin(hint) is tuple:
        return tuple(value(get_args(hint)[0], each, numbers) for _ in range(2))
    if get_origin(hint) is Mapping:
        return {f"key {number}": value(get_args(hint)[1], each, numbers)}
    if hint is bool:
        return each.default is not True  # a flag has only one value that is not the default
    if each.name == "version" and hint is int:
        return spec.VERSION
    plain = {str: f"text {number}", Path: Path(f"/folder/{number}"), int: number, float: number + 0.5, Any: [number]}
    return plain[hint]


def leaves(content: Any) -> Iterator[Any]:
    for each in content.values() if isinstance(content, dict) else content if isinstance(content, list) else [content]:
        yield from leaves(each) if isinstance(each, dict | list) else [each]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("there", [True, False], ids=["engine to harness", "harness to engine"])
def test_every_field_round_trips(part: str, there: bool) -> None:
    writer, reader = ((OURS, record), (THEIRS, their_record))[:: 1 if there else -1]
    sent = filled(kind(writer[0], part), count(1))
    text = json.dumps(writer[1].write(sent))
    arrived = reader[1].read(kind(reader[0], part), json.loads(text))
    assert reader[1].write(arrived) == json.loads(text)
    assert [each.name for each in fields(sent)] == [each.name for each in fields(arrived)]
    assert repr(arrived) == repr(sent)


@pytest.mark.parametrize("part", PARTS)
def test_test_values_are_distinct(part: str) -> None:
    content = json.loads(json.dumps(record.write(filled(kind(OURS, part), count(100)))))
    values = [each for each in leaves(content) if not isinstance(each, bool)]
    assert len(set(map(str, values))) == len(values) >= 30
    assert None not in values


def test_harness_reads_complete_spec_file(tmp_path: Path) -> None:
    sent = filled(spec.Spec, count(1))
    sent = replace(sent, loadgen=replace(sent.loadgen, percentile=0.25))  # all others are within their bounds
    (tmp_path / "spec.json").write_text(json.dumps(record.write(sent)))
    assert repr(read_spec(tmp_path / "spec.json")) == repr(replace(sent, folder=tmp_path))


@pytest.mark.parametrize("part", ["model", "dataset", "loadgen", "loadgen_built"])
def test_unknown_setting_is_rejected_by_harness(tmp_path: Path, part: str) -> None:
    """An ignored setting would change the requested run."""
    sent = filled(spec.Spec, count(1))
    content: dict[str, Any] = record.write(replace(sent, loadgen=replace(sent.loadgen, percentile=0.25)))
    content[part]["unheard_of"] = 1
    (tmp_path / "spec.json").write_text(json.dumps(content))
    with pytest.raises(HarnessError, match=rf"{part}\.unheard_of is 1, not a known key"):
        read_spec(tmp_path / "spec.json")


def test_harness_copy_is_identical() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/make_contract.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_harness_copy_needs_only_standard_library() -> None:
    code = "import sys, object_detection.contract.spec, object_detection.contract.results; print('numpy' in sys.modules)"
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, cwd=PROGRAM, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
