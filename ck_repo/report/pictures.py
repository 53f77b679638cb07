"""The images of a data set, scaled down for a page."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ck_repo.report.objects import Image

BUDGET = 13 << 20  # maximum bytes of all pictures of a page, before base 64
# by number of images: length of the longer side, pixels
_SIDES = ((60, 480), (250, 360), (1000, 240), (2500, 192), (1 << 60, 144))
_QUALITY = 50  # quality of WebP; artefacts are not visible at this size
_LARGEST = 1 << 28  # maximum pixels of an image


@dataclass(frozen=True)
class Picture:
    """A picture as a data URL; empty if there is none, with the reason."""

    address: str
    why: str = ""


@dataclass(frozen=True)
class Pictures:
    """The pictures of some images, in their order, and the longer side in pixels."""

    rows: tuple[Picture, ...]
    side: int

    @property
    def left_out(self) -> int:
        """The number of images without a picture because the page is full."""
        return sum(row.why == _FULL for row in self.rows)

    @property
    def unreadable(self) -> int:
        """The number of unreadable images."""
        return sum(bool(row.why) and row.why != _FULL for row in self.rows)


_FULL = "omitted: the page is full"


def make_pictures(images: Sequence[Image], budget: int = BUDGET) -> Pictures:
    """Scale images down; when the budget is used up, the remaining images get no picture.

    Parameters
    ----------
    images
        The most important first.
    budget
        Bytes.
    """
    side = next(side for limit, side in _SIDES if len(images) <= limit)
    rows: list[Picture] = []
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        for group in _groups(images, 64):
            if budget <= 0:
                rows += [Picture("", _FULL)] * len(group)
                continue
            for content in pool.map(lambda image: _scaled(image, side), group):
                if isinstance(content, str):
                    rows.append(Picture("", content))
                elif len(content) > budget:
                    budget = 0
                    rows.append(Picture("", _FULL))
                else:
                    budget -= len(content)
                    rows.append(Picture("data:image/webp;base64," + base64.b64encode(content).decode()))
    return Pictures(tuple(rows), side)


def _groups(images: Sequence[Image], size: int) -> Iterator[Sequence[Image]]:
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _scaled(image: Image, side: int) -> bytes | str:
    """A small WebP of an image, or why there is none. EXIF orientation is ignored, as in the benchmark."""
    from PIL import Image as Pillow

    if image.path is None:
        return "its file is outside the image folder"
    if not image.path.is_file():  # opening a pipe would block
        return "the image does not exist"
    try:
        with Pillow.open(image.path) as opened:
            if opened.width * opened.height > _LARGEST:
                return "the image is too large"
            opened.draft("RGB", (side, side))
            small = opened.convert("RGB")
        small.thumbnail((side, side))
        sink = io.BytesIO()
        small.save(sink, "WEBP", quality=_QUALITY, method=1)
        return sink.getvalue()
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        return f"the image cannot be read: {type(error).__name__}"
