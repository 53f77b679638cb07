"""The lock file: it is complete, round-trips, and reports what cannot be read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ck_repo.environment.locked_packages import install_locked_packages
from ck_repo.environment.lockfile import (
    Lock,
    LockedComponent,
    LockedPackage,
    RepositoryState,
    lock_of_experiment,
    parse_lock,
    read_lock,
    write_lock,
)
from ck_repo.errors import ConfigError, NotFoundError
from ck_repo.machine.platform import Platform

LOCK = Lock(
    interpreter={"version": "3.11.7", "implementation": "CPython", "machine": "x86_64"},
    template={"alias": "t", "uid": "0" * 16, "digest": "d"},
    packages={"numpy": LockedPackage("2.1.0", "c" * 64, "py3-none-any"), "bare": LockedPackage("1")},
    components=(
        LockedComponent(
            "weights", "package", "m", "m", "repo", "package", "1" * 16, "e" * 64, ("opset-8",), "k" * 64, {"a": "b"}, "f" * 64,
            "m.onnx", "MIT", ({"urls": ["https://x.example/m.onnx"], "size": 3, "sha256": "f" * 64},), {"numpy": "2.1.0"},
        ),
    ),
    repositories={"repo": RepositoryState(url="u", git=True, commit="c")},
    platform=Platform(cpu="any"),
    options={"count": 3},
)  # fmt: skip


def test_lock_round_trips(tmp_path: Path) -> None:
    write_lock(tmp_path / "lock.json", LOCK)
    assert read_lock(tmp_path / "lock.json") == LOCK


def test_lock_is_readable_and_omits_empty_fields(tmp_path: Path) -> None:
    write_lock(tmp_path / "lock.json", LOCK)
    text = (tmp_path / "lock.json").read_text()
    content = json.loads(text)
    assert content["packages"]["bare"] == {"version": "1"}
    assert "meta" not in content["components"][0]
    assert text.count("\n") > 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "is a lock of format 99; this ck reads formats up to"),
        ({"version": "1"}, "version is '1', not an integer"),
        ({"version": True}, "not an integer"),
        ({"format": "pip-lock"}, "is not a lock"),
        ({"packages": {"numpy": {"version": ""}}}, "packages.numpy.version is None, not a text"),
        ({"packages": {"numpy": {"version": "1", "hash": "x"}}}, "packages.numpy.hash is not a known key"),
        ({"packages": ["numpy"]}, "packages is"),
        ({"interpreter": {"version": "~/CK/local/experiment/mine/evil"}}, "not a version"),
        ({"packages": {"--extra-index-url=http://evil": {"version": "1"}}}, "not the name of a Python package"),
        ({"packages": {"x": {"version": "1 @ http://evil/x.tar.gz"}}}, "not a version"),
        ({"components": [{"content": "../../etc"}]}, "not 64 hexadecimal digits"),
        ({"components": [{"variations": "opset-8"}]}, r"components\[0\].variations"),
    ],
)
def test_lock_errors_are_reported(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_lock({**LOCK.as_data(), **change}, "x.json")


def test_newer_format_says_what_to_do() -> None:
    with pytest.raises(ConfigError) as error:
        parse_lock({**LOCK.as_data(), "version": 2}, "x.json")
    assert "newer ck" in error.value.hint


def test_missing_or_truncated_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        read_lock(tmp_path / "none.json")
    write_lock(tmp_path / "lock.json", LOCK)
    whole = (tmp_path / "lock.json").read_text()
    (tmp_path / "lock.json").write_text(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="is not JSON"):
        read_lock(tmp_path / "lock.json")


def test_experiment_without_lock_is_migrated(tmp_path: Path) -> None:
    meta = {
        "venv": {"name": "v", "template": "t", "python": "3.11.7", "packages": {"numpy": "2.1.0"}},
        "model": {"label": "m", "digest": "f" * 64, "key": "k", "component": {"alias": "m", "uid": "1" * 16, "digest": "e"}},
        "dataset": {"name": "mine", "digest": "a" * 64, "soft": "dataset.coco.2017.val", "source": "detected"},
        "options": {"count": 3},
        "recorded": "2026-01-01T00:00:00Z",
    }
    lock = lock_of_experiment(tmp_path, meta)
    assert lock.packages == {"numpy": LockedPackage("2.1.0")}
    assert lock.python_minor == "3.11"
    weights, dataset = lock.component("weights"), lock.component("dataset")
    assert weights
    assert dataset
    assert (weights.source, weights.alias, weights.content) == ("package", "m", "f" * 64)
    assert (dataset.source, dataset.alias) == ("registered", "dataset.coco.2017.val")
    assert lock.options == {"count": 3}


def test_imported_submission_has_no_lock_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        lock_of_experiment(tmp_path, {"published": {}})
    assert "ck reproduce submission" in error.value.hint


def test_component_with_same_key_replaces_old_one() -> None:
    newer = LockedComponent("weights", "package", "m2", "m", key="k" * 64)
    other = LockedComponent("dataset", "package", "d", "d", key="j" * 64)
    lock = LOCK.with_components((newer, other), {"more": RepositoryState(url="v")})
    assert [row.label for row in lock.components] == ["m2", "d"]
    assert set(lock.repositories) == {"repo", "more"}


def test_lock_without_packages_installs_nothing(tmp_path: Path) -> None:
    assert install_locked_packages(Path(sys.executable), {}, tmp_path / "install.log", same_python=True) == {}
    assert not (tmp_path / "install.log").exists()
