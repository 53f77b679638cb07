"""`--calibration=`: the images that 8-bit arithmetic is calibrated with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.contract.spec import Calibration
from ck_repo.errors import CKError, NotFoundError, UsageError
from ck_repo.models.backends import own_backends
from ck_repo.rounds.round import load_round, round_names
from ck_repo.run import calibration
from ck_repo.run.calibration import calibration_of, names_digest, read_calibration
from ck_repo.run.options import RunOptions

TORCH = own_backends()["torch"].options
INT8 = {"precision": "int8"}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images, a text, and a list of two of the images."""
    for name in ("c.jpg", "a.JPG", "b.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "two.txt").write_text("c.jpg\n\n  b.png  \n")
    return tmp_path


def test_a_number_is_of_the_data_set() -> None:
    assert read_calibration("64") == Calibration(64)


def test_a_folder_gives_its_images_and_a_list_those_that_it_names(images: Path) -> None:
    assert [path.name for path in read_calibration(str(images)).files] == ["a.JPG", "b.png", "c.jpg"]
    assert read_calibration(str(images / "two.txt")).files == (images / "c.jpg", images / "b.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "--calibration=0 is not a number from 1"),
        ("nothing", "nothing does not exist"),
        ("empty", "has no images"),
        ("gone.txt", r"names x.jpg, and .*x.jpg does not exist \(1 of 2 images do not\)"),
        ("bytes.txt", "cannot be read as a list of names"),
    ],
)
def test_what_has_no_images_is_refused(images: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(images)
    (images / "empty").mkdir()
    (images / "gone.txt").write_text("c.jpg\nx.jpg\n")
    (images / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CKError, match=message):
        read_calibration(text)


def test_only_an_option_that_is_calibrated_needs_images() -> None:
    first = calibration_of(RunOptions(), TORCH, load_round())
    assert first is None
    assert calibration_of(RunOptions(backend_options={"precision": "bf16"}, calibration="/none"), TORCH, load_round()) is None
    assert calibration_of(RunOptions(backend_options=INT8), TORCH, load_round()) == Calibration(calibration.DEFAULT)
    with pytest.raises(NotFoundError):
        calibration_of(RunOptions(backend_options=INT8, calibration="/none/at/all"), TORCH, load_round())


@pytest.mark.parametrize("name", [name for name in round_names() if name != "v0.5"])
def test_an_official_run_is_calibrated_with_the_images_of_the_round(
    name: str, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = RunOptions(backend_options=INT8, official=True)
    with pytest.raises(UsageError, match="is calibrated with the round's images, and this one with images of its own data set"):
        calibration_of(official, TORCH, load_round(name))
    listed = RunOptions(backend_options=INT8, official=True, calibration=str(images / "two.txt"))
    with pytest.raises(UsageError, match="and this one with 2 others") as caught:
        calibration_of(listed, TORCH, load_round(name))
    assert "coco_cal_images_list.txt" in caught.value.hint
    files = read_calibration(str(images / "two.txt")).files
    of_round = load_round(name).calibration
    monkeypatch.setattr(calibration, "names_digest", lambda given: of_round.sha256 if given == files else "")
    assert calibration_of(listed, TORCH, load_round(name)) == Calibration(files=files)


def test_the_digest_is_that_of_the_sorted_names(images: Path) -> None:
    """`sort FILE | sha256sum` gives the same for a list with one name in each line."""
    assert names_digest((images / "b", images / "a")) == "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2"


def test_the_plan_of_a_run_knows_the_images(ck: Callable[..., Any], images: Path) -> None:
    words = ("run", "program:object-detection", "--dry-run", "--backend=torch", "--model=ssd-mobilenet", "--out=json")
    done = ck(*words, "--backend.precision=int8", f"--calibration={images / 'none'}")
    assert "does not exist" in done.json["error"]
    assert ck(*words, "--backend.precision=int8", f"--calibration={images}").code == 0
