"""Annotations of Pascal VOC: an XML file for each image, as written by the VOC challenges and labelling tools."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

from object_detection.datasets.draft import Draft
from object_detection.datasets.header import read_header
from object_detection.datasets.names_file import read_names
from object_detection.datasets.place import Folder, parts
from object_detection.datasets.source import Request, Source, folders_of, pictures
from object_detection.datasets.truth import Truth
from object_detection.datasets.values import flag, number, whole
from object_detection.errors import HarnessError
from object_detection.progress import Throttle

_LARGEST = 16 << 20  # maximum bytes of the annotation of an image
# the challenge's classes, in its order
_VOC = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_NAMES = ("classes.txt", "labels.txt", "predefined_classes.txt")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def find_voc(request: Request) -> Source:
    """Read a data set: the folder with ``Annotations`` and ``JPEGImages``, a part of it, or images with XML files.

    `Request.annotations` is the folder of XML files, or a list of images as in ``ImageSets/Main/val.txt``.
    """
    root = _root(request.path)
    given = request.annotations
    listed = given if given and given.is_file() and given.suffix.lower() != ".xml" else None
    folder = given if given and given.is_dir() else root / "Annotations" if (root / "Annotations").is_dir() else root
    files = sorted(folder.rglob("*.xml"))
    if listed:
        by_stem = {path.stem: path for path in files}
        wanted = [line.split()[0] for line in read_names(listed)]
        if missing := [name for name in wanted if name not in by_stem]:
            raise HarnessError(f"{listed} has {missing[0]}, and {folder} has no {missing[0]}.xml", "use another list")
        files = [by_stem[name] for name in wanted]
    if not files:
        raise HarnessError(f"{folder} has no XML file", "give the folder of XML files with --annotations=")
    names_file = request.names or next((root / name for name in _NAMES if (root / name).is_file()), None)
    names = read_names(names_file) if names_file else []
    truth = _Reader(folder, root, request.inside, names).read(files)
    more = [path for path in (listed, names_file) if path]
    return Source(truth, Folder(root, request.inside), listed or folder, (*files, *folders_of(files), *more), names_file)


def _root(path: Path) -> Path:
    if not path.exists():
        raise HarnessError(f"{path} does not exist", "give the folder of the data set, or any of its images")
    folder = path if path.is_dir() else path.parent
    return folder.parent if folder.name in ("Annotations", "JPEGImages") else folder


class _Reader:
    """Reads XML files into a draft; boxes are kept until the names of all classes are known."""

    def __init__(self, folder: Path, root: Path, inside: bool, names: list[str]) -> None:
        self.draft = Draft(str(folder))
        self._root, self._images = root, Folder(root, inside)
        self._names = names
        self._boxes: list[tuple[int, str, tuple[float, float, float, float], str, int]] = []
        self._from_zero = False
        self._pictures: dict[str, Path] | None = None

    def read(self, files: list[Path]) -> Truth:
        """Read the files, one for each image."""
        report = Throttle(f"reading {self._root.name}", len(files), "files", late=True)
        for position, file in enumerate(files, 1):
            self._file(position, file)
            report(position)
        found = {row[1] for row in self._boxes}
        names = self._names or (list(_VOC) if found <= set(_VOC) else sorted(found))
        if names != list(_VOC) and not self._names:
            self.draft.remarks.say(
                "the order of the categories is unknown: they have ids from 1 in alphabetical order; a file with their "
                "names in the order of the model's classes changes that (--categories=FILE)"
            )
        if unknown := sorted(found - set(names)):
            where = next(row[3] for row in self._boxes if row[1] == unknown[0])
            raise self.draft.error(f"{where} is a {unknown[0]!r}, which the list of names does not have", "add it to the list")
        for key, name in enumerate(names, 1):
            self.draft.category(key, name)
        if self._from_zero:
            self.draft.remarks.say("coordinates start at 0, and are read as edges; VOC counts pixels from 1")
        shift = 0 if self._from_zero else 1
        places = {name: key for key, name in enumerate(names, 1)}
        for image, name, (left, top, right, bottom), where, crowd in self._boxes:
            x, y = left - shift, top - shift
            self.draft.box(image, places[name], (x, y, right - x, bottom - y), where, None, crowd)
        return self.draft.finish()

    def _file(self, position: int, file: Path) -> None:
        if file.stat().st_size > _LARGEST:
            raise HarnessError(f"{file} has more than {_LARGEST >> 20} MiB", "it is not the annotation of an image")
        try:
            tree = ET.fromstring(file.read_bytes())
        except (ET.ParseError, LookupError, ValueError) as error:
            raise HarnessError(f"{file} is not readable as XML: {error}", "write it again") from None
        if tree.tag != "annotation":
            raise HarnessError(f"{file} is not an annotation of Pascal VOC: it is a <{tree.tag}>", "remove it from the folder")
        name = self._image(tree, file)
        self.draft.image(position, name, *self._size(tree, name, file))
        for count, row in enumerate(tree.findall("object"), 1):
            where = f"object {count} in {file.name}"
            label = (row.findtext("name") or "").strip()
            if not label:
                raise self.draft.error(f"{where} has no name", "add the name of its class")
            box = row.find("bndbox")
            corners = [number(box.findtext(key)) if box is not None else None for key in _CORNERS]
            left, top, right, bottom = corners
            if left is None or top is None or right is None or bottom is None:
                raise self.draft.error(f"{where} has no box", "a bndbox must have the numbers xmin, ymin, xmax and ymax")
            if right < left or bottom < top:
                raise self.draft.error(f"{where} has a box with the right or bottom edge before the other", "correct it")
            self._from_zero = self._from_zero or min(left, top) < 1
            difficult = flag(row.findtext("difficult") or 0)
            if difficult is None:
                raise self.draft.error(f"{where} is difficult {row.findtext('difficult')!r}", "difficult is 0 or 1")
            if difficult:
                self.draft.remarks.add("difficult objects, which are not scored (iscrowd 1)", where)
            self._boxes.append((position, label, (left, top, right, bottom), where, difficult))

    def _image(self, tree: ET.Element, file: Path) -> str:
        """The image of an XML file: at VOC's place, next to it, or anywhere below the root."""
        written = (tree.findtext("filename") or "").strip()
        last = parts(written)[-1] if parts(written) else ""
        stems = [last] if Path(last).suffix else []
        if self._pictures is None:
            self._pictures = {}
            for path in reversed(pictures(self._root)):
                self._pictures[path.name] = self._pictures[path.stem] = path
        for name in (*stems, file.stem, Path(last).stem):
            for folder in (file.parent, self._root / "JPEGImages"):
                if Path(name).suffix and (folder / name).is_file():
                    return os.path.relpath(folder / name, self._root)
            if name in self._pictures:
                return self._pictures[name].relative_to(self._root).as_posix()
        raise self.draft.error(f"{self._root} has no image for {file.name}, which has {written or 'none'}", "add the image")

    def _size(self, tree: ET.Element, name: str, file: Path) -> tuple[int, int]:
        width, height = whole(tree.findtext("size/width") or 0), whole(tree.findtext("size/height") or 0)
        if width and height:
            return width, height
        path = self._images.find(name)
        header = read_header(path) if path else None
        if header is None or not header.width:
            raise self.draft.error(f"{file.name} has no size, and {name} is not an image", "add its width and height")
        self.draft.remarks.add("images without a size, which is taken from the files", name)
        return header.width, header.height
