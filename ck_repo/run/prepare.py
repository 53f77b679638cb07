"""Plan a run: the venv, the model, its data set, its framework. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.contract.spec import Calibration
from ck_repo.environment.create import VenvPlan, plan_venv
from ck_repo.environment.venv import Venv, chosen_name, find_venv, read_context
from ck_repo.errors import ConfigError, NotFoundError, UsageError
from ck_repo.machine.python_packages import site_packages
from ck_repo.models.backend_options import check_options as check_backend_options
from ck_repo.models.backends import read_backends
from ck_repo.models.declared import own_folder
from ck_repo.models.model_file import DESCRIBED
from ck_repo.models.networks import Network, read_networks
from ck_repo.models.profiles import Profile, profile, profiles_of
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.plan import Choice, in_order
from ck_repo.resolve.resolver import Resolver
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import Rules, benchmark_of, rules_for
from ck_repo.rounds.user_conf import parse_conf, targets_of
from ck_repo.run.backends import backend_for, check_backend, dependencies_with
from ck_repo.run.calibration import calibration_of
from ck_repo.run.foreign import own_dependencies
from ck_repo.run.official import check_options
from ck_repo.run.options import AUTO, RunOptions
from ck_repo.session import Session
from ck_repo.stock.program import refuse_program
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields

WEIGHTS, DATASET, LOADGEN = "weights", "dataset", "loadgen"


@dataclass(frozen=True)
class RunPlan:
    """The plan of a run.

    Attributes
    ----------
    venv
        The venv, if it exists; otherwise `venv_plan` describes it.
    choices
        By the key of the program's dependency, including `weights` and `dataset`.
    model
        The `model` section of the weights' meta, as far as it is known before a conversion.
    networks
        Every network that is known, with the profiles that a model may name; a conversion can lead to another than `profile`.
    framework
        Python packages, any one of which provides the backend's framework.
    calibration
        The images that an option of the backend is calibrated with; None if it has no such option.
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
    calibration: Calibration | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there is a venv, and everything that the run needs is installed."""
        return self.venv is not None and all(choice.ready for _, choice in in_order(self.choices))


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
        Whether the options are those of a recorded run, which are not checked against the rules again.
    scope
        ``experiment:UID`` for a replay of that experiment: components that came with it are included.
    pinned
        Words that select a dependency, instead of the tags from the options.

    Raises
    ------
    UsageError
        If an option does not fit the backend, the model or the rules.
    CKError
        If a dependency cannot be resolved.
    """
    if options.backend == AUTO:
        raise UsageError(f"--backend={AUTO} is for `ck run`", hint="name a backend, or search one with `ck tune`")
    needed = Fields(program_entry.meta(), program_entry.path / META).table("deps")
    refuse_program(session, program_entry, needed, (WEIGHTS, DATASET))
    program = read_component(program_entry)
    venv, venv_plan = _venv(session, chosen_name(options.venv))
    there = read_context(session, venv, venv_plan.python.version if venv_plan else "", scope)
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
    # the framework of this model first, so that conversions use the same one
    choices = needs.dependencies(others, program_entry.cid, added=added)
    if declaration and declaration.runs:
        weights = needs.in_format(weights, declaration.runs, f"the backend {backend}")
    choices[WEIGHTS] = weights
    _check_prepared(choices[DATASET], chosen.for_model(model))
    section = weights.model or model
    rules = rules_for(load_round(options.round), benchmark_of(section, chosen.side or 0))
    rules.scenario(options.scenario)  # refuse it now if the round does not have it
    if options.user_conf:
        options = with_user_conf(options, rules)
    if not as_recorded:
        check_options(options, rules)
    calibration = calibration_of(options, declaration.options if declaration else {}, rules.round)
    if calibration and calibration.files:  # the command may be repeated in another folder
        options = options.with_values({"calibration": str(Path(options.calibration).expanduser().absolute())})
    framework = declaration.python_packages if declaration else ()
    return RunPlan(program, options, venv, venv_plan, choices, section, chosen, networks, backend, framework, calibration)


def _venv(session: Session, name: str) -> tuple[Venv | None, VenvPlan | None]:
    """The venv of that name, checked; or the plan of a new one."""
    venv = find_venv(session, name)
    if venv is None:
        return None, plan_venv(session, name)
    venv.check()
    venv.check_packages()
    return venv, None


def _added_tags(options: RunOptions) -> dict[str, list[str]]:
    """The user's additional tags for dependencies, by their keys."""
    added = {key: tags.split(",") for key, tags in options.added_tags.items()}
    for key, tags in ((WEIGHTS, options.model), (DATASET, options.dataset)):
        if tags:
            added[key] = [*added.get(key, []), *tags.split(",")]
    return added


def _profile(weights: Choice, model: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Profile:
    """The profile in a model's meta."""
    if not model.get("profile") and not {"boxes", "scores"} <= set(model.get("outputs") or {}):
        raise ConfigError(
            f"{weights.name} does not describe its interface: its meta has neither model.profile nor model.outputs",
            hint=f"add a profile to the package: {', '.join(profiles)}; or describe its interface (docs/own-model.md)",
        )
    return profile(str(model.get("profile") or DESCRIBED), profiles)


def with_user_conf(options: RunOptions, rules: Rules) -> RunOptions:
    """The options with the targets of a user.conf; explicit options take precedence.

    Raises
    ------
    NotFoundError, UsageError
        If the file does not exist, or has settings that the rules do not allow; with the line.
    """
    path = Path(options.user_conf).expanduser()
    if not path.is_file():
        raise NotFoundError(f"{path} is not an existing file", hint="`ck find performance --output=FILE` writes a user.conf")
    text = read_text(path)
    refused = [(row, why) for row in parse_conf(text) if (why := row.refusal(rules) or row.not_taken(rules))]
    if refused:
        listed = "\n".join(f"  line {row.line}: {row.text[:80]}: expected {why}" for row, why in refused)
        raise UsageError(
            f"{path} has settings that are not allowed in official runs\n{listed}", hint="only targets can be changed"
        )
    found: dict[str, float] = dict(targets_of(rules.round, text, rules.benchmark, options.scenario))
    if "min_duration" in found:  # a longer one; official runs have that of the round anyway
        longer = found.pop("min_duration") / 1e3
        found |= {"seconds": longer} if 1e3 * longer > rules.scenario(options.scenario).min_duration_ms else {}
    if "samples_per_query" in found:
        found["samples_per_query"] = int(found["samples_per_query"])
    given = {key: value for key, value in found.items() if getattr(options, key) is None}
    return options.with_values({"user_conf": "", **given})


def _check_prepared(dataset: Choice, interface: Profile) -> None:
    """Refuse a data set of rounded bytes for a model with float inputs, before either is downloaded."""
    if {"preprocessed", "side.300"} <= dataset.tags and interface.dtype != "uint8":
        raise UsageError(
            f"the data set {dataset.label} has images of 300 × 300 bytes, and the model expects {interface.dtype} of pixels "
            "that are not rounded",
            hint="use --dataset=preprocessed,side.1200, which has the images themselves, or the original data set",
        )
