"""Decide what a run needs: the venv, the model, its data set, its framework. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.environment.create import VenvPlan, plan_venv
from ck_repo.environment.venv import Venv, chosen_name, find_venv, surroundings
from ck_repo.errors import ConfigError, NotFoundError, UsageError
from ck_repo.machine.python_packages import site_packages
from ck_repo.models.backend_options import check_options as check_backend_options
from ck_repo.models.backends import read_backends
from ck_repo.models.declared import own_folder
from ck_repo.models.model_file import DESCRIBED
from ck_repo.models.networks import Network, read_networks
from ck_repo.models.profiles import Profile, profile, profiles_of
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.plan import Choice
from ck_repo.resolve.resolver import Resolver
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import Rules, benchmark_of, rules_for
from ck_repo.rounds.user_conf import parse_conf, targets_of
from ck_repo.run.backends import backend_for, check_backend, dependencies_with
from ck_repo.run.foreign import own_dependencies
from ck_repo.run.official import check_options
from ck_repo.run.options import RunOptions
from ck_repo.session import Session
from ck_repo.stock.program import refuse_program
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields

WEIGHTS, DATASET, LOADGEN = "weights", "dataset", "loadgen"


@dataclass(frozen=True)
class RunPlan:
    """What a run will use.

    Attributes
    ----------
    venv
        The venv, if it exists; else `venv_plan` says how to make it.
    choices
        By the key of the program's dependency; `weights` and `dataset` among them.
    model
        The `model` section of the weights' meta, as far as it is known before a conversion is made.
    networks
        Every network that is known, with the profiles that a model may name; a conversion can lead to another than `profile`.
    framework
        Python packages, any one of which provides the backend's framework.
    """

    program: Component
    options: RunOptions
    venv: Venv | None
    venv_plan: VenvPlan | None
    choices: Mapping[str, Choice]
    model: Mapping[str, Any]
    profile: Profile
    networks: Mapping[str, Network]
    backend: str
    framework: tuple[str, ...] = ()


def prepare(
    session: Session,
    program_entry: Entry,
    options: RunOptions,
    *,
    as_recorded: bool = False,
    scope: str = "",
    pinned: Mapping[str, Sequence[str]] | None = None,
) -> RunPlan:
    """Resolve a run.

    Parameters
    ----------
    as_recorded
        Whether the options are those of a run that was recorded: what the rules say of them was for its own time.
    scope
        ``experiment:UID`` when that experiment is replayed: what came with it counts, too.
    pinned
        Words that name what a dependency is to be, instead of the tags that the options give.
    """
    needed = Fields(program_entry.meta(), program_entry.path / META).table("deps")
    refuse_program(session, program_entry, needed, (WEIGHTS, DATASET))
    program = read_component(program_entry)
    venv, venv_plan = _venv(session, chosen_name(options.venv))
    there = surroundings(session, venv, venv_plan.python.version if venv_plan else "", scope)
    resolver = Resolver(there, home=program_entry.repository)
    site = [site_packages(venv.python)] if venv else []
    backends = read_backends([program_entry.path, *site])
    networks = read_networks([program_entry.path, own_folder(), *site])
    profiles = profiles_of(networks)
    every = dependencies_with(program, list(backends.values()))
    options, notes = own_dependencies(options, every, program_entry.cid, list(backends.values()))
    for note in notes:
        progress.say(f"note: {note}")
    added = _added_tags(options) | {key: list(words) for key, words in (pinned or {}).items()}
    by_key = {row.key: row for row in program.deps}
    weights = resolver.dependencies([by_key[WEIGHTS]], program_entry.cid, added=added)[WEIGHTS]
    model = weights.model
    chosen = _profile(weights, model, profiles)
    backend = options.backend or backend_for(weights.name, model, backends)
    check_backend(program, backend, backends)
    declaration = backends.get(backend)
    check_backend_options(backend, declaration.options if declaration else {}, options.backend_options)
    if DATASET not in added and model.get("dataset"):
        added[DATASET] = str(model["dataset"]).split(",")
    others = [row for row in dependencies_with(program, [declaration] if declaration else []) if row.key != WEIGHTS]
    needs = resolver.with_options(backend=backend, device=options.device)
    choices = needs.dependencies(others, program_entry.cid, added=added)  # its framework first: conversions then take the same
    if declaration and declaration.runs:
        weights = needs.in_format(weights, declaration.runs, f"the backend {backend}")
    choices[WEIGHTS] = weights
    _check_prepared(choices[DATASET], chosen.for_model(model))
    section = weights.model or model
    rules = rules_for(load_round(options.round), benchmark_of(dict(section), chosen.side or 0))
    rules.scenario(options.scenario)  # refused now if the round has none
    if options.user_conf:
        options = with_user_conf(options, rules)
    if not as_recorded:
        check_options(options, rules)
    framework = declaration.python_packages if declaration else ()
    return RunPlan(program, options, venv, venv_plan, choices, section, chosen, networks, backend, framework)


def _venv(session: Session, name: str) -> tuple[Venv | None, VenvPlan | None]:
    """The venv of that name, ready to be used; or how to make it."""
    venv = find_venv(session, name)
    if venv is None:
        return None, plan_venv(session, name)
    venv.check()
    venv.check_packages()
    return venv, None


def _added_tags(options: RunOptions) -> dict[str, list[str]]:
    """The tags that the user adds to dependencies, by their keys."""
    added = {key: tags.split(",") for key, tags in options.added_tags.items()}
    for key, tags in ((WEIGHTS, options.model), (DATASET, options.dataset)):
        if tags:
            added[key] = [*added.get(key, []), *tags.split(",")]
    return added


def _profile(weights: Choice, model: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Profile:
    """The profile that a model's meta names."""
    if not model.get("profile") and not {"boxes", "scores"} <= set(model.get("outputs") or {}):
        raise ConfigError(
            f"{weights.name} does not say how it is to be used: its meta has neither model.profile nor model.outputs",
            hint=f"add a profile to the package: {', '.join(profiles)}; or describe its interface (docs/own-model.md)",
        )
    return profile(str(model.get("profile") or DESCRIBED), profiles)


