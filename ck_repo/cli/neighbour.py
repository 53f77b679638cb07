"""Stock CK in the same Python environment: both distributions install a command named `ck`."""

from __future__ import annotations

from importlib import metadata

STOCK = "ck"  # name of the distribution


def warning() -> str:
    """A note if stock CK is installed in the same environment; empty otherwise."""
    try:
        version = metadata.version(STOCK)
    except metadata.PackageNotFoundError:
        return ""
    return (
        f"note: stock CK {version} is also in this environment. The last one installed provides the command `ck`; "
        "`ck-repo` is always this package. Separate environments avoid the conflict (docs/install.md)."
    )
