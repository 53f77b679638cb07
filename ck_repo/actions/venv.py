"""Venvs: create, activate, list, find, remove."""

from __future__ import annotations

import sys

from ck_repo.actions.declare import TAGS, Actions, Answer, Option, action, table_lines
from ck_repo.actions.entry import matching, row_of
from ck_repo.actions.package import DRY_RUN, TRUST
from ck_repo.actions.request import Request
from ck_repo.errors import CKError, NotFoundError

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "create",
    "make a venv from a template, with all that the template lists; one that exists gets what it lacks",
    example="ck create venv:mlperf-inference --template=mlperf-inference-1.0",
    options=[
        Option("template", "the template (default mlperf-inference-1.0; `ck ls venv.template` lists them)", value="NAME"),
        Option("python", "the Python to use: 3.12, >=3.10,<3.13, or a path", value="VERSION"),
        Option("force", "make it anew if it exists", kind="flag"),
        DRY_RUN,
        TRUST,
    ],
)
def create(request: Request) -> Answer:
    """Make a venv."""
    from ck_repo.resolve import explain
    from ck_repo.store.repositories import Repositories
    from ck_repo.venv.create import create_venv, plan_venv
    from ck_repo.venv.environment import DEFAULT_NAME

    repositories = Repositories()
    plan = plan_venv(repositories, request.entry or DEFAULT_NAME, request.text("template"), request.text("python"))
    if request.flag("dry_run"):
        planned = {"python": str(plan.python.path), "python_version": plan.python.version}
        lines = [f"venv:{plan.name} with Python {plan.python.version} ({plan.python.path})"]
        return Answer(
            {**planned, "plan": explain.as_data(plan.choices)}, [*lines, *explain.as_lines(plan.choices, reasons=False)]
        )
    venv = create_venv(repositories, plan, force=request.flag("force"), trust=request.flag("trust"))
    made = {"python": str(venv.python), "python_version": venv.version, "packages": venv.packages}
    return Answer(
        {**row_of(venv.entry), **made}, [f"venv:{venv.name} is ready, Python {venv.version}: `ck activate venv:{venv.name}`"]
    )


@action(
    ACTIONS,
    "activate",
    "open a shell in a venv, or run a command in it",
    example="ck activate venv:mlperf-inference",
    usage='ck activate venv:NAME [--shell=zsh] [-- command …]; or eval "$(ck activate venv:NAME --print)"',
    options=[
        Option("print", "print what a shell has to evaluate, and open none", kind="flag"),
        Option("shell", "the shell (default: yours)", value="zsh", choices=("bash", "zsh", "fish", "sh")),
    ],
)
def activate(request: Request) -> Answer:
    """Enter a venv; the exit status is that of the shell or the command."""
    from ck_repo.store.repositories import LOCAL, Repositories
    from ck_repo.store.search import load
    from ck_repo.venv import activate as shells
    from ck_repo.venv.environment import chosen_name, read_venv

    venv = read_venv(load(Repositories(), "venv", chosen_name(request.entry), LOCAL))
    venv.check()
    shell = shells.user_shell(request.text("shell"))
    if request.flag("print") or (request.text("out") == "json" and not request.rest):
        lines = shells.shell_lines(venv, shell)
        return Answer({**row_of(venv.entry), "lines": lines}, lines)
    status = shells.run_inside(venv, request.rest) if request.rest else shells.enter(venv, shell)
    return Answer({"status": status}, status=status if status >= 0 else 128 - status)


@action(ACTIONS, "ls", "every venv", example="ck ls venv", options=[TAGS])
def ls(request: Request) -> Answer:
    """List venvs with template and Python."""
    from ck_repo.venv.environment import read_venv

    rows = []
    for entry in matching(request, needed=False):
        try:
            rows.append(read_venv(entry))
        except CKError as error:
            print(f"warning: left out: {error.what}", file=sys.stderr)
    if not rows and request.entry and "*" not in request.entry:
        raise NotFoundError(f"there is no venv:{request.entry}", hint="`ck ls venv` lists them")
    data = [{**row_of(row.entry), "template": row.template, "python_version": row.version} for row in rows]
    table = [(row.name, row.version, row.template, row.folder) for row in rows]
    return Answer(
        {"lst": data},
        table_lines(("venv", "Python", "template", "folder"), table) if rows else ["no venv yet: `ck create venv`"],
    )
