"""Versions and ranges according to PEP 440."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ck_repo.errors import ConfigError, ConflictError

_LIKE_VERSION = re.compile(r"v?\d+(\.\d+)+([a-z]+\d*)?(\.post\d+|\.dev\d+)?")


def is_version(tag: str) -> bool:
    """Whether a tag looks like a version: CK's users write ``onnxruntime-cpu,1.6.0``.

    >>> is_version("1.6.0"), is_version("2017"), is_version("opset-8")
    (True, False, False)
    """
    return _LIKE_VERSION.fullmatch(tag) is not None


def range_of(text: str, where: str) -> SpecifierSet:
    """Parse a range; a bare version means exactly that one.

    Parameters
    ----------
    where
        Where it stands, for the message.

    Raises
    ------
    ConfigError
        If it is not a version range of PEP 440.
    """
    text = text.strip()
    if text and text[0].isdigit():
        text = f"=={text}"
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        raise ConfigError(f"{where}: {text!r} is not a version range", hint='use PEP 440, for example ">=1.17,<2"') from None


def satisfies(version: str, wanted: str, where: str = "version") -> bool:
    """Whether a version is in a range; an invalid version is only in the empty range.

    Parameters
    ----------
    where
        Where the range stands, for the message.

    Raises
    ------
    ConfigError
        If the range is invalid.
    """
    if not wanted:
        return True
    try:
        return range_of(wanted, where).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def joined(ranges: Iterable[tuple[str, str]], what: str) -> str:
    """The range that all of `ranges` allow.

    Parameters
    ----------
    ranges
        Range and requester.
    what
        What the versions are of, for messages.

    Raises
    ------
    ConfigError
        If a range is invalid.
    ConflictError
        If one pins a version that another excludes.

    Examples
    --------
    >>> joined([(">=1.2", "a"), ("<2", "b")], "numpy")
    '<2,>=1.2'
    """
    rows = [(range_of(text, who), who) for text, who in dict(ranges).items() if text]  # each range once
    for mine, who in rows:
        for pin in mine:
            if pin.operator not in ("==", "===") or pin.version.endswith("*"):
                continue
            for other, other_who in rows:
                if not other.contains(pin.version, prereleases=True):
                    raise ConflictError(
                        f"{what}: {who} needs {mine}, but {other_who} needs {other}",
                        hint="change one of them, or use another venv",
                    )
    whole = SpecifierSet()
    for mine, _ in rows:
        whole &= mine
    return ",".join(sorted(str(part) for part in whole))
