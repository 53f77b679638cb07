"""Check a package for errors and missing parts before it is installed."""

from __future__ import annotations

from collections.abc import Iterator

from ck_repo.errors import CKError, did_you_mean
from ck_repo.models.backends import formats
from ck_repo.models.profiles import own_profiles
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.context import Context
from ck_repo.resolve.plan import SOURCE
from ck_repo.resolve.resolver import Resolver
from ck_repo.resolve.scaffold import PLACEHOLDER
from ck_repo.resolve.variations import Variant, choose
from ck_repo.store.entry import Entry
from ck_repo.store.fields import Fields
from ck_repo.store.plain_file import A_FOLDER, MISSING, flaw, shown

_PINS = ("sha256", "sha1", "md5")
_VERIFIED_ELSEWHERE = ("zenodo.org/", "git+")  # the publisher's record, or the commit, has the digest


def check_package(entry: Entry, here: Context) -> list[str]:
    """The errors of a package; empty if there are none. Nothing is downloaded or run.

    Parameters
    ----------
    here
        The installed components, for resolving its dependencies.
    """
    try:
        component = read_component(entry)
    except CKError as error:
        return [str(error).replace("\n", "; ")]
    if component.stock:
        variant = choose(component, ())
        return [variant.obstacle] if isinstance(variant, Variant) and variant.obstacle else []
    found = list(dict.fromkeys(text for chosen in _ways(component) for text in _faults(component, chosen)))
    for name in sorted({row.key for row in component.deps}):
        dependency = next(row for row in component.deps if row.key == name)
        try:
            Resolver(here, home=entry.repository).dependencies([dependency], entry.cid)
        except CKError as error:
            found.append(f"deps.{name}: {error.what}")
    return found


def _ways(component: Component) -> Iterator[tuple[str, ...]]:
    """Each of its variations, one at a time with the defaults of the other groups."""
    chosen = choose(component, ())
    defaults = chosen.chosen if isinstance(chosen, Variant) else ()
    yield defaults
    for name, row in component.variations.items():
        kept = tuple(other for other in defaults if not row.group or component.variations[other].group != row.group)
        if name not in defaults:
            yield (*kept, name)


def _faults(component: Component, chosen: tuple[str, ...]) -> Iterator[str]:
    try:
        fields = component.fields(chosen)
        if obstacle := component.obstacle(chosen):
            yield obstacle
        for step in fields.rows("install"):
            for kind in step.as_dict():
                yield from _step_faults(component, kind, step.fields(kind))
        # otherwise it is that of the source
        if "model" in fields and not component.conversion and SOURCE not in fields.table("deps"):
            yield from _model_faults(fields.fields("model"))
        if "dataset" in fields and not component.conversion and SOURCE not in fields.table("deps"):
            row = fields.fields("dataset")
            yield from (f"dataset.{key} is missing" for key in ("images", "annotations") if not row.text(key))
    except CKError as error:
        yield error.what


def _step_faults(component: Component, kind: str, step: Fields) -> Iterator[str]:
    url = step.text("url")
    if kind == "download" and url.startswith(PLACEHOLDER):
        yield f"{url} is a placeholder: insert the URL of the file and its sha256"
    elif (
        kind == "download" and not any(step.text(pin) for pin in _PINS) and not any(sign in url for sign in _VERIFIED_ELSEWHERE)
    ):
        yield f"{url} has no digest: add its sha256"
    if kind in ("copy", "patch", "script") and "from" not in step and "module" not in step:
        base = component.root if "root" in step else component.entry.path
        name = step.text("root") or step.text("folder") or step.text("file")
        if not name:
            yield f"a step {kind} names no file"
        elif (why := flaw(base, name)) not in ("", A_FOLDER):
            yield f"{kind}: {name} is not in the entry" if why == MISSING else f"{kind}: {shown(name)} is {why}"


def _model_faults(model: Fields) -> Iterator[str]:
    format_, profile = model.text("format"), model.text("profile")
    if not format_:
        yield "model.format is missing"
    elif format_ not in formats() and not model.text("backend"):
        yield f"model.format is {format_!r}, which no backend of ck runs; {did_you_mean(format_, formats())}"
    if profile and profile not in own_profiles():
        yield f"model.profile is {profile!r}, which ck does not have; {did_you_mean(profile, own_profiles())}"
    elif not profile and "boxes" not in model:
        yield f"model.profile is missing; {did_you_mean('', own_profiles())}"
