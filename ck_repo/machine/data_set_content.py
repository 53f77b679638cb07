"""The content of a data set, as the annotation reader describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Category:
    """A category with its number of boxes; the id is an integer or a string, as in the annotations."""

    id: Any
    name: str
    boxes: int


@dataclass(frozen=True)
class DataSetContent:
    """A data set that was read.

    Attributes
    ----------
    images, annotations, names
        The image folder, the annotations, and the file with the names of the categories.
    count, annotated
        Number of images, and of images with boxes.
    boxes, crowds
        Number of boxes, and of boxes that are crowds.
    sizes, kinds_of_size
        Width, height and number of images of the most frequent sizes, and the number of sizes.
    files, archived
        The images, and their names below the image folder; without a check of the images, missing files are empty.
    digests
        SHA-256 of each image, if requested.
    sources
        Annotation files, and folders of annotations.
    image_ids, category_ids
        Ids as in the annotations, if the images were not checked.
    """

    images: str
    annotations: str = ""
    names: str = ""
    count: int = 0
    annotated: int = 0
    boxes: int = 0
    crowds: int = 0
    categories: tuple[Category, ...] = ()
    sizes: tuple[tuple[int, ...], ...] = ()
    kinds_of_size: int = 0
    remarks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    image_ids: tuple[Any, ...] = ()
    category_ids: tuple[Any, ...] = ()
