"""Installed and registered components: show, locate, print, remove, clean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.confirm import confirm, confirm_removal
from ck_repo.actions.declare import TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_data import content_of, row_of
from ck_repo.actions.entry_selection import matching
from ck_repo.actions.package import VENV
from ck_repo.actions.request import Request
from ck_repo.contract.record import write
from ck_repo.errors import CKError, NotFoundError, UsageError
from ck_repo.store.entry import Entry
from ck_repo.store.installed import PACKAGE, Installed
from ck_repo.store.query import is_pattern
from ck_repo.store.repositories import LOCAL
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.environment.venv import Venv

ACTIONS: Actions = {}


def _rows(request: Request, *, needed: bool = True) -> list[tuple[Entry, Installed]]:
    """The entries that the request selects; unreadable ones are skipped with a warning, unless they are named.

    Parameters
    ----------
    needed
        Whether a missing entry is an error.
    """
    from ck_repo.stock.environment import read_env
    from ck_repo.store.warnings_once import Problems

    rows, problems = [], Problems()
    for entry in matching(_on_this_machine(request), needed=needed and bool(request.entry or request.text("tags"))):
        try:
            rows.append((entry, read_env(entry)))
        except CKError as error:
            if not is_pattern(request.entry):
                raise
            problems.add(entry.repository, entry.module, error.what)
    problems.warn()
    return rows


def _on_this_machine(request: Request) -> Request:
    """The request restricted to `local`, unless it names a repository: entries of others do not describe this machine."""
    return request if request.repository else replace(request, target=replace(request.target, repository=LOCAL))


def _python_packages(request: Request) -> tuple[Venv | None, dict[str, str]]:
    """The venv, and those of its Python packages that match the tags of the request; none if the request names an entry."""
    from ck_repo.environment.present import present_packages
    from ck_repo.environment.venv import chosen_name, find_venv

    tags = request.text("tags")
    venv = find_venv(request.session, chosen_name(request.text("venv")))
    if venv is None or request.entry:
        return venv, {}
    return venv, {row.name: row.version for row in present_packages(request.session, venv, tags)} if tags else venv.packages


def _source(env: Installed) -> str:
    """Its origin, and whether its downloads were not verified."""
    return f"{env.source}{' (unverified)' if env.unverified else ''}"


@action(
    ACTIONS,
    "show",
    "list everything that is installed or registered, and the venv's Python packages",
    example="ck show env --tags=dataset",
    options=[TAGS, VENV],
)
def show(request: Request) -> Answer:
    """A table of env entries, and of the venv's Python packages."""
    venv, packages = _python_packages(request)
    rows = [(entry, env) for entry, env in _rows(request, needed=not packages) if env.path or env.source]
    table = [(entry.uid, env.name, env.version or "-", _source(env), env.path) for entry, env in rows]
    lines = (
        table_lines(("env", "name", "version", "source", "folder"), table) if rows else ["nothing is installed or registered"]
    )
    if venv and packages:
        lines = [
            *([*lines, ""] if rows or not request.text("tags") else []),
            f"Python packages of venv:{venv.name} (Python {venv.version}):",
            *table_lines(("package", "version"), list(packages.items())),
        ]
    data = [{**row_of(entry), "meta": write(env)} for entry, env in rows]
    return Answer({"lst": data, "python_packages": packages}, lines)


@action(
    ACTIONS,
    "find",
    "print the folder of an installed package",
    example="ck locate env --tags=dataset,coco,2017,val",
    options=[TAGS, VENV],
)
def locate(request: Request) -> Answer:
    """Print folders; for a Python package, the site-packages folder of its venv."""
    from ck_repo.machine.python_packages import site_packages

    rows = _rows(request, needed=False)
    if not rows and request.text("tags"):
        venv, packages = _python_packages(request)
        if venv and packages and (place := site_packages(venv.python)):
            listed = [{"name": name, "version": version, "path": str(place)} for name, version in packages.items()]
            return Answer({"lst": listed, "path": str(place)}, [str(place)])
    rows = rows or _rows(request)
    if not rows:
        raise UsageError("nothing was given to locate", hint="`ck locate env --tags=…`; `ck show env` lists all")
    rows = [(entry, env) for entry, env in rows if env.path]
    if not rows:
        raise NotFoundError("the matching entries have no folder on this machine", hint="`ck show env` lists all")
    data = [{**row_of(entry), "path": env.path, "file": env.file} for entry, env in rows]
    return Answer({"lst": data, "path": data[0]["path"]}, [row["path"] for row in data])


