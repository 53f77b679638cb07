"""Models: the interface of a registered, installed or installable one."""

from __future__ import annotations

from ck_repo.actions.declare import TAGS, Actions, Answer, action
from ck_repo.actions.package import VENV
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "show",
    "show a model's interface: its input, its output, and how it is decoded",
    example="ck show model:model-demo-ssd",
    usage="ck show model[:NAME] [--tags=a,b]; NAME is that of an env entry, of the file that was registered, or of a package",
    options=[TAGS, VENV],
)
def show(request: Request) -> Answer:
    """Show the interface of one model, or the list of known models."""
    from ck_repo.run.known_models import described, known_models
    from ck_repo.run.networks import networks_of

    found = known_models(request.session, request.entry, request.text("tags"))
    if not request.entry and not request.text("tags"):
        rows = [{"name": row.name, "source": row.source, "format": row.format} for row in found]
        lines = [f"{row.name}  ({row.format}, {row.source})" for row in found]
        return Answer({"lst": rows}, lines or ["no model is registered, and no package installs one"])
    if len({row.name for row in found}) > 1 and not any(row.is_called(request.entry) for row in found[:1]):
        raise UsageError(
            f"{len(found)} models match: {', '.join(row.name for row in found[:8])}", hint="name one: `ck show model:NAME`"
        )
    data, lines = described(found[0], networks_of(request.session, request.text("venv")))
    return Answer(data, lines)
