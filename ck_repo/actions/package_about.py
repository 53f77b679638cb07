"""Packages: description, variations and dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ck_repo import progress
from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import matching
from ck_repo.actions.request import Request
from ck_repo.errors import CKError
from ck_repo.store.query import is_pattern
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.resolve.component import Component

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "show",
    "show a package with its tags, variations and dependencies; without a name, a table of all packages",
    example="ck show package:dataset-coco-2017-val",
    options=[TAGS, REPOSITORY],
)
def show(request: Request) -> Answer:
    """Describe packages; an unreadable one is an error only if it was named."""
    from ck_repo.resolve.component import read_component
    from ck_repo.store.naming import unambiguous_names

    found: list[Component] = []
    for entry in matching(request):
        try:
            found.append(read_component(entry))
        except CKError as error:
            if not is_pattern(request.entry):
                raise
            progress.warn(f"package skipped: {error.what}")
    names = unambiguous_names(request.session.repositories, [row.entry for row in found])
    data = [_described(row) for row in found]
    if is_pattern(request.entry):
        table = [(name, row.version or "-", row.name) for name, row in zip(names, found, strict=True)]
        return Answer({"lst": data}, table_lines(("package", "version", "name"), table))
    lines: list[str] = []
    for name, row in zip(names, data, strict=True):
        lines += ["", name, *(f"  {key}: {_text(row[key])}" for key in _SHOWN if row[key])]
    return Answer({"lst": data, **data[0]}, lines[1:])


_SHOWN = ("name", "data_uid", "version", "python_package", "tags", "variations", "needs", "path")


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _described(component: Component) -> dict[str, object]:
    return {
        **row_of(component.entry),
        "name": component.name,
        "version": component.version,
        "python_package": component.python_package + component.python_version if component.python_package else "",
        "tags": sorted(component.tags),
        "variations": [row.name + ("*" if row.default else "") for row in component.variations.values()],
        "needs": [f"{row.key} ({','.join(row.tags)})" for row in component.deps],
    }
