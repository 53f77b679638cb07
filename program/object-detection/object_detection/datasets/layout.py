"""Find the parts of a COCO data set."""

from __future__ import annotations

from pathlib import Path

from object_detection.datasets.coco import read_coco
from object_detection.datasets.place import Folder, parts
from object_detection.datasets.source import Request, Source
from object_detection.datasets.truth import Truth
from object_detection.errors import HarnessError


def find_coco(request: Request) -> Source:
    """Read a data set in COCO's format: any of its images, its image folder, or the parent of that."""
    path = request.path
    if not path.exists():
        raise HarnessError(f"{path} does not exist", "give any image of the data set: --full_path=…/val2017/000000000139.jpg")
    images = path / "val2017" if (path / "val2017").is_dir() else path if path.is_dir() else path.parent
    file = request.annotations or _beside(images, path)
    truth = read_coco(file, Folder(images, request.inside))
    folder = _folder(truth, images, file, request.inside)
    return Source(truth, folder, file, (file,))


def _beside(images: Path, path: Path) -> Path:
    """The annotations of an image folder: at COCO's usual place, or at that of labelling tools."""
    default = images.parent / "annotations" / f"instances_{images.name}.json"
    if path.suffix.lower() == ".json" and path.is_file():
        return path
    others = (images / "_annotations.coco.json", images.parent / "result.json", images.parent / "annotations.json")
    return next((file for file in (default, *others) if file.is_file()), default)


def _folder(truth: Truth, images: Path, file: Path, inside: bool) -> Folder:
    """The folder that file names are relative to: the image folder, or a parent if names have folders."""
    name = truth.images[0].name
    above = (images, images.parent, file.parent, file.parent.parent) if len(parts(name)) > 1 else (images,)
    found = (Folder(folder, inside) for folder in above)
    return next((folder for folder in found if folder.find(name)), Folder(images, inside))
