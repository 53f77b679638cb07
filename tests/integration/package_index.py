"""A local package index in a folder."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest


class Index:
    """A package index in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pages: dict[str, list[str]] = {}

    def release(
        self, name: str, version: str, content: str = "x = 1\n", yanked: str = "", needs: str = "", **more: str
    ) -> None:
        """Publish a wheel; an existing version is replaced."""
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": content,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            + (f"Requires-Dist: {needs}\n" if needs else ""),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            **more,
        }
        rows = [f"{path},sha256={self._digest(text)},{len(text)}" for path, text in files.items()]
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        wheel = f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(folder / wheel, "w") as file:
            for path, text in {**files, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"}.items():
                file.writestr(path, text)
        withdrawn = f' data-yanked="{yanked}"' if yanked else ""
        links = [row for row in self.pages.get(name, []) if wheel not in row] + [f'<a href="{wheel}"{withdrawn}>{wheel}</a>']
        self.pages[name] = links
        (folder / "index.html").write_text("<html><body>" + "\n".join(links) + "</body></html>")

    def _digest(self, text: str) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    found = Index(tmp_path / "index")
    found.release("lib", "1.0")
    found.release("other", "3.1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, found.root.as_uri())
    return found
