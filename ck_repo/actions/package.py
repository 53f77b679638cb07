"""Packages: install, explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import LISTING, TAGS, Actions, Answer, Option, action, without_effect
from ck_repo.actions.entry_data import rows_of
from ck_repo.actions.entry_list import NAMES, cut_short, limit, shown_name
from ck_repo.actions.entry_selection import SEARCHED, matching
from ck_repo.actions.package_parts import IN_PARTS, parts_of
from ck_repo.actions.request import Request
from ck_repo.errors import CKError, UsageError
from ck_repo.models.backends import formats
from ck_repo.store.entry import tag_list
from ck_repo.store.installed import described

if TYPE_CHECKING:
    from ck_repo.environment.venv import Venv
    from ck_repo.resolve.plan import Choice
    from ck_repo.resolve.resolver import Resolver
    from ck_repo.run.shards import Shard

ACTIONS: Actions = {}
VENV = Option("venv", "the venv to use (default: the active one, else mlperf-inference)", value="NAME")
DRY_RUN = Option("dry-run", "show what would be done without doing it", kind="flag")
TRUST = Option("trust", "allow programs of other repositories' recipes to run", kind="flag")
_VERSION = Option("version", "a version or a range as in PEP 440", value='">=1.17,<2"')


_OF_CK = {
    "extra_version": "a package's version is that of its recipe; --force_version= requests one",
    "extra_path": "--install_path= sets the folder of a package",
    "extra_tags": "`ck detect soft --extra_tags=` sets tags of registered files",
}
_FORMAT = Option("format", "for a model: convert it to this format", value="onnx", choices=formats)

_CHOICE = (
    TAGS,
    Option("no_tags", "excluded tags", value="a,b"),
    _VERSION,
    Option("force_version", "exactly this version", value="1.17"),
    _FORMAT,
    Option("dep_add_tags", "additional tags for a dependency of the package", kind="nested"),
)


def _resolver(request: Request, venv: Venv | None) -> Resolver:
    from ck_repo.environment.venv import read_context
    from ck_repo.resolve.resolver import Resolver

    again = request.flag("rebuild") or request.flag("reinstall")
    added = {key: tag_list(str(tags)) for key, tags in request.nested("dep_add_tags").items()}
    return Resolver(read_context(request.session, venv), again=again, added=added)


def _resolve(request: Request, resolver: Resolver) -> Choice:
    """The needs of a request."""
    choice = resolver.resolve(_wanted(request), _version_of(request))
    return resolver.in_format(choice, request.text("format")) if request.text("format") else choice


def _version_of(request: Request) -> str:
    forced = request.text("force_version")
    return f"=={forced.lstrip('v')}" if forced else request.text("version")


def _wanted(request: Request) -> str:
    name = ":".join(part for part in (request.repository, "package", request.entry) if part) if request.entry else ""
    without = [f"-{tag}" for tag in tag_list(request.text("no_tags"))]
    tags = ",".join(part for part in (request.text("tags"), name, *without) if part)
    if not (request.text("tags") or name):
        raise UsageError(f"`ck {request.action} package` needs tags or a name", hint="`ck search package` lists what there is")
    return tags


@action(
    ACTIONS,
    "search",
    "list packages with these tags, and their variations (* marks the default)",
    example="ck search package --tags=model,object-detection,mlperf",
    options=[*SEARCHED, *LISTING, *NAMES, Option("explain", "show why a package cannot be installed here", kind="flag")],
)
def search(request: Request) -> Answer:
    """Search by tags, including those of variations; without matches the list is empty.

    Standard output has only the names; a note counts those that cannot be installed, and JSON has the reason as `obstacle`.
    """
    from ck_repo import progress
    from ck_repo.resolve.component import read_component
    from ck_repo.resolve.variations import Variant, choose, offered
    from ck_repo.store.naming import unambiguous_names
    from ck_repo.store.query import TagQuery
    from ck_repo.store.warnings_once import Problems

    query = TagQuery.parse(request.text("tags"))
    problems = Problems()
    found: list[tuple[dict[str, object], str]] = []
    by_variation: list[tuple[dict[str, object], str]] = []
    for entry in matching(request, needed=False, variations=True):
        try:
            package = read_component(entry)
        except CKError as error:
            problems.add(entry.repository, "package", error.what)
            continue
        own = query.matches(entry.tags())
        versions = query.required.intersection(package.versions) if not own else frozenset()
        names = offered(package, query.required - versions, query.excluded)
        if names is None and not own:
            continue
        variant = choose(package, query.required - versions if names is not None else (), query.excluded)
        obstacle = variant.obstacle if isinstance(variant, Variant) else ""
        row = {**rows_of(request, [entry])[0], "variations": names or [], "versions": list(package.versions)}
        row |= {"obstacle": obstacle}
        shown = ", ".join([*(names or []), *package.versions])
        line = shown_name(request, entry, row, unambiguous_names(request.session.repositories, [entry])[0]) + (
            f" ({shown})" if shown else ""
        )
        line += f" cannot be installed here: {obstacle}" if obstacle and request.flag("explain") else ""
        # stock CK only searches a package's own tags
        (by_variation if package.stock and not own else found).append((row, line))
    problems.warn()
    found = found or by_variation
    chosen = found[: limit(request)]
    blocked = sum(bool(row["obstacle"]) for row, _ in chosen)
    if blocked and not request.flag("explain"):
        progress.say(f"note: {blocked} of {len(chosen)} cannot be installed here; --explain shows why")
    return Answer({"lst": [row for row, _ in chosen], **cut_short(len(chosen) < len(found))}, [line for _, line in chosen])


@action(
    ACTIONS,
    "install",
    "install a package with these tags, and its dependencies",
    example="ck install package --tags=lib,python-package,onnxruntime-cpu",
    options=[
        *_CHOICE,
        VENV,
        DRY_RUN,
        TRUST,
        Option("ask", "show the plan and ask before installing", kind="flag"),
        Option("rebuild", "install it again if it exists; downloaded files are reused", kind="flag"),
        Option("reinstall", "install it again if it exists, including downloads", kind="flag"),
        *IN_PARTS,
        Option("install_path", "the folder to install into (default: one below CK_TOOLS)", value="FOLDER"),
        Option("reuse_deps", "accepted for compatibility: installed packages are always reused", kind="flag"),
        without_effect("env", "recipes take no variables", kind="nested"),
        *(without_effect(name, why, kind="text") for name, why in _OF_CK.items()),
    ],
)
def install(request: Request) -> Answer:
    """Resolve, then install."""
    from ck_repo.actions.confirm import confirm
    from ck_repo.actions.new_venv import confirm_new_venv
    from ck_repo.environment.create import create_venv, plan_venv
    from ck_repo.environment.venv import chosen_name, find_venv
    from ck_repo.install.to_fetch import fetch_lines
    from ck_repo.resolve import explain
    from ck_repo.resolve.permission import refuse_foreign_code
    from ck_repo.resolve.plan import in_order

    name = chosen_name(request.text("venv"))
    venv = find_venv(request.session, name)
    if venv:
        venv.check()
    choice = _resolve(request, _resolver(request, venv))
    choices = {choice.name: choice}
    plan = {"plan": explain.as_data(choices), "venv": name}
    if request.flag("dry_run"):
        return Answer(plan, [*explain.as_lines(choices, reasons=False), *fetch_lines(choices)])
    if request.flag("ask"):
        plan_lines = [*explain.as_lines(choices, reasons=True), *fetch_lines(choices, ask=True)]
        confirm(request, "\n".join([*plan_lines, "install this"]))
    refuse_foreign_code(choices, request.flag("trust"))
    needs_venv = any(row.for_a_venv for _, row in in_order(choices))
    if needs_venv and venv is None:
        confirm_new_venv(request)
        venv = create_venv(request.session, plan_venv(request.session, name))
        choice = _resolve(request, _resolver(request, venv))
        choices = {choice.name: choice}
    python = venv.python if venv else None
    with parts_of(request, choice, python, _wanted(request), _version_of(request)) as (parts, shards):
        return _installed(request, venv, choice, plan, parts, shards)


def _installed(
    request: Request,
    venv: Venv | None,
    choice: Choice,
    plan: Mapping[str, object],
    parts: Sequence[Path],
    shards: Sequence[Shard],
) -> Answer:
    """Install a choice, of parts if other machines have made some."""
    from ck_repo.environment.installing import install_into

    choices = {choice.name: choice}
    place = Path(request.text("install_path")).expanduser().absolute() if request.text("install_path") else None
    done = install_into(
        request.session, venv, choices, place=place, refetch=request.flag("reinstall"),
        again=request.flag("rebuild") or request.flag("reinstall"), parts=parts,
    )  # fmt: skip
    env = done[choice.name]
    where = env.path or (f"venv:{venv.name}" if venv else "")
    unverified = " (unverified: its recipe gives no digest)" if env.unverified else ""
    return Answer(
        {
            **plan,
            "env": described(env),
            "path": env.path,
            **({"shards": [each.as_data() for each in shards]} if shards else {}),
        },
        [f"{choice.name}: {'already installed' if choice.ready else 'installed'}{unverified}, in {where}"],
    )


@action(
    ACTIONS,
    "explain",
    "show which packages would be used for these tags, why, and which were rejected",
    example="ck explain package --tags=model,object-detection,onnx",
    options=[*_CHOICE, VENV],
)
def explain_choice(request: Request) -> Answer:
    """Resolve and explain."""
    from ck_repo.environment.venv import chosen_name, find_venv
    from ck_repo.resolve import explain

    venv = find_venv(request.session, chosen_name(request.text("venv")))
    choice = _resolve(request, _resolver(request, venv))
    return Answer({"plan": explain.as_data({choice.name: choice})}, explain.as_lines({choice.name: choice}, reasons=True))
