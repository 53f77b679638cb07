"""Packages: install, explain."""

from __future__ import annotations

from ck_repo.actions.declare import TAGS, Actions, Answer, Option, action
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError

ACTIONS: Actions = {}
VENV = Option("venv", "the venv to use (default: the active one, else mlperf-inference)", value="NAME")
DRY_RUN = Option("dry-run", "say what would be done, and do nothing", kind="flag")
TRUST = Option("trust", "let programs of other repositories' recipes run", kind="flag")
_VERSION = Option("version", "a version or a range as PEP 440 has it", value='">=1.17,<2"')


def _wanted(request: Request) -> str:
    tags = ",".join(part for part in (request.text("tags"), request.entry) if part)
    if not tags:
        raise UsageError(f"`ck {request.action} package` needs tags or a name", hint="`ck search package` lists what there is")
    return tags


@action(
    ACTIONS,
    "install",
    "install what has these tags, with all that it needs",
    example="ck install package --tags=lib,python-package,onnxruntime-cpu",
    options=[TAGS, _VERSION, VENV, DRY_RUN, TRUST, Option("ask", "show the plan and ask first", kind="flag")],
)
def install(request: Request) -> Answer:
    """Resolve, then install."""
    from ck_repo.actions.entry import confirm
    from ck_repo.detect.survey import survey
    from ck_repo.install.installer import Installer
    from ck_repo.resolve import explain
    from ck_repo.resolve.plan import PYTHON, in_order
    from ck_repo.resolve.resolver import Resolver
    from ck_repo.store.repositories import Repositories
    from ck_repo.venv.create import create_venv, plan_venv
    from ck_repo.venv.environment import chosen_name, find_venv

    repositories = Repositories()
    name = chosen_name(request.text("venv"))
    venv = find_venv(repositories, name)
    if venv:
        venv.check()
    choice = Resolver(survey(repositories, venv.packages if venv else {})).resolve(_wanted(request), request.text("version"))
    choices = {choice.name: choice}
    plan = {"plan": explain.as_data(choices), "venv": name}
    if request.flag("dry_run"):
        return Answer(plan, explain.as_lines(choices, reasons=False))
    if request.flag("ask"):
        confirm(request, "\n".join([*explain.as_lines(choices, reasons=True), "install this"]))
    needs_venv = any(row.source == PYTHON for _, row in in_order(choices))
    if needs_venv and venv is None:
        venv = create_venv(repositories, plan_venv(repositories, name), trust=request.flag("trust"))
        choice = Resolver(survey(repositories, venv.packages)).resolve(_wanted(request), request.text("version"))
        choices = {choice.name: choice}
    done = Installer(repositories, venv.python if venv else None, trust=request.flag("trust")).install(choices)
    meta = done[choice.name]
    place = meta.get("path") or (f"venv:{name}" if venv else "")
    return Answer(
        {**plan, "env": meta, "path": str(meta.get("path", ""))},
        [f"{choice.name}: {'was there already' if choice.ready else 'installed'}, in {place}"],
    )


@action(
    ACTIONS,
    "explain",
    "what would be taken for these tags, why, and what was passed over",
    example="ck explain package --tags=model,object-detection,onnx",
    options=[TAGS, _VERSION, VENV],
)
def explain_choice(request: Request) -> Answer:
    """Resolve and tell why."""
    from ck_repo.detect.survey import survey
    from ck_repo.resolve import explain
    from ck_repo.resolve.resolver import Resolver
    from ck_repo.store.repositories import Repositories
    from ck_repo.venv.environment import chosen_name, find_venv

    repositories = Repositories()
    venv = find_venv(repositories, chosen_name(request.text("venv")))
    choice = Resolver(survey(repositories, venv.packages if venv else {})).resolve(_wanted(request), request.text("version"))
    return Answer({"plan": explain.as_data({choice.name: choice})}, explain.as_lines({choice.name: choice}, reasons=True))
