"""Vega-Lite: the library that draws the charts of a page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version

from ck_repo.errors import CKError
from ck_repo.report.chart import Chart
from ck_repo.store.atomic import write_text
from ck_repo.store.folders import tools_root

_EXPORT, _END = "window.vegaEmbed = vegaEmbed;", "\n/* end */"


@lru_cache(maxsize=1)
def library() -> str:
    """The library as one script that sets `window.vegaEmbed`, 0.9 MB: bundled by a Python package that has it, then cached."""
    import vl_convert

    versions = f"{version('vl-convert-python')}-{vl_convert.get_vega_version()}"
    kept = tools_root() / ".cache" / f"vega-{versions}.js"
    with suppress(OSError, UnicodeDecodeError):
        text = kept.read_text(encoding="utf-8")
        if text.endswith(_END):
            return text
    text = str(vl_convert.javascript_bundle(_EXPORT)) + _END
    with suppress(OSError, CKError):  # the next report bundles it again
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, text)
    return text


def specs(charts: Sequence[Chart]) -> dict[str, object]:
    """The descriptions of charts by their keys."""
    return {chart.key: chart.vega_lite() for chart in charts}
