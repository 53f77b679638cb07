"""What a model file says of its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass


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
    """Inputs and outputs of a model, in the file's order, and the opset (0 where there is none)."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    opset: int = 0
