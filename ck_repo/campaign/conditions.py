"""What settings were measured with: program, model, data set, software. On their machine they hold while these are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ck_repo.machine.hardware import nvidia_gpus
from ck_repo.machine.python_packages import normalised
from ck_repo.resolve.plan import Choice, PythonPackage, RegisteredFile
from ck_repo.run.prepare import RunPlan
from ck_repo.run.spec import rules_of
from ck_repo.store.digest import of_value

_LONGEST = 32  # characters of a value that people read; longer ones are digests


def conditions_of(plan: RunPlan) -> dict[str, list[str]]:
    """The conditions of a run.

    Parameters
    ----------
    plan
        A plan whose needs are installed: versions of Python packages are those of the venv.

    Returns
    -------
    dict
        Name and value (a version, or a digest), by the dependency that they belong to.
    """
    files = {key: choice for key, choice in plan.choices.items() if not isinstance(choice, PythonPackage)}
    python = {choice.variant.python_package for choice in plan.choices.values() if isinstance(choice, PythonPackage)}
    wanted = {normalised(name) for name in (*plan.framework, *python)}
    packages = plan.venv.packages if plan.venv else {}
    found = {
        "program": [plan.program.entry.alias, plan.program.digest],
        "backend": ["backend", plan.backend],
        **{f"package {name}": [name, version] for name, version in packages.items() if name in wanted},
        **{key: [choice.label, _digest(choice)] for key, choice in files.items()},
    }
    if plan.options.device == "cuda":
        for number, (gpu, driver) in enumerate(nvidia_gpus("name", "driver_version")):
            found[f"GPU {number}"] = [gpu, f"with driver {driver}"]
    if bound := rules_of(plan).scenario(plan.options.scenario).bound_ms:
        found["latency bound"] = ["latency bound", f"{plan.options.target_latency or bound:g} ms"]
    return found


def _digest(choice: Choice) -> str:
    """What identifies the content of a component."""
    if isinstance(choice, RegisteredFile):  # the same file may be registered with another interface
        return of_value([choice.key, dict(choice.model)])
    return choice.key


def changes(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> list[str]:
    """How the conditions of today differ from those of a measurement, in words.

    >>> changes({"torch": ["torch", "2.13"]}, {"torch": ["torch", "2.14"]})
    ['torch 2.13 is now 2.14']
    """
    return [_change(before.get(key), now.get(key)) for key in sorted({*before, *now}) if before.get(key) != now.get(key)]


def _change(old: Sequence[str] | None, new: Sequence[str] | None) -> str:
    if old is None or new is None:
        name, _ = old or new or ("", "")
        return f"{name} is {'new' if old is None else 'not there any more'}"
    if old[0] != new[0]:
        return f"{old[0]} is now {new[0]}"
    if max(len(old[1]), len(new[1])) > _LONGEST:
        return f"{old[0]} has changed"
    return f"{old[0]} {old[1]} is now {new[1]}"
