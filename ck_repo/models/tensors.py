"""The inputs and outputs of a model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes
    ----------
    shape
        None is an unknown size.
    dtype
        In NumPy's notation.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True)
class Interface:
    """The interface of a model file.

    Attributes
    ----------
    inputs, outputs
        In the file's order.
    opset
        0 if there is none.
    metadata
        Metadata from its exporter, by key.
    roles
        Roles of the outputs, as far as their operation defines them: name by ``boxes``, ``scores``, ….
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    opset: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)
