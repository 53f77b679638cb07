"""Charts: a Vega-Lite description with a title, a text alternative, and a table of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Spec = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

# colours are CSS variables, which dark mode and printing override
SERIES = tuple(f"var(--s{number})" for number in range(1, 9))
GOOD, BAD, MUTED, ACCENT = "var(--good)", "var(--bad)", "var(--muted)", "var(--s1)"
CONFIG: Spec = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor", "titleColor": "currentColor", "gridColor": "var(--grid)", "domainColor": "var(--muted)",
        "tickColor": "var(--muted)", "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
    },
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 12, "orient": "top", "title": None},
    "header": {"labelColor": "currentColor", "titleColor": "currentColor"},
    "text": {"color": "currentColor"},
    "range": {"category": list(SERIES)},
    "bar": {"color": ACCENT},
    "line": {"color": ACCENT, "strokeWidth": 2},
    "point": {"color": ACCENT, "filled": True},
    "area": {"color": ACCENT},
    "rule": {"color": MUTED},
    "aria": True,
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A chart of a page.

    Attributes
    ----------
    key
        Its id in the page.
    title, text
        Its content and how to read it, in a sentence or two.
    spec
        Vega-Lite, without `$schema` and the configuration that all charts share.
    columns, rows
        The data as a table, for screen readers and for copying; none if `columns` is empty.
    """

    key: str
    title: str
    text: str
    spec: Spec
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[object]] = field(default_factory=tuple)
    wide: bool = False

    def vega_lite(self) -> dict[str, object]:
        """The complete description."""
        return {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "width": "container",
            "height": 240,
            "autosize": {"type": "fit-x", "contains": "padding"},
            "description": f"{self.title}. {self.text}",
            **self.spec,
            "config": CONFIG,
        }


def quantity(name: str, title: str | None, **more: Any) -> dict[str, object]:
    """A channel with a number."""
    return {"field": name, "type": "quantitative", "title": title, **more}


def nominal(name: str, title: str | None = None, **more: Any) -> dict[str, object]:
    """A channel with names."""
    return {"field": name, "type": "nominal", "title": title, **more}


def data(rows: Rows, name: str = "table") -> dict[str, object]:
    """The data of a chart; scripts of the page find it by `name`."""
    return {"name": name, "values": list(rows)}


def tooltip(*columns: tuple[str, str] | tuple[str, str, str]) -> list[dict[str, object]]:
    """The tooltip of a mark: field, title and, for numbers, the format."""
    return [
        {
            "field": row[0],
            "title": row[1],
            **({"type": "quantitative", "format": row[2]} if len(row) > 2 else {"type": "nominal"}),
        }
        for row in columns
    ]


def rule_at(
    channel: str, value: float, label: str, color: str = BAD, *, before: bool = False, line: int = 0
) -> list[dict[str, object]]:
    """A line across a chart at a value, with a label.

    Parameters
    ----------
    before
        Whether the label is left of a vertical line.
    line
        Offset of the label in lines of text, to avoid overlaps.
    """
    side = {"dx": -4, "align": "right"} if before else {"dx": 4, "align": "left"}
    other = {"x": {**side, "dy": 4 + 14 * line, "baseline": "top"}, "y": {"dx": -4, "dy": -6, "align": "right"}}[channel]
    place = {"y": {"value": 0}} if channel == "x" else {"x": {"value": "width"}}
    return [
        {
            "data": {"values": [{"at": value}]},
            "mark": {"type": "rule", "color": color, "strokeDash": [5, 4], "strokeWidth": 1.5},
            "encoding": {channel: {"field": "at", "type": "quantitative"}},
        },
        {
            "data": {"values": [{"at": value, "label": label}]},
            "mark": {"type": "text", "color": color, **other},
            "encoding": {channel: {"field": "at", "type": "quantitative"}, "text": {"field": "label"}, **place},
        },
    ]