@action(
    ACTIONS,
    "load",
    "print all recorded data of an installed package (`ck cat env` prints its environment variables)",
    example="ck load env --tags=model,demo",
    options=[TAGS],
)
def load(request: Request) -> Answer:
    """Print the meta."""
    rows = _rows(request)
    if not rows:
        raise UsageError("nothing was given to load", hint="`ck load env --tags=…`; `ck show env` lists all")
    data = [{**row_of(entry), "dict": write(env)} for entry, env in rows]
    return Answer(
        {**content_of(rows[0][0]), "lst": data},
        [json.dumps(write(env), indent=2, sort_keys=True, ensure_ascii=False) for _, env in rows],
    )


@action(
    ACTIONS,
    "rm",
    "remove installed packages; registrations are removed without their files",
    example="ck rm env --tags=dataset,demo",
    options=[
        TAGS,
        Option("force", "remove without confirmation; needed for patterns and tags without a terminal", kind="flag"),
    ],
)
def remove(request: Request) -> Answer:
    """Remove env entries, with the folders of packages."""
    from ck_repo.install.clean import remove_installed
    from ck_repo.store.writing import remove_entry

    if not request.entry and not request.text("tags"):
        raise UsageError("nothing was given to remove", hint="`ck rm env:UID`, `ck rm env --tags=…` or `ck rm env:*`")
    rows = _rows(request)
    named = not is_pattern(request.entry) if request.entry else len(rows) == 1
    confirm_removal(request, f"remove {', '.join(env.name for _, env in rows)}", named=named)
    for entry, env in rows:
        remove_entry(entry)
        remove_installed(env)
    lines = [f"removed {env.name}" + _left(env) for _, env in rows]
    return Answer({"lst": [row_of(entry) for entry, _ in rows]}, lines)


def _left(env: Installed) -> str:
    """A note about files that are kept because the user chose their folder with --install_path=."""
    stays = env.source == PACKAGE and env.path and Path(env.path).exists()
    return f"; its files stay in {env.path}" if stays else ""


@action(
    ACTIONS,
    "clean",
    "remove leftovers: unfinished installations, downloaded archives, preprocessed images; with --all also installed packages",
    example="ck clean env",
    options=[
        Option("all", "also remove installed packages", kind="flag"),
        Option("bin", "also delete removed entries that can still be restored", kind="flag"),
        Option("force", "remove without confirmation", kind="flag"),
    ],
)
def clean(request: Request) -> Answer:
    """Free disk space."""
    from ck_repo.install.clean import clean_leftovers, remove_installed
    from ck_repo.stock.environment import read_env
    from ck_repo.store.bin import sweep_bin
    from ck_repo.store.folders import tools_root
    from ck_repo.store.writing import remove_entry

    if request.flag("all"):
        confirm_removal(request, "remove all installed packages", named=False)
        for entry in matching(_on_this_machine(request), needed=False):
            if entry.meta().get("source") == PACKAGE:  # registrations are kept
                env = read_env(entry)
                remove_entry(entry)
                remove_installed(env)
    if request.flag("bin"):
        confirm(request, "permanently delete every entry that can still be restored")
    emptied = sum(sweep_bin(row, everything=request.flag("bin")) for row in request.session.repositories.all())
    freed = clean_leftovers()
    lines = [f"freed {freed / 1e6:.1f} MB of leftovers in {tools_root()}"]
    lines += [f"freed {emptied / 1e6:.1f} MB of removed entries"] if emptied else []
    return Answer({"freed": freed + emptied}, lines)
