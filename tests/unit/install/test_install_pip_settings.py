"""pip's settings, from wherever they are read, reach uv under uv's names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ck_repo.install.pip_settings import pip_settings, uv_environment


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home without the machine's settings of pip and uv."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_"))] + ["SSL_CERT_FILE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_personal_file_overrides_general(home: Path) -> None:
    write(home / "xdg/pip/pip.conf", "[global]\nindex-url = https://site\nsite = 1\n")
    write(home / ".config/pip/pip.conf", "[install]\nno-index = yes\n[global]\nno-index = no\nindex_url = https://mine\n")
    assert pip_settings()["index-url"] == "https://mine"
    assert pip_settings()["no-index"] == "yes"
    assert pip_settings()["site"] == "1"


def test_variable_overrides_every_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".config/pip/pip.conf", "[global]\nindex-url = https://mine\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://now")
    assert pip_settings()["index-url"] == "https://now"


def test_pip_config_file_is_read_and_devnull_means_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".config/pip/pip.conf", "[global]\nindex-url = https://mine\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(write(home / "other.conf", "[global]\nindex-url = https://other\n")))
    assert pip_settings()["index-url"] == "https://other"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert "index-url" not in pip_settings()


@pytest.mark.parametrize("text", ["no section = 1\n", "[global\nx", "[global]\nindex-url = \udcff\n"])
def test_broken_file_is_ignored(home: Path, text: str) -> None:
    path = write(home / ".config/pip/pip.conf", "")
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert "index-url" not in pip_settings()


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("index-url", "https://a", {"UV_DEFAULT_INDEX": "https://a"}),
        ("extra-index-url", "https://a\nb", {"UV_INDEX": "https://a b", "UV_INDEX_STRATEGY": "unsafe-best-match"}),
        ("find-links", "/wheels https://b", {"UV_FIND_LINKS": "/wheels,https://b"}),
        ("cert", "/a.pem", {"SSL_CERT_FILE": "/a.pem"}),
        ("no-index", "true", {"UV_NO_INDEX": "1"}),
        ("no-index", "0", {}),
        ("constraint", "/absent.txt /etc", {"UV_CONSTRAINT": "/etc"}),
        ("timeout", "60", {}),
    ],
)
def test_settings_have_uv_names(setting: str, value: str, expected: dict[str, str]) -> None:
    assert uv_environment({setting: value}) == expected


def test_uv_settings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv")
    assert uv_environment({"index-url": "https://pip"}) == {}