def with_user_conf(options: RunOptions, rules: Rules) -> RunOptions:
    """The options with the targets of a user.conf; what the user gave by options stays.

    Raises
    ------
    NotFoundError, UsageError
        If the file is not there, or sets what the rules do not leave to a user; with its line.
    """
    path = Path(options.user_conf).expanduser()
    if not path.is_file():
        raise NotFoundError(f"{path} is not there, or no file", hint="`ck find performance --output=FILE` writes a user.conf")
    text = read_text(path)
    refused = [(row, why) for row in parse_conf(text) if (why := row.refusal(rules) or row.not_taken(rules))]
    if refused:
        listed = "\n".join(f"  line {row.line}: {row.text[:80]}: expected {why}" for row, why in refused)
        raise UsageError(f"{path} has lines that an official run cannot take\n{listed}", hint="a user changes targets alone")
    found: dict[str, float] = dict(targets_of(rules.round, text, rules.benchmark, options.scenario))
    if "min_duration" in found:  # a longer one; that of the round is an official run's anyway
        longer = found.pop("min_duration") / 1e3
        found |= {"seconds": longer} if 1e3 * longer > rules.scenario(options.scenario).min_duration_ms else {}
    if "samples_per_query" in found:
        found["samples_per_query"] = int(found["samples_per_query"])
    given = {key: value for key, value in found.items() if getattr(options, key) is None}
    return options.with_values({"user_conf": "", **given})


def _check_prepared(dataset: Choice, interface: Profile) -> None:
    """Refuse a data set that holds rounded bytes for a model that takes floats, before either is fetched."""
    if {"preprocessed", "side.300"} <= dataset.tags and interface.dtype != "uint8":
        raise UsageError(
            f"the data set {dataset.label} holds images of 300 × 300 bytes, and the model takes {interface.dtype} of pixels "
            "that are not rounded",
            hint="take --dataset=preprocessed,side.1200, which holds the images themselves, or the set that it was made from",
        )
