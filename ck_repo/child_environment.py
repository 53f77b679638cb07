"""The environment of child processes, without variables that change which Python or packages they use."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ck_repo import progress

# variables that the dynamic linker and Python's launchers read before a program starts
_LOADERS = frozenset({
    "__PYVENV_LAUNCHER__", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH",
})  # fmt: skip
# all other variables of Python may change which code runs, its memory, or its text encoding
_HARMLESS_PYTHON = frozenset({
    "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED", "PYTHONNOUSERSITE", "PYTHONUNBUFFERED",
})  # fmt: skip
# settings of pip for the origin of packages and for the network; all others change what is installed, or where
PIP_SETTINGS = frozenset({
    "index-url", "extra-index-url", "find-links", "no-index", "cert", "client-cert", "trusted-host", "proxy", "timeout",
    "default-timeout", "retries", "cache-dir", "no-cache-dir", "constraint", "keyring-provider", "prefer-binary",
})  # fmt: skip
_HARMLESS_PIP = PIP_SETTINGS | {
    "config-file", "disable-pip-version-check", "no-input", "no-color", "progress-bar", "quiet", "verbose", "exists-action",
    "root-user-action", "no-python-version-warning", "use-feature", "use-deprecated",
}  # fmt: skip
# the same of uv
_UV_SETTINGS = frozenset({
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_FIND_LINKS", "UV_NO_INDEX",
    "UV_CONSTRAINT", "UV_CACHE_DIR", "UV_NO_CACHE", "UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "UV_HTTP_RETRIES", "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS", "UV_KEYRING_PROVIDER", "UV_INSECURE_HOST", "UV_OFFLINE", "UV_LINK_MODE", "UV_NO_PROGRESS",
    "UV_EXCLUDE_NEWER", "UV_COMPILE_BYTECODE", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_INSTALLS",
    "UV_PYTHON_DOWNLOADS", "UV_NO_CONFIG", "UV_CONFIG_FILE",
})  # fmt: skip
_HARMLESS_VIRTUALENV = frozenset({"VIRTUALENV_OVERRIDE_APP_DATA", "VIRTUALENVWRAPPER_PYTHON"})
_named: set[str] = set()  # by this process


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child process: ours without the names of `refused`, plus `extra`.

    Variables that are removed are reported once in a process. ``VIRTUAL_ENV``, that of the venv that we may run from, is
    removed silently.
    """
    left_out = refused(os.environ)
    new = [name for name in left_out if os.environ[name] and name not in _named]
    if new:
        _named.update(new)
        progress.say(f"not passed on, because they change which Python or packages are used: {', '.join(new)}")
    passed = {key: value for key, value in os.environ.items() if key not in left_out and key != "VIRTUAL_ENV"}
    return passed | dict(extra or {})


def refused(environment: Mapping[str, str]) -> list[str]:
    """Names of the variables that are not passed to children, sorted.

    >>> refused({"PATH": "/bin", "PYTHONPATH": "/x", "PIP_TARGET": "/y", "PIP_INDEX_URL": "https://index"})
    ['PIP_TARGET', 'PYTHONPATH']
    """
    return sorted(filter(_is_refused, environment))


def _is_refused(name: str) -> bool:
    if name in _LOADERS:
        return True
    if name.startswith("PYTHON"):
        return name not in _HARMLESS_PYTHON
    if name.startswith("PIP_"):
        return name.removeprefix("PIP_").replace("_", "-").lower() not in _HARMLESS_PIP
    if name.startswith("UV_"):
        return name not in _UV_SETTINGS and not name.startswith("UV_INDEX_")
    return name.startswith("VIRTUALENV_") and name not in _HARMLESS_VIRTUALENV
