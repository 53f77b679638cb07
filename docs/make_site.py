"""Pages of the docs site that are not in this folder: mkdocs calls `on_files` and `on_page_markdown`.

Files beside and outside this folder become pages, with their links adapted. Modules get a page that mkdocstrings fills from the docstrings.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security-policy.md",
    "benchmarks/README.md": "benchmarks.md",
}
COPIES = ("LICENSE", "CITATION.cff")
MODULES = {
    "ck_repo.api": "The typed Python interface.",
    "ck_repo.kernel": "Stock CK's Python interface.",
    "ck_repo.errors": "The errors that both raise.",
    "object_detection.backends": "The interface that a backend of a third party implements.",
}
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)]*)?\))")


def adapted(text: str, page: str) -> str:
    """The text of a page of the repository, with the links that it has on the site."""
    folder = PurePosixPath(page).parent

    def target(link: re.Match[str]) -> str:
        start, path, end = link.groups()
        place = normpath(folder / path)
        return start + PAGES.get(place, place.removeprefix("docs/")) + end

    return _LINK.sub(target, text)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that the site has beside those of this folder."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for name in COPIES:
        if (ROOT / name).exists():
            files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    for module, summary in MODULES.items():
        files.append(File.generated(config, f"api/{module}.md", content=f"# {module}\n\n{summary}\n\n::: {module}\n"))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Adapt the links of a page."""
    sources = {page: source for source, page in PAGES.items()}
    return adapted(markdown, sources.get(page.file.src_uri, f"docs/{page.file.src_uri}"))
