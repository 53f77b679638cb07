"""Pass the user's settings of pip (index, find-links, certificate, constraints) on to uv, which has other names for them."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ck_repo.child_environment import PIP_SETTINGS


def pip_settings() -> dict[str, str]:
    """The settings of pip: from its files, where personal ones take precedence over general ones, then from PIP_… variables."""
    values: dict[str, str] = {}
    for path in _files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                values |= {key.replace("_", "-").lower(): value for key, value in parser.items(section)}
    values |= {
        key.removeprefix("PIP_").replace("_", "-").lower(): value for key, value in os.environ.items() if key.startswith("PIP_")
    }
    return values


def _files() -> list[Path]:
    if os.environ.get("PIP_CONFIG_FILE"):
        return [] if os.environ["PIP_CONFIG_FILE"] == os.devnull else [Path(os.environ["PIP_CONFIG_FILE"])]
    folders = [Path(row) / "pip" for row in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if row]
    folders.append(Path("/etc"))
    home = Path(os.path.expanduser("~"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    folders += [home / ".pip", config / "pip"]
    if sys.platform == "darwin":
        folders.append(home / "Library/Application Support/pip")
    return [folder / "pip.conf" for folder in folders]


def pip_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as variables of pip, without its files, which may set where to install."""
    kept = {f"PIP_{key.replace('-', '_').upper()}": value for key, value in settings.items() if key in PIP_SETTINGS and value}
    return {**{key: " ".join(value.split()) for key, value in kept.items()}, "PIP_CONFIG_FILE": os.devnull}


def uv_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings under uv's names; settings for uv itself take precedence."""
    values = {}
    if index := settings.get("index-url"):
        values["UV_DEFAULT_INDEX"] = index
    if extra := settings.get("extra-index-url", "").split():
        values["UV_INDEX"] = " ".join(extra)
        values["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip searches all indexes and takes the best version
    if links := settings.get("find-links", "").split():
        values["UV_FIND_LINKS"] = ",".join(links)
    if certificate := settings.get("cert"):
        values["SSL_CERT_FILE"] = certificate
    if constraint := settings.get("constraint", "").split():
        values["UV_CONSTRAINT"] = " ".join(path for path in constraint if Path(path).exists())
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        values["UV_NO_INDEX"] = "1"
    return {key: value for key, value in values.items() if value and key not in os.environ}
