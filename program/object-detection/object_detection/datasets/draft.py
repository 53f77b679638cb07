"""A data set while its annotations are read, with the checks for all formats."""

from __future__ import annotations

from dataclasses import dataclass, field

from object_detection.datasets.oddities import look
from object_detection.datasets.remarks import Remarks
from object_detection.datasets.truth import Boxes, Category, Identity, Image, Truth
from object_detection.errors import HarnessError


@dataclass
class _Known:
    """Ids in the order of occurrence, and the declared ones."""

    position: dict[Identity, int] = field(default_factory=dict)
    declared: dict[int, int] = field(default_factory=dict)  # number of an id: position among the declared ones
    first_use: dict[int, str] = field(default_factory=dict)
    keys: list[Identity] = field(default_factory=list)

    def met(self, key: Identity, where: str = "") -> int:
        number = self.position.get(key)
        if number is None:
            number = self.position[key] = len(self.keys)
            self.keys.append(key)
        if where and number not in self.first_use:
            self.first_use[number] = where
        return number

    def declare(self, key: Identity) -> bool:
        """Add an id; return whether it is new."""
        number = self.met(key)
        if number in self.declared:
            return False
        self.declared[number] = len(self.declared)
        return True

    def numbers(self) -> list[int]:
        """A number for each declared id: the id itself if all are numbers, else positions from 1."""
        keys = [self.keys[number] for number in self.declared]
        whole = [key for key in keys if isinstance(key, int)]
        return whole if len(whole) == len(keys) else [*range(1, len(keys) + 1)]


class Draft:
    """Collects images, categories and boxes in any order, and creates a `Truth`.

    Parameters
    ----------
    source
        The source, for messages.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.remarks = Remarks()
        self._images: list[tuple[Identity, str, int, int]] = []  # id as written, file name, width, height
        self._categories: list[tuple[Identity, str]] = []  # id as written, name
        self._image_ids, self._category_ids = _Known(), _Known()
        self._boxes = Boxes()

    def error(self, what: str, hint: str = "") -> HarnessError:
        """An error that names the source."""
        return HarnessError(f"{self.source}: {what}", hint)

    def image(self, key: Identity, name: str, width: int, height: int, named: Identity | None = None) -> None:
        """Add an image.

        Parameters
        ----------
        key
            The id, as a number if it is one in quotes.
        width, height
            Pixels; 0 × 0 if they have to be read from the file.
        named
            The id as written.

        Raises
        ------
        HarnessError
            If another image has the id.
        """
        if not self._image_ids.declare(key):
            raise self.error(f"two images have the id {key}", "give each image a unique id")
        self._images.append((key if named is None else named, name, width, height))

    def category(self, key: Identity, name: str, named: Identity | None = None) -> None:
        """Add a category.

        Parameters
        ----------
        key
            The id, as a number if it is one in quotes.
        named
            The id as written.

        Raises
        ------
        HarnessError
            If another category has the id.
        """
        if not self._category_ids.declare(key):
            raise self.error(f"two categories have the id {key}", "give each category a unique id")
        self._categories.append((key if named is None else named, name))

    def box(
        self, image: Identity, category: Identity, box: tuple[float, float, float, float], where: str,
        area: float | None = None, crowd: int = 0,
    ) -> None:  # fmt: skip
        """Add a box.

        Parameters
        ----------
        image, category
            Ids as in the annotations.
        box
            x, y, width and height, pixels.
        where
            The annotation, for messages.
        area
            Square pixels; None for width × height.
        crowd
            1 for a group of objects, which is not scored.

        Raises
        ------
        HarnessError
            If the box is empty.
        """
        width, height = box[2:]
        if width <= 0 or height <= 0:
            raise self.error(
                f"{where} has an empty box: bbox {[*map(_short, box)]} is {_short(width)} wide and {_short(height)} high",
                "remove the annotation, or correct its bbox: [x, y, width, height] in pixels",
            )
        numbers = self._image_ids.met(image, where), self._category_ids.met(category, where)
        self._boxes.add(*numbers, box, width * height if area is None else area, crowd)

    def named_images(self) -> list[tuple[int, str]]:
        """Index and file name of the images without a size."""
        return [(position, name) for position, (_, name, width, _) in enumerate(self._images) if not width]

    def sized(self, position: int, width: int, height: int) -> None:
        """Set the size of an image.

        Parameters
        ----------
        position
            Its index, from `named_images`.
        width, height
            Pixels, as stored in the file.
        """
        key, name, *_ = self._images[position]
        self._images[position] = (key, name, width, height)

    def finish(self) -> Truth:
        """Check references, and search for suspicious data."""
        if not self._images:
            raise self.error("it has no images")
        images = self._image_ids
        for number, where in images.first_use.items():
            if number not in images.declared:
                raise self.error(
                    f"{where} refers to image {images.keys[number]}, which is not in the list of images",
                    "add the image, or remove its annotations",
                )
        self._number_positions()
        image_numbers, category_numbers = images.numbers(), self._category_ids.numbers()
        truth = Truth(
            tuple(Image(key, *row) for key, row in zip(image_numbers, self._images, strict=True)),
            tuple(Category(key, *row) for key, row in zip(category_numbers, self._categories, strict=True)),
            self._boxes,
        )
        look(truth, self.remarks)
        return Truth(truth.images, truth.categories, truth.boxes, self.remarks.sentences())

    def _number_positions(self) -> None:
        """Convert numbers of ids to positions in the lists."""
        boxes, categories = self._boxes, self._category_ids
        unknown: dict[int, int] = {}
        for number in range(len(boxes)):
            boxes.image[number] = self._image_ids.declared[boxes.image[number]]
            met = boxes.category[number]
            if met not in categories.declared:
                unknown[met] = unknown.get(met, 0) + 1
            boxes.category[number] = categories.declared.get(met, -1)
        for met, count in unknown.items():
            self.remarks.add(
                f"annotations of category {categories.keys[met]}, which is not in the list of categories and is not scored",
                categories.first_use[met],
                count,
            )


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else value
