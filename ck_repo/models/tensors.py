"""What a model file says of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes
    ----------
    shape
        None stands for a size that is free.
    dtype
        NumPy's name for it.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True)
class Interface:
    """What a model file says of itself.

    Attributes
    ----------
    inputs, outputs
        In the file's order.
    opset
        0 where there is none.
    metadata
        What its exporter noted, by key.
    roles
        What outputs are, as far as the operation that makes them tells: name by ``boxes``, ``scores``, ….
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    opset: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)
