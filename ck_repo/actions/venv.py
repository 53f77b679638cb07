"""Venvs: create, activate, list, find, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo import progress
from ck_repo.actions.declare import LISTING, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_archive import OVERWRITE
from ck_repo.actions.entry_data import row_of, rows_of
from ck_repo.actions.entry_selection import matching
from ck_repo.actions.package import DRY_RUN, TRUST
from ck_repo.actions.request import Request
from ck_repo.errors import CKError, ConflictError, InstallError, MismatchError, NotFoundError, UsageError
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.environment.venv import Venv

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "create",
    "create a venv with all components of a template, or add missing ones to an existing venv",
    example="ck create venv:mlperf-inference --template=mlperf-inference-1.0",
    options=[
        Option(
            "template",
            "the template: NAME or REPOSITORY:NAME (default mlperf-inference-1.0; `ck ls venv.template` lists them)",
            value="NAME",
        ),
        Option("python", "the Python version to use: 3.12, >=3.10,<3.13, or a path", value="VERSION"),
        Option("lock", "create it from this lock file, instead of from a template", value="FILE"),
        Option("bundle", "create it from a bundle, without the network (`ck bundle venv`)", value="FILE"),
        Option("force", "create it again if it exists", kind="flag"),
        DRY_RUN,
        TRUST,
    ],
)
def create(request: Request) -> Answer:
    """Create a venv."""
    if request.text("lock") or request.text("bundle"):
        return _recreate(request)
    from ck_repo.environment.create import create_venv, plan_venv
    from ck_repo.environment.venv import default_name
    from ck_repo.install.to_fetch import fetch_lines
    from ck_repo.resolve import explain

    name, force = request.entry or default_name(), request.flag("force")
    plan = plan_venv(request.session, name, request.text("template"), request.text("python"), from_scratch=force)
    if request.flag("dry_run"):
        planned = {"python": str(plan.python.path), "python_version": plan.python.version}
        lines = [f"venv:{plan.name} with Python {plan.python.version} ({plan.python.path})"]
        return Answer(
            {**planned, "plan": explain.as_data(plan.choices)},
            [*lines, *explain.as_lines(plan.choices, reasons=False), *fetch_lines(plan.choices)],
        )
    venv = create_venv(request.session, plan, force=force)
    made = {"python": str(venv.python), "python_version": venv.version, "packages": venv.packages}
    return Answer(
        {**row_of(venv.entry), **made}, [f"venv:{venv.name} is ready, Python {venv.version}: `ck activate venv:{venv.name}`"]
    )


def _recreate(request: Request) -> Answer:
    """Create a venv from a lock or a bundle, and report differences that could not be avoided."""
    from ck_repo.environment.lockfile import read_lock
    from ck_repo.environment.venv import default_name
    from ck_repo.reproduce.bundle import create_from_bundle
    from ck_repo.reproduce.recreate import difference_lines, interpreter_for, recreate
    from ck_repo.trust import is_own_lock

    if request.text("template") or (request.text("lock") and request.text("bundle")):
        raise UsageError("--lock=, --bundle= and --template= exclude each other", hint="give one of them")
    name = request.entry or default_name()
    force = request.flag("force")
    if request.flag("dry_run"):
        raise UsageError("--dry-run is only for templates", hint="a lock file lists each package and component")
    if request.text("bundle"):
        done = create_from_bundle(request.session, name, Path(request.text("bundle")), request.text("python"), force=force)
    else:
        path = Path(request.text("lock")).expanduser().resolve()
        lock = read_lock(path)
        python = interpreter_for(lock, request.text("python"))
        done = recreate(request.session, name, lock, python, force=force, own=is_own_lock(path))
    venv = done.venv
    made = {"python": str(venv.python), "python_version": venv.version, "packages": venv.packages}
    lines = [
        *difference_lines(done.differences),
        f"venv:{venv.name} is ready, Python {venv.version}: `ck activate venv:{venv.name}`",
    ]
    return Answer({**row_of(venv.entry), **made, "differences": [row.as_data() for row in done.differences]}, lines)


@action(
    ACTIONS,
    "lock",
    "write a lock of the packages and components of a venv, with which `ck check venv` then compares it",
    example="ck lock venv:mlperf-inference --output=mlperf.lock.json",
    options=[Option("output", "the file to write (default NAME.lock.json)", value="FILE"), OVERWRITE],
)
def lock(request: Request) -> Answer:
    """Lock a venv: interpreter, packages, components, files, platform."""
    from ck_repo.environment.lockfile import NAME, write_lock
    from ck_repo.environment.locking import renew_lock

    venv = _named(request)
    path = Path(request.text("output") or f"{venv.name}.lock.json").expanduser().absolute()
    if path.exists() and not request.flag("overwrite"):
        raise ConflictError(f"{path} already exists", hint="choose another name with --output=, or use --overwrite")
    first = venv.of_stock_ck and not (venv.entry.path / NAME).exists()
    made = renew_lock(request.session, venv)
    write_lock(path, made)
    return Answer(
        {**row_of(venv.entry), "lock": str(path), "dict": made.as_data()},
        [
            *([f"venv:{venv.name} was made by stock CK and had no lock; this is its first"] if first else []),
            f"locked venv:{venv.name}: Python {venv.version}, {len(made.packages)} packages, {len(made.components)} components",
            f"{path}: `ck create venv:NAME --lock={path.name}` creates the same venv elsewhere",
        ],
    )


@action(
    ACTIONS,
    "check",
    "compare a venv with its lock: packages, files, recipes; exit status 10 if they differ",
    example="ck check venv:mlperf-inference",
    options=[Option("lock", "compare with this lock file (default: the venv's own)", value="FILE")],
)
def check(request: Request) -> Answer:
    """Find drift."""
    from ck_repo.environment.lockfile import NAME, read_lock
    from ck_repo.environment.locking import read_venv_lock
    from ck_repo.reproduce.check import drift
    from ck_repo.reproduce.difference import Difference

    venv = _read(request)
    if other := venv.other_python():  # nothing else can be compared then
        changed, hint = Difference("python", "version", venv.version, "another", other), venv.how_to_make_again()
        data = {**row_of(venv.entry), "drift": [changed.as_data()]}
        return Answer({"error": other, **data, "hint": hint}, [other, hint], status=MismatchError.code)
    venv.check()
    if venv.of_stock_ck and not request.text("lock") and not (venv.entry.path / NAME).exists():
        raise NotFoundError(
            f"venv:{venv.name} was made by stock CK and has no lock to compare with",
            hint=f"`ck lock venv:{venv.name}` records its current state",
        )
    named = request.text("lock")
    held = read_lock(Path(named).expanduser().resolve()) if named else read_venv_lock(request.session, venv)
    found = drift(request.session, venv, held)
    data = {**row_of(venv.entry), "drift": [row.as_data() for row in found]}
    if not found:
        return Answer(data, [f"venv:{venv.name} matches its lock of {held.made}"])
    text = f"venv:{venv.name} differs from its lock of {held.made}"
    hint = f"`ck create venv:{venv.name} --lock=… --force` creates it again; `ck lock venv:{venv.name}` accepts the changes"
    return Answer(
        {"error": text, **data, "hint": hint}, [f"{text}:", *(f"  {row}" for row in found), hint], status=MismatchError.code
    )


@action(
    ACTIONS,
    "bundle",
    "pack everything for a machine without network into one file: wheels, model, data set, recipes, lock",
    example="ck bundle venv:mlperf-inference --output=bundle.zip",
    options=[Option("output", "the file to write (default NAME.bundle.zip)", value="FILE"), OVERWRITE],
)
def bundle(request: Request) -> Answer:
    """Collect a venv with everything that was installed for it or used by its runs."""
    from ck_repo.reproduce.bundle import make_bundle

    venv = _named(request)
    path = Path(request.text("output") or f"{venv.name}.bundle.zip").expanduser().absolute()
    made = make_bundle(request.session, venv, path, overwrite=request.flag("overwrite"))
    size = path.stat().st_size
    return Answer(
        {"path": str(path), "size": size, "files": made.files, "components": [row.label for row in made.lock.components]},
        [
            f"{path}: {size / 1e6:.0f} MB, {made.wheels} wheels, {', '.join(row.label for row in made.lock.components)}",
            f"on the other machine: `ck create venv:NAME --bundle={path.name}`",
        ],
    )


def _named(request: Request) -> Venv:
    """The venv of a request, else the active one, else the default; a broken one is refused."""
    venv = _read(request)
    venv.check()
    return venv


def _read(request: Request) -> Venv:
    """The same, even if it is broken."""
    from ck_repo.environment.venv import chosen_name, read_venv
    from ck_repo.store.repositories import LOCAL
    from ck_repo.store.search import load

    return read_venv(load(request.session.repositories, "venv", chosen_name(request.entry), LOCAL))


@action(
    ACTIONS,
    "activate",
    "open a shell in a venv, or run a command in it",
    example="ck activate venv:mlperf-inference",
    usage='ck activate venv:NAME [--shell=zsh] [-- command …]; or eval "$(ck activate venv:NAME --print)"',
    options=[
        Option("print", "print the lines for a shell to evaluate, instead of opening one", kind="flag"),
        Option("shell", "the shell (default: the current one)", value="zsh", choices=("bash", "zsh", "fish", "sh")),
    ],
)
def activate(request: Request) -> Answer:
    """Enter a venv; return the exit status of the shell or the command."""
    from ck_repo.environment import activate as shells

    venv = _named(request)
    try:
        venv.check_packages()
    except InstallError as error:  # a broken venv may be entered for repairs
        progress.warn(f"{error}")
    shell = shells.user_shell(request.text("shell"))
    if request.flag("print") or (request.text("out") == "json" and not request.rest):
        lines = shells.shell_lines(venv, shell)
        return Answer({**row_of(venv.entry), "lines": lines}, lines)
    status = shells.run_inside(venv, request.rest) if request.rest else shells.enter(venv, shell)
    return Answer({"status": status}, status=status if status >= 0 else 128 - status)


@action(ACTIONS, "ls", "list the venvs", example="ck ls venv", options=[TAGS, *LISTING])
def ls(request: Request) -> Answer:
    """List venvs with template and Python."""
    from ck_repo.environment.venv import read_venv

    rows = []
    for entry in matching(request, needed=False):
        try:
            rows.append(read_venv(entry))
        except CKError as error:
            progress.warn(f"skipped: {error.what}")
    if not rows and request.entry and "*" not in request.entry:
        raise NotFoundError(f"there is no venv:{request.entry}", hint="`ck ls venv` lists them")
    listed = zip(rows, rows_of(request, [row.entry for row in rows]), strict=True)
    data = [{**entry, "template": row.origin, "python_version": row.version} for row, entry in listed]
    table = [(row.name, row.version or "?", row.origin, row.folder) for row in rows]
    return Answer(
        {"lst": data},
        table_lines(("venv", "Python", "template", "folder"), table) if rows else ["there is no venv yet: `ck create venv`"],
    )
