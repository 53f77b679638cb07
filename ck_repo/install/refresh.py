"""Look again at what is registered or installed: read what changed anew, and report what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.errors import CKError
from ck_repo.install.installer import content_of
from ck_repo.machine import register
from ck_repo.session import Session
from ck_repo.stock.variables import place_of
from ck_repo.store.entry import Entry
from ck_repo.store.search import load

SAME, READ, GONE, CHANGED = "unchanged", "read again", "gone", "changed"


@dataclass(frozen=True)
class Refreshed:
    """What became of an env entry.

    Attributes
    ----------
    state
        ``unchanged``, ``read again``, ``gone`` or ``changed``.
    advice
        What to do about it; empty if nothing has to be done.
    """

    name: str
    state: str
    advice: str = ""

    @property
    def fine(self) -> bool:
        """Whether it can be used as it is."""
        return self.state in (SAME, READ)


def refresh(session: Session, entry: Entry, meta: Mapping[str, Any]) -> Refreshed:
    """Check an env entry; what was registered is read again if its files changed."""
    name = str(meta.get("name") or entry.info().get("data_name") or entry.alias)
    if meta.get("source") == "package":
        with progress.task(f"checking {name}"):
            return _installed(name, entry, meta)
    if meta.get("source") == "detected":
        return _registered(session, name, entry, meta)
    path = place_of(meta)
    if path and not Path(path).exists():
        return Refreshed(name, GONE, f"{path} is gone: `ck rm env:{entry.uid}` forgets it")
    return Refreshed(name, SAME)


def _installed(name: str, entry: Entry, meta: Mapping[str, Any]) -> Refreshed:
    again = f"`ck install package:{(meta.get('component') or {}).get('alias', '')} --reinstall`"
    content = content_of(meta)
    if not content:
        return Refreshed(name, GONE, f"{meta.get('path')} is gone, and is installed again when it is needed")
    if content != meta.get("digest"):
        return Refreshed(name, CHANGED, f"its files in {meta.get('path')} were changed: {again} installs it again")
    return Refreshed(name, SAME)


def check(session: Session, entry: Entry, meta: Mapping[str, Any]) -> Refreshed:
    """Read the content of an env entry, and compare its digest with the recorded one; nothing is changed."""
    if meta.get("source") != "detected":
        return refresh(session, entry, meta)
    name = str(meta.get("name") or entry.info().get("data_name") or entry.alias)
    path = Path(str(meta.get("file") or meta.get("path")))
    if not path.exists():
        return Refreshed(name, GONE, register.problem({**meta, "uid": entry.uid}) or f"{path} is gone")
    again = f"`ck refresh env:{entry.uid}` registers it as it is now"
    with progress.task(f"checking {name}"):
        try:
            digest = _detect(session, meta, path)["digest"]
        except CKError as error:
            return Refreshed(name, CHANGED, f"{path} cannot be read as what was registered: {error.what}")
    return Refreshed(name, SAME) if digest == meta.get("digest") else Refreshed(name, CHANGED, f"{path} was changed: {again}")


def _detect(session: Session, meta: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What would be registered now."""
    soft = load(session.repositories, "soft", str(meta.get("soft")))
    return register.detect(soft, _named_file(meta, path), _options(meta))


def _registered(session: Session, name: str, entry: Entry, meta: Mapping[str, Any]) -> Refreshed:
    wrong = register.problem({**meta, "uid": entry.uid})
    if not wrong and "size" in meta:
        return Refreshed(name, SAME)
    path = Path(str(meta.get("file") or meta.get("path")))
    if not path.exists():
        return Refreshed(name, GONE, wrong)
    try:
        found = _detect(session, meta, path)
    except CKError as error:
        return Refreshed(name, CHANGED, f"{wrong or path}: it cannot be read again: {error.what}")
    if found["digest"] == meta.get("digest") and not wrong:  # an interpreter, which has no size
        return Refreshed(name, SAME)
    register.register(session, found, [str(tag) for tag in meta.get("tags", [])])
    return Refreshed(name, READ)


def _named_file(meta: Mapping[str, Any], path: Path) -> Path:
    """What the user named when it was registered: of a data set an image, else the file."""
    dataset = meta.get("dataset")
    if not isinstance(dataset, Mapping):
        return path
    images = Path(str(dataset["images"]))
    return next((image for image in sorted(images.iterdir()) if image.is_file()), images)


def _options(meta: Mapping[str, Any]) -> dict[str, str]:
    model, dataset = meta.get("model"), meta.get("dataset")
    options: dict[str, str] = {}
    if isinstance(model, Mapping):
        options |= {key: str(model[key]) for key in ("profile", "dataset") if model.get(key)}
    if isinstance(dataset, Mapping):
        options["annotations"] = str(dataset["annotations"])
    return options
