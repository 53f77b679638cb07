"""A foreign tree: outside links, pipes, devices and oversized files are findings, and their content is not read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.experiments.importing import import_submission
from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import Place, find_results, read_result
from ck_repo.rounds.truncate import truncate_tree
from ck_repo.session import Session

Damage = Callable[[Path], object]
SECRET = "mAP=99.9% PRIVATE KEY hash=" + "a" * 64
PLACE = ("closed", "Us", "box", "ssd-mobilenet", "Offline")
FILES = [
    "measurements/box/ssd-mobilenet/Offline/user.conf",
    "measurements/box/ssd-mobilenet/Offline/box_x_Offline.json",
    "results/box/ssd-mobilenet/Offline/performance/run_1/mlperf_log_detail.txt",
    "results/box/ssd-mobilenet/Offline/performance/run_1/mlperf_log_summary.txt",
    "results/box/ssd-mobilenet/Offline/accuracy/accuracy.txt",
    "results/box/ssd-mobilenet/Offline/accuracy/mlperf_log_accuracy.json",
    "results/box/ssd-mobilenet/Offline/accuracy/mlperf_log_detail.txt",
    "compliance/box/ssd-mobilenet/Offline/TEST01/verify_accuracy.txt",
    "compliance/box/ssd-mobilenet/Offline/TEST01/verify_performance.txt",
    "systems/box.json",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a file at every path that is read, and a secret outside it."""
    (tmp_path / "secret").write_text(SECRET)
    for name in FILES:
        path = tmp_path / "tree" / "closed" / "Us" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}" if name.endswith(".json") else "mAP=25.0%\n")
    return tmp_path / "tree"


def _giant(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)


DAMAGED: dict[str, Damage] = {
    "a link to a file outside": lambda path: path.symlink_to(path.parents[0].resolve() / ("../" * 20) / "etc" / "passwd"),
    "a link to the secret": lambda path: path.symlink_to(
        next(row for row in path.parents if row.name == "tree").parent / "secret"
    ),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
    "a loop": lambda path: path.symlink_to(path.name),
    "a giant": _giant,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGED.values(), ids=list(DAMAGED))
def test_irregular_file_is_a_finding_without_content(tree: Path, name: str, damage: Damage) -> None:
    path = tree / "closed" / "Us" / name
    path.unlink()
    damage(path)
    found = read_result(load_round(), Place(tree, *PLACE))
    assert SECRET not in repr(found)
    report = check_tree(load_round(), tree)
    findings = [*report.stray, *(each for row in report.results for each in row.findings)]
    assert any(path.name in row.file and row.seen != "no such file" for row in findings)
    ((entry, published, remarks),) = import_submission(Session(), load_round(), tree)
    assert any(path.name in text for text in remarks)
    assert published.mAP in (25.0, None)
    for taken in entry.path.rglob("*"):
        assert not taken.is_symlink()
        assert taken.is_dir() or SECRET.encode() not in taken.read_bytes()


