"""A page that a browser has open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Visit:
    """An open page, and what it complained of or asked the network for."""

    page: Any
    complaints: list[str]
    requests: list[str]

    def values(self, chart: str, name: str = "table") -> list[dict[str, Any]]:
        """The rows that a chart has drawn."""
        return list(self.page.evaluate("([chart, name]) => window.ckViews[chart].data(name)", [chart, name]))

    def marks(self, chart: str, kind: str) -> int:
        """How many marks of a kind a chart has on the page."""
        return int(self.page.locator(f"[data-chart={chart}] .mark-{kind} path, [data-chart={chart}] .mark-{kind} line").count())
