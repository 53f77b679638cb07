"""Annotations of YOLO: a text file for each image with lines of class, centre and size as fractions of the image's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from object_detection.datasets.document import read_text
from object_detection.datasets.draft import Draft
from object_detection.datasets.header import read_header
from object_detection.datasets.names_file import read_names, read_yaml
from object_detection.datasets.place import Folder
from object_detection.datasets.source import Request, Source, folders_of, pictures
from object_detection.datasets.truth import Truth
from object_detection.datasets.values import number, whole
from object_detection.errors import HarnessError
from object_detection.progress import Throttle

_ROUNDING = 0.01  # tolerance of fractions outside 0 to 1, because tools round
_NAMES = ("classes.txt", "obj.names", "_darknet.labels", "classes.names")
_YAML = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_PARTS = ("val", "test", "valid", "train")  # purposes in a data.yaml, or folders, the preferred one first


@dataclass(frozen=True)
class _Layout:
    """The parts of a data set: folder, images, labels (None: found for each image), classes."""

    root: Path
    images: tuple[Path, ...]
    labels: Path | None
    classes: tuple[str, ...]
    files: tuple[Path, ...]


def find_yolo(request: Request) -> Source:
    """Read a data set: its folder, its data.yaml, its image folder, or any image.

    Labels are next to the images, or in the folder ``labels`` if the images are in ``images``; `Request.annotations` is another
    folder, or the data.yaml.
    """
    layout = _layout(request)
    if not layout.images:
        raise HarnessError(f"{request.path} has no image", "give the image folder: --full_path=…/images/val")
    draft = Draft(str(layout.root))
    names = list(layout.classes)
    labels = [layout.labels / f"{path.stem}.txt" if layout.labels else label_of(path) for path in layout.images]
    if not any(path.is_file() for path in labels):
        raise HarnessError(
            f"{request.path} has no labels: neither {labels[0]} nor any other label file exists",
            "give the folder of labels with --annotations=",
        )
    reader = _Reader(draft, layout.root, names)
    report = Throttle(f"reading {layout.root.name}", len(labels), "images", late=True)
    for position, (image, label) in enumerate(zip(layout.images, labels, strict=True), 1):
        reader.image(position, image, label)
        report(position)
    read = [path for path in labels if path.is_file()]
    _note_left_over(draft, read)
    found = (*read, *folders_of([*layout.images, *read]), *layout.files)
    annotations = request.annotations or (read[0].parent if read else layout.root)
    return Source(reader.finish(), Folder(layout.root, request.inside), annotations, found, request.names)


def label_of(image: Path) -> Path:
    """The label file of an image: in ``labels`` for one in ``images``, else next to it."""
    where = list(image.parent.parts)
    for place in range(len(where) - 1, -1, -1):
        if where[place] == "images":
            other = Path(*where[:place], "labels", *where[place + 1 :]) / f"{image.stem}.txt"
            if other.parent.is_dir():
                return other
            break
    return image.with_suffix(".txt")


def _layout(request: Request) -> _Layout:
    path = request.path
    if not path.exists():
        raise HarnessError(f"{path} does not exist", "give the folder of the data set, its data.yaml, or any of its images")
    folder = path if path.is_dir() else path.parent
    yaml = next((each for each in (path, request.annotations) if each and each.suffix in (".yaml", ".yml")), None)
    above = [folder, *folder.parents[:3]]
    if yaml is None:
        yaml = next((each / name for each in above for name in _YAML if (each / name).is_file()), None)
    files = [each for each in (yaml, request.names) if each]
    texts, names = read_yaml(yaml) if yaml else ({}, [])
    if request.names:
        names = read_names(request.names)
    elif not names:
        listed = next((each / name for each in above for name in _NAMES if (each / name).is_file()), None)
        if listed:
            names = read_names(listed)
            files.append(listed)
    whole_set = path.is_dir() or path == yaml
    images = _part_of(yaml, texts) if yaml and whole_set and yaml.parent == folder else None
    if images is None:
        images = next((folder / "images" / part for part in _PARTS if (folder / "images" / part).is_dir()), folder)
    if images.is_file():  # a list of images
        files.append(images)
        listed_images = [images.parent / name for name in read_names(images)]
    else:
        listed_images = pictures(images)
    labels = request.annotations if request.annotations and request.annotations.is_dir() else None
    root = yaml.parent if yaml and listed_images and listed_images[0].is_relative_to(yaml.parent) else folder
    return _Layout(root, tuple(listed_images), labels, tuple(names), tuple(files))


def _part_of(yaml: Path, texts: dict[str, str]) -> Path | None:
    """The images that a data.yaml has for validation, or else for another purpose."""
    base = yaml.parent / texts.get("path", "")
    for part in _PARTS:
        if part in texts:
            for root in (base, yaml.parent, yaml.parent.parent):
                for name in (texts[part], texts[part].removeprefix("../")):
                    if (root / name).exists():
                        return Path(os.path.normpath(root / name))
    return None


def _note_left_over(draft: Draft, read: list[Path]) -> None:
    """Label files without an image."""
    known = {*read}
    for folder in {path.parent for path in read}:
        for path in sorted(folder.glob("*.txt")):
            if path not in known and path.name not in _NAMES and path.name not in ("train.txt", "val.txt", "test.txt"):
                draft.remarks.add("label files without an image", path.name)


class _Reader:
    def __init__(self, draft: Draft, root: Path, names: list[str]) -> None:
        self._draft, self._root, self._names = draft, root, names
        self._highest = -1

    def image(self, position: int, path: Path, label: Path) -> None:
        """Read an image and its boxes."""
        name = path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)
        header = read_header(path) if path.is_file() else None
        if header is None or not header.width:
            raise self._draft.error(f"{name} {'is not an image' if path.is_file() else 'does not exist'}", "replace it")
        self._draft.image(position, name, header.width, header.height)
        if not label.is_file():
            self._draft.remarks.add("images without a label file, which have no box", name)
            return
        for count, line in enumerate(read_text(label)[0].splitlines(), 1):
            if line.strip():
                self._box(position, line.split(), f"line {count} of {label.name}", header.width, header.height)

    def _box(self, image: int, words: list[str], where: str, width: int, height: int) -> None:
        kind, values = whole(words[0]), [number(word) for word in words[1:]]
        known = [value for value in values if value is not None]
        if kind is None or kind < 0 or len(known) != len(values) or not (len(known) in (4, 5) or self._is_polygon(known)):
            raise self._draft.error(
                f"{where} is not a box: {' '.join(words)[:100]!r}", "each line must have a class and four fractions"
            )
        if len(known) == 5:
            raise self._draft.error(f"{where} has a score: it is a detection, not an annotation", "give the folder of labels")
        if self._names and kind >= len(self._names):
            raise self._draft.error(
                f"{where} is of class {kind}, and there are {len(self._names)} names: 0 to {len(self._names) - 1}",
                "add its name, or correct the class",
            )
        if min(known) < -_ROUNDING or max(known) > 1 + _ROUNDING:
            raise self._draft.error(
                f"{where} has a number that is not a fraction of the image: {' '.join(words)[:100]!r}",
                "numbers are between 0 and 1: divide pixels by the image's width or height",
            )
        if len(known) > 4:
            self._draft.remarks.add("polygons, read as the boxes around them", where)
            across, down = known[0::2], known[1::2]
            left, top, w, h = min(across), min(down), max(across) - min(across), max(down) - min(down)
        else:
            x, y, w, h = known
            left, top = x - w / 2, y - h / 2
        self._highest = max(self._highest, kind)
        self._draft.box(image, kind + 1, (left * width, top * height, w * width, h * height), where)

    @staticmethod
    def _is_polygon(values: list[float]) -> bool:
        return len(values) >= 6 and len(values) % 2 == 0

    def finish(self) -> Truth:
        """The data set, with a category for each class: class 0 has the id 1."""
        if not self._names:
            self._draft.remarks.say("there is no data.yaml or classes.txt: the classes are named by their numbers")
        for number_, name in enumerate(self._names or [str(kind) for kind in range(self._highest + 1)]):
            self._draft.category(number_ + 1, name)
        return self._draft.finish()
