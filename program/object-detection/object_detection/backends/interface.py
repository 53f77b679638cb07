"""Common parts of all backends: compare a model's interface with the file, and arrange the outputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from object_detection.backends import Array, Backend
from object_detection.backends.tensor_name import TensorName, named
from object_detection.errors import HarnessError
from object_detection.spec import Model

_HINT = "register it with the right --profile=, or with options for the differences: `ck detect soft --help` lists them"
_ROLES = ("boxes", "scores", "classes", "count", "objectness", "image")


class Outputs:
    """Converts the outputs of a file according to the model's interface.

    Parameters
    ----------
    model
        Its interface.
    inputs, outputs
        Names in the file's order.

    Attributes
    ----------
    wanted
        Names of the required tensors, without repetitions.

    Raises
    ------
    HarnessError
        If the file lacks an input or output of the interface; the message lists the names of both.
    """

    def __init__(self, model: Model, inputs: Collection[str], outputs: Sequence[str]) -> None:
        self._model = model
        fields = {role: str(getattr(model, role)) for role in _ROLES}
        self._tensors: dict[str, TensorName] = {role: named(text, outputs) for role, text in fields.items() if text}
        self.wanted = list(dict.fromkeys(tensor.name for tensor in self._tensors.values()))
        expected = [model.input, *([model.size_input] if model.size_input else [])]
        if set(inputs) != set(expected) or not set(self.wanted) <= set(outputs):
            raise HarnessError(
                f"{model.path} lacks parts of its interface: input {', '.join(expected)}, outputs "
                f"{', '.join(self.wanted)}; it has inputs {', '.join(inputs)} and outputs {', '.join(sorted(outputs))}",
                _HINT,
            )
        # most models: four tensors, or three, used unchanged
        columns = any(tensor.columns is not None for tensor in self._tensors.values())
        more = columns or model.transposed or model.objectness or model.image or not model.classes
        self._as_they_are = not more and model.scores_are == "given" and model.background == "none"

    def arranged(self, found: Sequence[Array], images: int) -> tuple[Array, Array, Array, Array | None]:
        """Convert the tensors of a file to the results of a backend.

        Parameters
        ----------
        found
            The tensors in the order of `wanted`.
        images
            The number of images in the batch.

        Returns
        -------
        boxes
            (images, n, 4).
        scores
            (images, n), or (images, n, classes).
        classes
            (images, n); (images, n, 0) if the scores are by class.
        counts
            (images,): the number of detections; None if the file has none.
        """
        if self._as_they_are:
            return in_batches(found)
        by_name = dict(zip(self.wanted, map(self._rows_last, found), strict=True))
        parts = {role: tensor.take(by_name[tensor.name]) for role, tensor in self._tensors.items()}
        boxes, scores = parts["boxes"], activated(parts["scores"], self._model.scores_are)
        if "objectness" in parts:
            # softmax is over the classes; over the single number of objectness it would be over the boxes
            certain = activated(parts["objectness"], "given" if self._model.scores_are == "given" else "sigmoid")
            scores = np.multiply(scores, certain if certain.ndim == scores.ndim else certain[..., None])
        scores = without_background(scores, self._model.background)
        if "image" in parts:
            return _by_image(images, parts["image"], boxes, scores, parts.get("classes"))
        classes, count = parts.get("classes"), parts.get("count")
        if boxes.ndim == 2:
            boxes, scores = boxes[None], scores[None]
            classes = None if classes is None else classes[None]
        kinds = np.empty((*scores.shape[:2], 0)) if classes is None else classes
        return boxes, scores, kinds, None if count is None else count.reshape(-1)

    def _rows_last(self, found: Array) -> Array:
        """A tensor with a line for each detection; the file may have a column for each."""
        return np.swapaxes(found, -1, -2) if self._model.transposed and found.ndim >= 2 else found


def as_loaded(model: Model, backend: Backend) -> Model:
    """A model's interface with the layout and maximum batch of its file; images of different sizes run one by one.

    Returns
    -------
    Model
        The layout is that of `backend`; `max_batch` is 1 for images of different sizes.
    """
    return replace(model, layout=backend.layout, max_batch=backend.max_batch if model.size else 1)


def activated(values: Array, activation: str) -> Array:
    """Convert a network's outputs to scores.

    Parameters
    ----------
    values
        (..., classes) for ``softmax``, which is over the last axis; any shape otherwise.
    activation
        ``given``: unchanged. ``sigmoid`` and ``softmax`` compute in float32.

    Returns
    -------
    array
        The shape of `values`.
    """
    if activation == "given":
        return values
    wide = values.astype(np.float32)
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(wide, -80, None))))
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def without_background(scores: Array, background: str) -> Array:
    """Remove the background from scores of classes.

    Parameters
    ----------
    scores
        (..., classes).
    background
        ``first``, ``last``, or ``none`` if no class is the background.

    Returns
    -------
    array
        (..., classes), with one class less unless `background` is ``none``.
    """
    if background == "none":
        return scores
    return scores[..., 1:] if background == "first" else scores[..., :-1]


def _by_image(
    images: int, image: Array, boxes: Array, scores: Array, classes: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Split detections of a whole batch, each with the index of its image; negative indices are padding."""
    position = image.reshape(-1).astype(np.int64)
    boxes, scores = boxes.reshape(-1, 4), scores.reshape(-1)
    kinds = np.zeros(len(scores), np.float32) if classes is None else classes.reshape(-1)
    own = [position == number for number in range(images)]
    return padded([(boxes[rows], scores[rows], kinds[rows]) for rows in own])


