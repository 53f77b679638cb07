"""Workflow automation for the MLPerf Inference v1.0 object-detection benchmark, with CK's command line.

`access` and the other names of stock CK's kernel are in `ck_repo.kernel`, and are available here too: ``import ck_repo as ck``.
`ck_repo.api` is the typed interface for new code.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it as true; importing `typing` would triple the time of `import ck_repo`
if TYPE_CHECKING:
    from typing import Any

    from ck_repo.kernel.access import access as access


def __getattr__(name: str) -> Any:
    from importlib import import_module
    from importlib.machinery import PathFinder

    if name in ("api", "kernel"):
        return import_module(f"{__name__}.{name}")
    # `from ck_repo import network` asks here first: the import system finds packages and modules, and loads less
    if name.startswith("__") or PathFinder.find_spec(f"{__name__}.{name}", __path__):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.kernel"), name)


def __dir__() -> list[str]:
    from ck_repo import kernel

    return sorted({*globals(), *kernel.__all__, "api", "kernel"} - {"TYPE_CHECKING"})
