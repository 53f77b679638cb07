"""Compare a venv with its lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from packaging.utils import canonicalize_name

from ck_repo import progress
from ck_repo.environment.collect import entry_of, locked_interpreter, locked_packages, readable_envs
from ck_repo.environment.create import plan_venv
from ck_repo.environment.lockfile import Lock, LockedComponent
from ck_repo.environment.venv import Venv
from ck_repo.errors import CKError
from ck_repo.install.installer import content_of
from ck_repo.machine.python_packages import altered_files
from ck_repo.machine.register import problem
from ck_repo.reproduce.difference import Difference, of_packages
from ck_repo.resolve.component import read_component
from ck_repo.resolve.plan import PythonPackage, in_order
from ck_repo.session import Session
from ck_repo.store.digest import of_entry
from ck_repo.store.installed import Installed


def drift(session: Session, venv: Venv, lock: Lock) -> list[Difference]:
    """What changed since the lock was written: packages, files of packages, recipes, installed models and data sets.

    Every file is read, which takes some seconds for a venv with TensorFlow or PyTorch.
    """
    found = _interpreter(venv, lock) + _packages(venv, lock)
    found += _files(venv, sorted(set(lock.packages) - {row.name for row in found}))
    envs = {env.key: env for env in readable_envs(session)}
    edited = _template(session, lock)
    found += edited or [row for row in _lacking(session, venv) if row.name not in {each.name for each in found}]
    with progress.task("checking installed components", len(lock.components), "components") as task:
        for number, row in enumerate(lock.components, 1):
            found += _recipe(session, row) + _content(row, envs.get(row.key))
            task.advance_to(number)
    return found


def _interpreter(venv: Venv, lock: Lock) -> list[Difference]:
    here = locked_interpreter(venv.python)
    return [
        Difference("python", name, value, here.get(name, ""))
        for name, value in lock.interpreter.items()
        if value != here.get(name)
    ]


def _packages(venv: Venv, lock: Lock) -> list[Difference]:
    here = locked_packages(venv.python)
    reasons = {name: "added outside ck" for name in here if name not in lock.packages}
    reasons |= {name: "removed" for name in lock.packages if name not in here}
    return of_packages(lock.packages, here, reasons)


def _files(venv: Venv, names: list[str]) -> list[Difference]:
    found = []
    with progress.task("checking files of packages", len(names), "packages") as task, ThreadPoolExecutor() as pool:
        for number, (name, altered) in enumerate(
            zip(names, pool.map(lambda name: altered_files(venv.python, name), names), strict=True), 1
        ):
            if altered:
                more = f" and {len(altered) - 3} more" if len(altered) > 3 else ""
                found.append(Difference("package", name, "as installed", "altered", ", ".join(altered[:3]) + more))
            task.advance_to(number)
    return found


def _template(session: Session, lock: Lock) -> list[Difference]:
    if not lock.template.get("digest"):
        return []
    entry = entry_of(session, "env_templates", lock.template.get("uid", ""))
    return _edited("template", lock.template.get("alias", ""), lock.template["digest"], of_entry(entry) if entry else "")


def _lacking(session: Session, venv: Venv) -> list[Difference]:
    """Components of the template that the venv lacks, whatever the lock has."""
    if not venv.template:  # made by stock CK
        return []
    try:
        plan = plan_venv(session, venv.name, venv.template)
    except CKError:  # the template is missing here, or for another Python: the venv was created from a lock
        return []
    lacking = [choice for _, choice in in_order(plan.choices) if isinstance(choice, PythonPackage) and not choice.ready]
    names = {choice.variant.python_package: choice.requirement for choice in lacking}
    remark = f"the template {venv.template} has it"
    return [Difference("package", canonicalize_name(name), wanted, "", remark) for name, wanted in names.items()]


def _recipe(session: Session, row: LockedComponent) -> list[Difference]:
    if not row.uid:
        return []
    entry = entry_of(session, row.module, row.uid)
    try:
        digest = read_component(entry).digest if entry else ""
    except CKError as error:
        return [Difference("recipe", row.alias, row.digest[:12], "broken", error.what)]
    return _edited("recipe", row.alias, row.digest, digest)


def _edited(kind: str, name: str, was: str, now: str) -> list[Difference]:
    if was == now:
        return []
    return [Difference(kind, name, was[:12], now[:12], "changed, or another version" if now else "its repository is not here")]


def _content(row: LockedComponent, env: Installed | None) -> list[Difference]:
    if not row.content:
        return []
    if env is None:
        return [Difference("component", row.label, row.content[:12], "", "no longer installed")]
    if env.is_registered:
        wrong = problem(env)
        return [Difference("component", row.label, row.content[:12], "changed", wrong)] if wrong else []
    now = content_of(env)
    if now == row.content:
        return []
    where = f"{env.path} was {'changed' if now else 'removed'}"
    return [Difference("component", row.label, row.content[:12], now[:12], where)]
