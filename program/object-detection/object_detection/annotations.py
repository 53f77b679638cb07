"""The images of a data set in the benchmark's order, and the categories of its objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from object_detection.datasets.coco import read_coco
from object_detection.datasets.place import Folder
from object_detection.datasets.truth import Image, Truth
from object_detection.errors import HarnessError
from object_detection.spec import Dataset


@dataclass(frozen=True)
class ImageList:
    """Image lists; the index of a sample is its position.

    Attributes
    ----------
    ids
        Image ids: those of the annotation file if all are numbers, else positions from 1.
    paths
        Files.
    sizes
        (width, height) in pixels.
    categories
        Category ids in the file's order: contiguous class k (from 1) is categories[k - 1].
    samples
        Positions in the annotation file, some of whose images may be skipped.
    truth
        The annotations.
    """

    ids: tuple[int, ...]
    paths: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    categories: tuple[int, ...]
    samples: tuple[int, ...]
    truth: Truth

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, count: int) -> ImageList:
        """The first images."""
        return replace(
            self,
            ids=self.ids[:count],
            paths=self.paths[:count],
            sizes=self.sizes[:count],
            samples=self.samples[:count],
        )

    def check_scored(self, samples: tuple[int, ...] | None = None) -> None:
        """Refuse to measure accuracy if no image has a box that counts, because mAP is undefined.

        Parameters
        ----------
        samples
            Sample indices; all if None.

        Raises
        ------
        HarnessError
            If mAP is undefined.
        """
        positions = self.samples if samples is None else [self.samples[index] for index in samples]
        if not self.truth.scored(positions):
            raise HarnessError(
                f"mAP is undefined: none of the {len(positions)} images has a box that counts "
                "(iscrowd 0, of a category in the list)",
                "use images with annotations, or only measure performance: --mode=performance",
            )


def read_images(dataset: Dataset, count: int | None) -> ImageList:
    """Read the list of images, in the order of the annotation file.

    Parameters
    ----------
    count
        Only the first ones; None for all.

    Raises
    ------
    HarnessError
        If annotations or images are missing or invalid, or no image remains.
    """
    folder = Folder(dataset.images, dataset.inside)
    truth = read_coco(dataset.annotations, folder)
    rows: list[tuple[int, Image]] = list(enumerate(truth.images))
    if dataset.only_annotated:
        annotated = truth.annotated()
        rows = [(number, row) for number, row in rows if number in annotated]
    rows = rows[:count]
    if not rows:
        raise HarnessError(f"{dataset.annotations} has no image with an annotation", "annotate some images")
    found = [folder.path / row.name if dataset.preprocessed else folder.find(row.name) for _, row in rows]
    paths = tuple(path for path in found if path is not None)
    if len(paths) < len(rows):
        first = next(row.name for path, (_, row) in zip(found, rows, strict=True) if path is None)
        raise HarnessError(
            f"{len(rows) - len(paths)} of {len(rows)} images are not in {dataset.images}, the first: {first}",
            "install or register the data set again",
        )
    return ImageList(
        tuple(row.id for _, row in rows),
        paths,
        tuple((row.width, row.height) for _, row in rows),
        tuple(row.id for row in truth.categories),
        tuple(number for number, _ in rows),
        truth,
    )
