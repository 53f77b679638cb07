"""Where a COCO data set has its parts."""

from __future__ import annotations

from pathlib import Path

from object_detection.datasets.coco import read_coco
from object_detection.datasets.place import Folder, parts
from object_detection.datasets.source import Request, Source
from object_detection.datasets.truth import Truth
from object_detection.errors import HarnessError


def find_coco(request: Request) -> Source:
    """Read a data set in COCO's format: any image of it, its folder of images, or the folder above that."""
    path = request.path
    if not path.exists():
        raise HarnessError(f"{path} does not exist", "name any image of the data set: --full_path=…/val2017/000000000139.jpg")
    images = path / "val2017" if (path / "val2017").is_dir() else path if path.is_dir() else path.parent
    file = request.annotations or _beside(images, path)
    truth = read_coco(file, Folder(images, request.inside))
    folder = _folder(truth, images, file, request.inside)
    return Source(truth, folder, file, (file,))


def _beside(images: Path, path: Path) -> Path:
    """The annotations of a folder of images: where COCO has them, or where labelling tools do."""
    default = images.parent / "annotations" / f"instances_{images.name}.json"
    if path.suffix.lower() == ".json" and path.is_file():
        return path
    others = (images / "_annotations.coco.json", images.parent / "result.json", images.parent / "annotations.json")
    return next((file for file in (default, *others) if file.is_file()), default)


def _folder(truth: Truth, images: Path, file: Path, inside: bool) -> Folder:
    """The folder that file names start from: that of the images, or one above, where names have folders in front."""
    name = truth.images[0].name
    above = (images, images.parent, file.parent, file.parent.parent) if len(parts(name)) > 1 else (images,)
    found = (Folder(folder, inside) for folder in above)
    return next((folder for folder in found if folder.find(name)), Folder(images, inside))
