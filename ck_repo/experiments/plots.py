"""Small plots as text: a line of bars, and a scatter plot of letters."""

from __future__ import annotations

import string
from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_LETTERS = string.ascii_letters + string.digits


def sparkline(counts: Sequence[int]) -> str:
    """Counts as a line of bars; a count of 0 is a space, and any other is visible.

    >>> sparkline([0, 1, 4, 8])
    ' ▁▄█'
    """
    maximum = max(counts, default=0)
    if not maximum:
        return ""
    return "".join(" " if not count else _BARS[max(0, -(-count * len(_BARS) // maximum) - 1)] for count in counts)


def histogram(values: Sequence[float], bins: int) -> list[int]:
    """The number of values in each of equal parts of their range.

    Parameters
    ----------
    values
        At least one.
    bins
        The number of parts.
    """
    low, high = min(values), max(values)
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / width))] += 1
    return counts


def scatter(
    points: Sequence[tuple[float, float, str]], x_title: str, y_title: str, width: int = 60, height: int = 15
) -> list[str]:
    """Points as letters, with a legend; ``*`` stands for several points at the same position.

    Parameters
    ----------
    points
        x, y and name of each.
    width, height
        Size in characters.
    """
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    field = [[" "] * width for _ in range(height)]
    legend = []
    for number, (x, y, name) in enumerate(points):
        letter = _LETTERS[number] if number < len(_LETTERS) else "+"
        column, row = _place(x, xs, width), height - 1 - _place(y, ys, height)
        field[row][column] = letter if field[row][column] == " " else "*"
        legend.append(f"{letter}  {name}: {x:.5g} {x_title}, {y_title} {y:.4f}")
    top, bottom = f"{max(ys):.4f}", f"{min(ys):.4f}"
    margin = max(len(top), len(bottom))
    labels = [top, *[""] * (height - 2), bottom]
    lines = [f"{label.rjust(margin)} │{''.join(row)}" for label, row in zip(labels, field, strict=True)]
    low, high = f"{min(xs):.5g}", f"{max(xs):.5g}"
    lines.append(f"{' ' * margin} └{'─' * width}")
    lines.append(f"{' ' * margin}  {low}{f'{high} {x_title}'.rjust(width - len(low))}")
    return [f"{y_title}", *lines, *legend]


def _place(value: float, values: Sequence[float], size: int) -> int:
    low, high = min(values), max(values)
    return (size - 1) // 2 if high == low else round((value - low) / (high - low) * (size - 1))
