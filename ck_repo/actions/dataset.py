"""Registered and installed data sets: show statistics, write annotations in COCO's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import TAGS, Actions, Answer, Option, action
from ck_repo.actions.request import Request
from ck_repo.contract.record import write
from ck_repo.errors import ConflictError, NotFoundError, UsageError, did_you_mean
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.machine.data_set import Wanted
    from ck_repo.machine.data_set_content import DataSetContent
    from ck_repo.store.installed import Installed

ACTIONS: Actions = {}
_NOT_SHOWN = ("files", "sources", "archived", "digests", "image_ids", "category_ids")
_COLUMNS = ("data set", "format", "images", "boxes", "categories", "folder")


@action(
    ACTIONS,
    "show",
    "show statistics of a data set: images, boxes, categories, sizes, remarks; without a name, a table of all data sets",
    example="ck show dataset:mine",
    options=[TAGS],
)
def show(request: Request) -> Answer:
    """Read a data set and show its statistics."""
    from ck_repo.machine.data_set import read_data_set

    rows = _rows(request)
    if not request.entry and not request.text("tags"):
        return _table(rows)
    env = _one(request, rows)
    found = read_data_set(_wanted(env))
    shown = {key: value for key, value in write(found).items() if key not in _NOT_SHOWN}
    data = {"name": env.name, "uid": env.uid, "format": _format(env), "tags": list(env.tags), **shown}
    return Answer(data, _described(env, found))


@action(
    ACTIONS,
    "convert",
    "write the annotations of a data set in COCO's format; images are not copied",
    example="ck convert dataset:mine --output=mine.json",
    options=[
        TAGS,
        Option("format", "the format to write", value="NAME", choices=("coco",)),
        Option("output", "the file to write", value="FILE"),
        Option("overwrite", "replace the file", kind="flag"),
    ],
)
def convert(request: Request) -> Answer:
    """Convert a data set."""
    from ck_repo.machine.data_set import read_data_set
    from ck_repo.store.atomic import storage_errors
    from ck_repo.store.work import writing_file

    if not request.text("output"):
        raise UsageError("no output file: `ck convert dataset` needs --output=", hint="for example --output=annotations.json")
    env = _one(request, _rows(request))
    output = Path(request.text("output")).expanduser().absolute()
    if output.exists() and not request.flag("overwrite"):
        raise ConflictError(f"{output} already exists", hint="choose another file, or use --overwrite")
    with storage_errors(f"writing {output}"), writing_file(output, overwrite=request.flag("overwrite")) as new:
        found = read_data_set(_wanted(env), coco=new)
    counts = f"{found.count} images, {found.boxes} boxes, {len(found.categories)} categories"
    lines = [f"wrote {output}: {counts}", f"file names are relative to {found.images}"]
    lines += [f"remark: {text}" for text in found.remarks]
    return Answer({"path": str(output), "images": found.images, "remarks": list(found.remarks)}, lines)


def _rows(request: Request) -> list[Installed]:
    """Every registered or installed data set, the latest first."""
    from ck_repo.environment.collect import readable_envs
    from ck_repo.store.query import TagQuery

    query = TagQuery.parse(request.text("tags"))
    found = []
    for env in readable_envs(request.session):
        converted = "conversion" in env.tags  # created by a run: a copy of a data set
        if converted or not env.dataset or not env.dataset.images or not env.dataset.annotations:
            continue
        if query.matches({*env.tags, *_names(env)}):
            found.append(env)
    return sorted(found, key=lambda env: env.registered or env.installed, reverse=True)


def _names(env: Installed) -> list[str]:
    """The names of a data set that a user can give."""
    return [name for name in (env.name, env.uid, env.alias, env.title) if name]


def _one(request: Request, rows: list[Installed]) -> Installed:
    """The data set of a request."""
    name = request.entry
    if not name and not request.text("tags"):
        raise UsageError("no data set was given", hint=f"`ck {request.action} dataset:NAME`; `ck show dataset` lists them")
    found = [env for env in rows if not name or name in _names(env)] or [env for env in rows if name in env.tags]
    if not found:
        known = sorted({other for env in rows for other in _names(env) if other not in (env.uid, env.alias)})
        hint = did_you_mean(name, known) if name and known else "`ck detect soft:dataset.coco --full_path=…` registers one"
        raise NotFoundError(f"there is no data set {name}" if name else "no data set has these tags", hint=hint)
    if len({env.digest for env in found}) > 1:
        listed = ", ".join(f"{env.name} ({env.uid})" for env in found)
        raise UsageError(f"{len(found)} data sets match: {listed}", hint="give the name or UID of one")
    return found[0]


def _wanted(env: Installed) -> Wanted:
    from ck_repo.machine.data_set import Wanted

    assert env.dataset is not None
    return Wanted.of(env.dataset).below(Path(env.path))


def _format(env: Installed) -> str:
    return (env.dataset.format if env.dataset else "") or "coco"


def _table(rows: list[Installed]) -> Answer:
    table = []
    for env in rows:
        part = env.dataset
        assert part is not None
        counts = ("?" if count is None else str(count) for count in (part.count, part.boxes, part.categories))
        table.append((env.name, _format(env), *counts, part.images))
    data = [dict(zip(("name", *_COLUMNS[1:]), row, strict=True)) for row in table]
    lines = table_lines(_COLUMNS, table) if table else ["no data set is registered or installed"]
    return Answer({"lst": data}, lines)


def _described(env: Installed, found: DataSetContent) -> list[str]:
    """The statistics as text."""
    crowds = f", {found.crowds} of them crowds" if found.crowds else ""
    sizes = ", ".join(f"{width} × {height} ({count})" for width, height, count in found.sizes)
    more = f", and {found.kinds_of_size - len(found.sizes)} more" if found.kinds_of_size > len(found.sizes) else ""
    rows = sorted(found.categories, key=lambda row: -row.boxes)
    return [
        f"{env.name}: annotations in the format {_format(env)}",
        f"images: {found.count} in {found.images}, {found.annotated} of them with boxes",
        f"annotations: {found.annotations}",
        f"boxes: {found.boxes}{crowds}",
        f"sizes: {sizes}{more}",
        *(f"remark: {text}" for text in found.remarks),
        "",
        *table_lines(("id", "category", "boxes"), [(str(row.id), row.name, str(row.boxes)) for row in rows]),
    ]
