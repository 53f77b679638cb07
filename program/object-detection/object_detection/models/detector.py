"""The common interface of the networks in PyTorch, which the backend and the conversion to ONNX use."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from object_detection.errors import HarnessError
from object_detection.models.rule import Rule


class Detector(nn.Module, ABC):
    """A network with heads over anchors.

    Attributes
    ----------
    box_order
        Of the corners that it returns: ``yxyx`` or ``xyxy``.
    """

    box_order: str

    @abstractmethod
    def selection(self) -> Rule:
        """The rule for the selection of detections."""

    @abstractmethod
    def heads(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (batch, 3, …) to raw scores (batch, anchors, classes), background first, and offsets (batch, anchors, 4)."""

    @abstractmethod
    def confidences(self, scores: Tensor) -> Tensor:
        """Raw scores to (batch, anchors, classes) from 0 to 1, without the background."""

    @abstractmethod
    def decode(self, offsets: Tensor) -> Tensor:
        """Raw offsets to corners (batch, anchors, 4) from 0 to 1."""

    def take_bytes(self) -> None:
        """Accept images as bytes, if the network does not yet."""
        raise HarnessError(f"{type(self).__name__} has no scaling for images of bytes")
