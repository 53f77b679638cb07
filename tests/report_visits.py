"""A page opened in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Visit:
    """An open page, its errors and its network requests."""

    page: Any
    complaints: list[str]
    requests: list[str]

    def values(self, chart: str, name: str = "table") -> list[dict[str, Any]]:
        """The data points that a chart has drawn."""
        return list(self.page.evaluate("([chart, name]) => window.ckViews[chart].data(name)", [chart, name]))

    def marks(self, chart: str, kind: str) -> int:
        """The number of marks of a kind that a chart has drawn."""
        return int(self.page.locator(f"[data-chart={chart}] .mark-{kind} path, [data-chart={chart}] .mark-{kind} line").count())
