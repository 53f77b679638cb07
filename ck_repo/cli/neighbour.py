"""Stock CK in the same Python environment: both distributions install a command named `ck`."""

from __future__ import annotations

from importlib import metadata

STOCK = "ck"  # the distribution's name


def warning() -> str:
    """A line about stock CK if it is installed beside this package; empty if it is not."""
    try:
        version = metadata.version(STOCK)
    except metadata.PackageNotFoundError:
        return ""
    return (
        f"note: stock CK {version} is in this environment, too. The one installed last owns the command `ck`; "
        "`ck-repo` is always this one. Two environments keep them apart (docs/install.md)."
    )
