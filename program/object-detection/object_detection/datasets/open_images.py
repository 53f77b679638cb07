"""Annotations of Open Images: a CSV file with a line for each box, and the images of a folder, which may be a subset."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from object_detection.datasets.document import read_text
from object_detection.datasets.draft import Draft
from object_detection.datasets.header import read_header
from object_detection.datasets.place import Folder
from object_detection.datasets.source import Request, Source, folders_of, pictures
from object_detection.datasets.truth import Truth
from object_detection.datasets.values import flag, number
from object_detection.errors import HarnessError
from object_detection.progress import Throttle

_EDGES = ("XMin", "XMax", "YMin", "YMax")
_FRACTIONS = "each edge is a fraction of the image's size, from 0 to 1"
_ROUNDING = 0.01  # tolerance of fractions outside 0 to 1
_COLUMNS = frozenset({"ImageID", "LabelName", *_EDGES})
_PATTERNS = ("*-annotations-bbox*.csv", "*annotations*bbox*.csv", "*.csv")
_DESCRIPTIONS = ("class-descriptions-boxable.csv", "oidv7-class-descriptions-boxable.csv", "class-descriptions.csv")


def find_open_images(request: Request) -> Source:
    """Read a data set: its image folder, any image, or the CSV file; `Request.annotations` is the CSV file.

    `Request.names` is the file of class descriptions: a label and a name in each line, in the order of the categories.
    """
    path = request.path
    if not path.exists():
        raise HarnessError(f"{path} does not exist", "give the image folder, or any of its images")
    folder = path if path.is_dir() else path.parent
    file = request.annotations or (path if path.suffix.lower() == ".csv" else _csv(folder))
    images = pictures(folder)
    if not images:
        raise HarnessError(f"{folder} has no image", "give the image folder with --full_path=")
    names_file = request.names or next(
        (each / name for each in (folder, file.parent, folder.parent) for name in _DESCRIPTIONS if (each / name).is_file()),
        None,
    )
    names = _descriptions(names_file) if names_file else {}
    reader = _Reader(file, names)
    reader.read_images(folder, images)
    for line, row in _rows(file):
        reader.read_box(f"line {line}", row)
    read = (file, *folders_of(images), *([names_file] if names_file else []))
    return Source(reader.finish(), Folder(folder, request.inside), file, read, names_file)


class _Reader:
    def __init__(self, file: Path, names: dict[str, str]) -> None:
        self._draft, self._names = Draft(str(file)), names
        self._sizes: dict[str, tuple[int, int, int]] = {}  # by ImageID: position, width, height
        self._keys = {label: number for number, label in enumerate(names, 1)}

    def read_images(self, folder: Path, images: list[Path]) -> None:
        """The images, by their names without the suffix."""
        report = Throttle(f"reading {folder.name}", len(images), "images", late=True)
        for position, image in enumerate(images, 1):
            header = read_header(image)
            if header is None or not header.width:
                raise self._draft.error(f"{image} is not an image", "replace it")
            if image.stem in self._sizes:
                raise self._draft.error(f"two images are called {image.stem}", "remove one")
            self._sizes[image.stem] = (position, header.width, header.height)
            self._draft.image(position, image.relative_to(folder).as_posix(), header.width, header.height)
            report(position)

    def read_box(self, where: str, row: Mapping[str, str]) -> None:
        """A line of the CSV file."""
        draft, label = self._draft, row["LabelName"]
        if row["ImageID"] not in self._sizes:
            draft.remarks.add("annotations of images that are not in the folder", f"{where} ({row['ImageID']})")
            return
        left, right, top, bottom = (number(row[name]) for name in _EDGES)
        if left is None or right is None or top is None or bottom is None or not label:
            raise draft.error(f"{where} has no box: {', '.join(row.values())[:200]}", _FRACTIONS)
        if min(left, right, top, bottom) < -_ROUNDING or max(left, right, top, bottom) > 1 + _ROUNDING:
            raise draft.error(f"{where} has an edge that is not a fraction of the image's size", _FRACTIONS)
        if self._names and label not in self._names:
            raise draft.error(f"{where} has the label {label}, which the class descriptions do not have", "add it there")
        group = flag(row.get("IsGroupOf") or 0)
        if group is None:
            raise draft.error(f"{where} has the IsGroupOf {row['IsGroupOf']!r}", "it is 0 or 1")
        if group:
            draft.remarks.add("groups of objects, which are not scored (iscrowd 1)", where)
        position, width, height = self._sizes[row["ImageID"]]
        box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        draft.box(position, self._keys.setdefault(label, len(self._keys) + 1), box, where, None, group)

    def finish(self) -> Truth:
        """The data set, with a category for each label: in the order of the class descriptions, or of the lines."""
        if not self._names:
            self._draft.remarks.say("there is no class-descriptions-boxable.csv: categories are named by their labels")
        for label, key in self._keys.items():
            self._draft.category(key, self._names.get(label, label))
        return self._draft.finish()


def _csv(folder: Path) -> Path:
    for pattern in _PATTERNS:
        for each in (folder, folder.parent, folder.parent / "annotations"):
            found = [path for path in sorted(each.glob(pattern)) if "class-descriptions" not in path.name]
            if found:
                return found[0]
    raise HarnessError(f"there is no CSV file next to {folder}", "give it with --annotations=")


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Lines of the CSV file with their numbers."""
    lines = read_text(file)[0].splitlines()
    reader = csv.DictReader(lines)
    try:
        if missing := sorted(_COLUMNS - {*(reader.fieldnames or ())}):
            raise HarnessError(
                f"{file} is not a CSV file of Open Images: it has no column {missing[0]}",
                f"its first line must have the columns {', '.join(sorted(_COLUMNS))}",
            )
        for row in reader:
            if None in row or None in row.values():
                raise HarnessError(f"{file}: line {reader.line_num} has another number of columns than the first", "correct it")
            yield reader.line_num, row
    except csv.Error as error:
        raise HarnessError(f"{file}: line {reader.line_num or 1} is not CSV: {error}", "write the file again") from None


def _descriptions(file: Path) -> dict[str, str]:
    """Names by label; one category in each line, with an optional header."""
    try:
        rows = [row for row in csv.reader(read_text(file)[0].splitlines()) if row]
    except csv.Error as error:
        raise HarnessError(f"{file} is not CSV: {error}", "write the file again") from None
    if rows and rows[0][0] == "LabelName":
        rows = rows[1:]
    if not rows or any(len(row) != 2 for row in rows):
        raise HarnessError(f"{file} is not a list of labels and names", "each line must be: label,name")
    return dict(rows)
