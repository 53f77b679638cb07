"""Find models by name: registered files, installed packages, and installable packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ck_repo.environment.collect import readable_envs
from ck_repo.errors import CKError, NotFoundError, did_you_mean
from ck_repo.models.interface import DECODING, INPUT, OUTPUTS, InterfaceField
from ck_repo.models.model_file import profile_for_file
from ck_repo.models.networks import Network
from ck_repo.models.profiles import Profile
from ck_repo.session import Session
from ck_repo.store.query import TagQuery
from ck_repo.store.search import find
from ck_repo.table import pair_lines

_ONLY_WITH = {"fill": ("resize", "letterbox"), "placed": ("resize", "letterbox"), "labels_per_box": ("classes", "")}


@dataclass(frozen=True)
class KnownModel:
    """A model.

    Attributes
    ----------
    names
        Its names; the first is shown.
    source
        ``registered``, ``installed`` or ``package``.
    model
        Its interface.
    file, parts
        Its path, if it is on this machine; see `Installed`.
    """

    names: tuple[str, ...]
    source: str
    tags: frozenset[str]
    model: Mapping[str, Any]
    file: str = ""
    parts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its first name."""
        return self.names[0]

    @property
    def format(self) -> str:
        """Its format."""
        return str(self.model.get("format", ""))

    def is_called(self, name: str) -> bool:
        """Whether it has that name."""
        return name in self.names


def known_models(session: Session, name: str = "", tags: str = "") -> list[KnownModel]:
    """The models with a name and tags: registered ones, the latest first, then installed ones, then packages.

    Parameters
    ----------
    name
        Alias or UID of an env entry, name of the file, alias of a package, or tags; all models if empty.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    every = [*_on_this_machine(session), *_packages(session)]
    found = [row for row in every if not name or row.is_called(name)]
    if name and not found:
        query = TagQuery.parse(name)
        found = [row for row in every if query.matches(row.tags)]
    if tags:
        query = TagQuery.parse(tags)
        found = [row for row in found if query.matches(row.tags)]
    if not found and (name or tags):
        known = list(dict.fromkeys(each for row in every for each in row.names))
        raise NotFoundError(
            f"there is no model {name or f'with the tags {tags}'}",
            hint=f"{did_you_mean(name or tags, known)}\n`ck show model` lists them; "
            "`ck detect soft:model.onnx --full_path=FILE` registers one",
        )
    return found


def _on_this_machine(session: Session) -> list[KnownModel]:
    found = []
    for env in readable_envs(session):
        if env.model and env.model.get("format"):
            names = tuple(dict.fromkeys(name for name in (env.label, env.name, env.alias, env.uid) if name))
            source = "registered" if env.is_registered else "installed"
            found.append((env.number or 0, KnownModel(names, source, frozenset(env.tags), env.model, env.file, env.parts)))
    return [row for _, row in sorted(found, key=lambda pair: -pair[0])]


def _packages(session: Session) -> list[KnownModel]:
    found = []
    for entry in find(session.repositories, "package"):
        with suppress(CKError):  # the search for packages warns of unreadable ones
            meta = entry.meta()
            if isinstance(meta.get("model"), Mapping) and meta["model"].get("format") and "conversion" not in meta:
                found.append(KnownModel((entry.alias, entry.uid), "package", entry.tags(), meta["model"]))
    return found


def described(row: KnownModel, networks: Mapping[str, Network]) -> tuple[dict[str, object], list[str]]:
    """A model's interface as JSON, and as text."""
    model, file = row.model, row.file
    own = profile_for_file(model, file, networks)
    profile, signature = str(model.get("profile", "")), dict(model.get("signature") or {})
    data: dict[str, object] = {
        "name": row.name, "source": row.source, "file": file, "parts": list(row.parts),
        "format": row.format, "profile": profile, "signature": signature,
        "interface": {**own.as_data(), "input": model.get("input", ""), "max_batch": model.get("max_batch")},
    }  # fmt: skip
    lines = [f"{row.name}: {row.format}, {row.source}", *([f"file: {file}"] if file else [])]
    lines += [f"part: {name}" for name in row.parts]
    for key, rows in signature.items():
        lines += [f"{key.rstrip('s')} of the file: {text}" for text in rows]
    lines += [f"profile: {profile or '(none)'}", "", "input"]
    lines += [*_field_lines(INPUT, own, model), "outputs", *_field_lines(OUTPUTS, own, model)]
    return data, [*lines, "reading", *_field_lines(DECODING, own, model)]


def _field_lines(rows: Sequence[InterfaceField], own: Profile, model: Mapping[str, Any]) -> list[str]:
    values = {**vars(own), "input": model.get("input") or "", "max_batch": model.get("max_batch")}
    shown = {row.name: values[row.name] for row in rows}
    if "side" in shown and not shown["side"]:
        shown["side"] = "" if shown["height"] else "free"
    if "max_batch" in shown:
        shown["max_batch"] = shown["max_batch"] or "any"
    idle = {name for name, (key, value) in _ONLY_WITH.items() if values[key] != value}
    idle |= {"nms_iou", "nms_candidates"} if own.nms == "none" else set()
    shown = {name: value for name, value in shown.items() if name not in idle}
    return pair_lines([(name, _text(value)) for name, value in shown.items() if value not in (None, "", [])], "  ")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
