"""A data set on disk: read and checked by the harness's reader, in a separate process.

Runs use the same reader (`object_detection.datasets`), so a registered data set can be scored. It only needs the standard
library and runs with our own interpreter; the engine gets its description as JSON.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ck_repo import progress
from ck_repo.child import last_lines, run_child
from ck_repo.errors import DetectError, StorageError
from ck_repo.machine.data_set_content import DataSetContent
from ck_repo.models.declared import own_folder
from ck_repo.store.atomic import write_text
from ck_repo.store.digest import of_file, of_value
from ck_repo.store.fields import Fields
from ck_repo.store.folders import tools_root
from ck_repo.store.installed import InstalledDataset

COCO = "coco"
KINDS = (COCO, "openimages", "voc", "yolo")  # formats of annotations, by the names of the reader


@dataclass(frozen=True)
class Wanted:
    """The user's description of a data set.

    Attributes
    ----------
    kind
        The format of the annotations.
    path
        An image, or a folder.
    annotations, names
        The annotations, and the file with the names of the categories; empty if the reader searches for them.
    inside
        Whether images are only searched below their folder, as for data sets from other users' experiments.
    """

    kind: str
    path: str
    annotations: str = ""
    names: str = ""
    inside: bool = False

    @classmethod
    def of(cls, dataset: InstalledDataset) -> Wanted:
        """The description of a registered data set; for an installed one, its own parts."""
        given = dataset.given or {"path": dataset.images, "annotations": dataset.annotations, "inside": dataset.inside}
        texts = {key: str(given.get(key, "")) for key in ("path", "annotations", "names")}
        return cls(dataset.format or COCO, **texts, inside=bool(given.get("inside")))

    def below(self, base: Path) -> Wanted:
        """The description with relative paths resolved against a folder."""
        paths = {key: str(base / text) if (text := getattr(self, key)) else "" for key in ("path", "annotations", "names")}
        return Wanted(self.kind, **paths, inside=self.inside)

    def as_data(self) -> dict[str, object]:
        """As JSON for `Wanted.of` and the reader."""
        return {"path": self.path, "annotations": self.annotations, "names": self.names, "inside": self.inside}


def read_data_set(wanted: Wanted, coco: Path | None = None, *, check: bool = True, digests: bool = False) -> DataSetContent:
    """Read and check a data set; with `coco` also write it in COCO's format.

    Parameters
    ----------
    check
        Whether the images are opened. Otherwise only `images`, `files`, `image_ids` and `category_ids` are filled.
    digests
        Whether `digests` is filled, too.

    Raises
    ------
    DetectError
        If it cannot be used; the message has the image or annotation.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request, answer = folder / "request.json", folder / "answer.json"
        asked = wanted.as_data() | {"format": wanted.kind, "coco": str(coco or ""), "check": check, "digests": digests}
        request.write_text(json.dumps(asked), encoding="utf-8")
        command = [sys.executable, "-B", "-m", "object_detection.datasets", str(request), str(answer)]
        errors = folder / "stderr.log"
        status = run_child(command, folder, folder / "stdout.log", errors, {"PYTHONPATH": str(own_folder())})
        if status or not answer.exists():
            raise DetectError(
                f"{wanted.path} could not be read: the reader of annotations ended with status {status}",
                tail=last_lines(errors),
                hint="it may need more memory than is available" if status < 0 else "",
            )
        found = Fields(json.loads(answer.read_text(encoding="utf-8")), answer)
    if "error" in found:
        raise DetectError(found.text("error"), hint=found.text("hint"))
    return found.record(DataSetContent)


def inspect_data_set(wanted: Wanted) -> InstalledDataset:
    """Check a data set, and compute its digest and stamp: the `dataset` section of an env entry."""
    found = read_data_set(wanted, digests=True)
    sources = [path for path in found.sources if Path(path).is_file()]
    annotations = of_file(Path(sources[0])) if wanted.kind == COCO else of_value([of_file(Path(path)) for path in sources])
    every = [*found.files, *found.sources]
    _remember(wanted, every)
    return InstalledDataset(
        images=found.images,
        annotations=found.annotations,
        names=found.names,
        count=found.count,
        boxes=found.boxes,
        crowds=found.crowds,
        remarks=found.remarks,
        categories=len(found.categories),
        format=wanted.kind,
        given=wanted.as_data(),
        inside=wanted.inside,
        annotations_sha256=annotations,
        stamp=_stamp(every),
        digest=of_value([annotations, found.digests]),
    )


def is_unchanged(dataset: InstalledDataset) -> bool:
    """Whether a registered data set still has its content.

    Files with other dates, as a copy may have, are read again; the result is kept until a date or size changes.

    Raises
    ------
    OSError
        If a file is missing.
    DetectError
        If the list of its files is missing, and it cannot be read again.
    """
    wanted = Wanted.of(dataset)
    now = _stamp_now(wanted)
    if now == dataset.stamp:
        return True
    kept = _cached(wanted, f"{dataset.digest[:32]}.stamp")
    with suppress(OSError):
        if kept.read_text(encoding="utf-8") == now:
            return True
    with progress.task(f"reading {dataset.images} again, as files have other dates"):
        try:
            found = inspect_data_set(wanted)
        except DetectError:
            return False
    if found.digest != dataset.digest:
        return False
    _keep(kept, found.stamp)
    return True


def _stamp_now(wanted: Wanted) -> str:
    """The current stamp of a registered data set: it changes with every file of it, and with new files."""
    list_ = _list_of(wanted)
    try:
        files = json.loads(list_.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = read_data_set(wanted)
        files = [*found.files, *found.sources]
        _remember(wanted, files)
    return _stamp(files)


def _stamp(files: Sequence[str]) -> str:
    """Size and change time of files; for a folder the names of the relevant files in it."""
    kinds = {os.path.splitext(path)[1] for path in files}
    rows: list[tuple[str, object, object]] = []
    for path in files:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            names = sorted(name for name in os.listdir(path) if os.path.splitext(name)[1] in kinds)
            rows.append((path, of_value(names), 0))
        else:
            rows.append((path, found.st_size, found.st_mtime_ns))
    return of_value(rows)


def _remember(wanted: Wanted, files: Sequence[str]) -> None:
    """Store the list of a data set's files, so that its stamp can be computed without reading its annotations."""
    _keep(_list_of(wanted), json.dumps(list(files)))


def _keep(path: Path, text: str) -> None:
    """Write a cache file; where that is not possible, what it would contain is computed again."""
    with suppress(OSError, StorageError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def _list_of(wanted: Wanted) -> Path:
    return _cached(wanted, "json")


def _cached(wanted: Wanted, suffix: str) -> Path:
    """A file of what was found out about a data set; it may be deleted at any time."""
    return tools_root() / ".cache" / "datasets" / f"{of_value([wanted.kind, wanted.as_data()])[:32]}.{suffix}"
