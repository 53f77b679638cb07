"""Assemble pages from templates, scripts and data. All data of runs is escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ck_repo import __version__
from ck_repo.errors import ConflictError
from ck_repo.report import vega
from ck_repo.report.chart import Chart
from ck_repo.report.output import output_file

GENERATOR = f"ck-repo {__version__}"
_TEMPLATES = Path(__file__).with_name("templates")
_MARK = '<meta name="generator" content="ck-repo '
_POLICY = "default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


@lru_cache(maxsize=8)
def asset(name: str) -> str:
    """A script or style sheet of the pages."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def as_json(value: Any) -> str:
    """JSON for a script element, in which no text can end the element or start a comment.

    >>> as_json("</script>")
    '"\\\\u003c/script>"'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page(
    template: str,
    *,
    title: str,
    charts: Sequence[Chart] = (),
    gallery: Mapping[str, Any] | None = None,
    assets: str = "",
    **content: Any,
) -> str:
    """A page as text.

    Parameters
    ----------
    template
        File name of the template.
    charts
        The charts that it draws.
    gallery
        The data of the gallery of images.
    assets
        Relative URL of the folder with scripts and style; if empty, they are included in the page.
    content
        Variables of the template.
    """
    from markupsafe import Markup

    library = vega.library() if charts and not assets else ""
    script = asset("page.js")
    if assets:
        policy = _POLICY.format(style="file: 'self' 'unsafe-inline'", script="file: 'self'") + "; connect-src 'self'"
    else:
        allowed = " ".join(_digest(each) for each in (library, script) if each)
        policy = _POLICY.format(style="'unsafe-inline'", script=allowed)
    return str(
        _environment()
        .get_template(template)
        .render(
            title=title,
            generator=GENERATOR,
            made=time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC",
            policy=Markup(policy),
            style=Markup(asset("page.css")),
            script=Markup(script),
            vega=Markup(library),
            licence=Markup(asset("vega-licence.txt")),
            charts=Markup(as_json(vega.specs(charts))) if charts else "",
            gallery=Markup(as_json(gallery)) if gallery else "",
            assets=assets,
            **content,
        )
    )


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def write_page(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a page. An older page of ck is replaced; another file only with `overwrite`.

    Raises
    ------
    ConflictError
        If another file exists.
    """
    if path.is_file() and not overwrite and not is_page(path):
        raise ConflictError(f"{path} already exists, and is not a page of ck", hint="choose another name with --output=FILE")
    with output_file(path, overwrite=True) as staging:
        staging.write_text(text, encoding="utf-8")


def is_page(path: Path) -> bool:
    """Whether a file is a page that ck wrote."""
    with open(path, "rb") as file:
        return _MARK.encode() in file.read(4096)