def in_batches(found: Sequence[Array]) -> tuple[Array, Array, Array, Array | None]:
    """Boxes, scores, classes and optionally the count as a backend's results, with a batch dimension if a model has none."""
    boxes, scores, classes = found[:3]
    if boxes.ndim == 2:
        boxes, scores, classes = boxes[None], scores[None], classes[None]
    return boxes, scores, classes, found[3].reshape(-1) if len(found) > 3 else None


def padded(rows: Sequence[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array, Array]:
    """Boxes (n, 4), scores (n,) and classes (n,) of each image with different n as a backend's results; n may be 0."""
    counts = np.array([len(scores) for _, scores, _ in rows])
    maximum = int(counts.max(initial=0))
    boxes = np.zeros((len(rows), maximum, 4), dtype=np.float32)
    scores, classes = np.zeros((2, len(rows), maximum), dtype=np.float32)
    for number, (own_boxes, own_scores, own_classes) in enumerate(rows):
        boxes[number, : len(own_scores)] = own_boxes
        scores[number, : len(own_scores)] = own_scores
        classes[number, : len(own_scores)] = own_classes
    return boxes, scores, classes, counts


def input_sizes(model: Model, images: Array) -> Array:
    """The sizes of inputs, for models with a separate input for them.

    Parameters
    ----------
    images
        The batch in the layout of `model`.

    Returns
    -------
    array
        int64 (batch, 2): width and height, pixels.
    """
    height, width = images.shape[1:3] if model.layout == "NHWC" else images.shape[2:4]
    return np.tile(np.array([[width, height]], dtype=np.int64), (len(images), 1))


def check_input(model: Model, shape: Sequence[object], dtype: str) -> None:
    """Compare the input of a file with the interface: size and type.

    Raises
    ------
    HarnessError
        If they contradict each other; the message has both.

    Parameters
    ----------
    shape
        Of the file's input; sizes that are not integers above 0 are free.
    dtype
        Of the file's input; empty if unknown.
    """
    layout = layout_of(shape, model)
    if len(shape) == 4:
        of_file = [
            size if isinstance(size, int) and size > 0 else None for size in (shape[1:3] if layout == "NHWC" else shape[2:])
        ]
        wanted = model.size or (None, None)
        if any(size is not None and size != own for size, own in zip(of_file, wanted, strict=True)):
            sides = " × ".join("free" if size is None else str(size) for size in of_file)
            asked = " × ".join(map(str, wanted)) if model.size else "of any size"
            raise HarnessError(f"{model.path} expects images of {sides}; its interface has {asked}", _HINT)
    if dtype and dtype != model.dtype:
        raise HarnessError(f"{model.path} expects images of the type {dtype}; its interface has {model.dtype}", _HINT)


def fixed_batch(shape: Sequence[object]) -> int:
    """The fixed batch of a file; 0 if it accepts any."""
    return shape[0] if shape and isinstance(shape[0], int) and shape[0] > 0 else 0


def layout_of(shape: Sequence[object], model: Model) -> str:
    """The layout of a file's input, from the position of the 3 channels.

    Parameters
    ----------
    shape
        Of the file's input.
    model
        Its own layout is used if the shape is ambiguous.

    Returns
    -------
    str
        ``NCHW`` or ``NHWC``.
    """
    if len(shape) == 4 and (shape[1] == 3) != (shape[3] == 3):
        return "NCHW" if shape[1] == 3 else "NHWC"
    return model.layout