@pytest.mark.parametrize("name", ["performance/run_1", "accuracy"])
def test_result_folder_linked_outside_is_not_read(tree: Path, tmp_path: Path, name: str) -> None:
    path = Place(tree, *PLACE).results / name
    os.rename(path, tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    found = read_result(load_round(), Place(tree, *PLACE))
    assert any("leads out" in text for text in found.remarks)
    ((entry, _, remarks),) = import_submission(Session(), load_round(), tree)
    assert any("leads out of the tree" in text for text in remarks)
    assert not (entry.path / name.partition("/")[0]).exists() or not any((entry.path / name.partition("/")[0]).rglob("*.txt"))


def test_unread_files_are_remarked_by_reproduce(ck: Callable[..., Any], tree: Path) -> None:
    path = Place(tree, *PLACE).measurements / "user.conf"
    path.unlink()
    path.symlink_to("/dev/zero")
    answer = ck("reproduce", "submission", f"--path={tree}", "--out=json")
    assert answer.code == 0, answer.err
    assert any("user.conf is not read: it is a link that leads out" in text for text in answer.json["remarks"])


def test_linked_log_is_not_compared(ck: Callable[..., Any], tree: Path, tmp_path: Path) -> None:
    names = []
    for number in range(2):
        ck("add", f"experiment:run{number}", '--dict={"results": {}}')
        entry = Path(ck("find", f"experiment:run{number}", "--out=json").json["path"])
        (entry / "accuracy").mkdir()
        (entry / "accuracy" / "mlperf_log_accuracy.json").symlink_to("/dev/zero")
        names.append(f"experiment:run{number}")
    answer = ck("compare", *names)
    assert answer.code == 0, answer.err
    assert "not compared" in answer.err
    assert "equal detections" not in answer.out


def test_link_within_tree_is_read(tree: Path) -> None:
    place = Place(tree, *PLACE)
    os.rename(place.measurements / "user.conf", place.submission / "systems" / "our.conf")
    (place.measurements / "user.conf").symlink_to("../../../../systems/our.conf")
    assert read_result(load_round(), place).user_conf == "mAP=25.0%\n"
    assert not [row for row in check_tree(load_round(), tree).stray if row.rule == "plain-files"]


def test_truncated_copy_writes_only_inside_itself(tree: Path, tmp_path: Path) -> None:
    place = Place(tree, *PLACE)
    outside = tmp_path / "outside"
    os.rename(place.accuracy, outside)
    (outside / "mlperf_log_accuracy.json").write_bytes(b"[" + b" " * 100_000 + b"]")
    (outside / "accuracy.txt").write_text("mAP=25.0%\n")
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    place.accuracy.symlink_to(outside)
    other = place.compliance / "TEST01" / "accuracy"
    other.mkdir()
    for name in ("mlperf_log_accuracy.json", "accuracy.txt"):
        (other / name).symlink_to(outside / name)
    assert truncate_tree(load_round(), tree, output=tmp_path / "copy") == []
    assert truncate_tree(load_round(), tree, backup=tmp_path / "backup") == []
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before
    copy = tmp_path / "copy" / place.accuracy.relative_to(tree)
    assert not copy.exists()
    assert not copy.is_symlink()


def test_regular_log_next_to_link_is_truncated(tree: Path, tmp_path: Path) -> None:
    log = Place(tree, *PLACE).accuracy / "mlperf_log_accuracy.json"
    log.write_bytes(b"[" + b" " * 100_000 + b"]")
    os.mkfifo(Place(tree, *PLACE).measurements / "pipe")
    (done,) = truncate_tree(load_round(), tree, output=tmp_path / "copy")
    assert (done.before, log.stat().st_size) == (100_002, 100_002)
    assert done.after < 100_002


def test_very_deep_folders_are_remarked(tree: Path) -> None:
    here = os.open(Place(tree, *PLACE).measurements, os.O_RDONLY)
    for _ in range(1000):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    ((_, _, remarks),) = import_submission(Session(), load_round(), tree)
    assert any("64 levels deep" in text for text in remarks)
    assert any("64 levels deep" in row.seen for row in check_tree(load_round(), tree).stray)
    while (deep := Place(tree, *PLACE).measurements / "deep").exists():  # too deep for recursion
        for below_it in list(deep.iterdir()):
            os.rename(below_it, deep.with_name("next"))
        deep.rmdir()
        if deep.with_name("next").exists():
            os.rename(deep.with_name("next"), deep)


def test_link_loop_as_tree(ck: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    for action in ("check", "import", "summarize", "reproduce"):
        answer = ck(action, "submission", f"--path={tmp_path / 'one'}")
        assert answer.code == 16, answer.err
        assert "is not an existing folder" in answer.err


def test_non_utf_8_names_are_not_results(ck: Callable[..., Any], tree: Path) -> None:
    os.mkdir(os.fsencode(tree / "closed" / "Us" / "results") + b"/\xff")
    os.makedirs(os.fsencode(Place(tree, *PLACE).measurements) + b"/\xff")
    assert len(find_results(tree)) == 1
    answer = ck("check", "submission", f"--path={tree}")
    assert answer.code == 10
    assert "\\xff" in answer.out
    assert ck("import", "submission", f"--path={tree}").code == 0
