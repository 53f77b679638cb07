"""Systems: describe the machine for a submission."""

from __future__ import annotations

from pathlib import Path

from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.package import VENV
from ck_repo.actions.request import Request
from ck_repo.actions.round import ROUND, round_of
from ck_repo.errors import MismatchError
from ck_repo.store.repository import check_name

ACTIONS: Actions = {}
_TYPES = ("edge", "datacenter", "datacenter,edge")
_WORDS = [
    Option("division", "closed or open", choices=("closed", "open"), value="open"),
    Option("submitter", "your organisation", value="NAME"),
    Option("status", "available, preview or rdi", choices=("available", "preview", "rdi"), value="available"),
    Option("system-type", "edge, datacenter or datacenter,edge", choices=_TYPES, value="edge"),
    Option("system-name", "a readable name", value="TEXT"),
]


@action(
    ACTIONS,
    "describe",
    "write the system's JSON for this machine; values to complete are marked ADD",
    example="ck describe system:my-laptop --submitter=Us --division=open --status=available --system-type=edge",
    usage="ck describe system[:NAME] [options]; run it again after editing the file: your values are kept, and checked",
    options=[*_WORDS, ROUND, Option("output", "the file (default NAME.json)", value="FILE"), VENV],
)
def describe(request: Request) -> Answer:
    """Describe the system; exit status 10 while values are missing or wrong."""
    from ck_repo.environment.venv import chosen_name, find_venv
    from ck_repo.submit.describe import write_description

    name = (request.entry or "system").removesuffix(".json")
    check_name(name)
    path = Path(request.text("output") or f"{name}.json").expanduser().absolute()
    venv = find_venv(request.session, chosen_name(request.text("venv")))
    round_ = round_of(request)
    keys = [row.name.replace("-", "_") for row in _WORDS]
    given = {key: request.text(key) for key in keys if request.text(key)}
    content, found = write_description(round_, path, venv.packages if venv else {}, given)
    data = {"path": str(path), "dict": content, "findings": [row.as_data() for row in found]}
    if not found:
        return Answer(data, [f"{path} is complete"])
    text = f"{path}: {len(found)} values are missing or wrong"
    lines = [text, *(f"  line {row.line}: {row.expected}: {row.seen}" for row in found), "complete them, then run this again"]
    return Answer({"error": text, **data}, lines, status=MismatchError.code)
