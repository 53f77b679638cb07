"""Create a venv from a template, with all its components."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ck_repo import progress
from ck_repo.child import capture
from ck_repo.child_environment import child_environment
from ck_repo.environment.collect import locked_components, locked_template, make_lock
from ck_repo.environment.lockfile import NAME, Lock, write_lock
from ck_repo.environment.locking import extend_lock
from ck_repo.environment.template import Template, read_template, template_entry
from ck_repo.environment.venv import DEFAULT_TEMPLATE, Venv, find_venv, interpreter_of, read_context, read_venv
from ck_repo.errors import ConflictError, InstallError
from ck_repo.install.installer import Installer
from ck_repo.install.python_packages import missing
from ck_repo.machine.interpreter import Interpreter, find_interpreter
from ck_repo.resolve.permission import refuse_foreign_code
from ck_repo.resolve.plan import Choice, PythonPackage, in_order
from ck_repo.resolve.resolver import Resolver
from ck_repo.resolve.versions import satisfies
from ck_repo.session import Session
from ck_repo.store.atomic import make_folder, refuse_full, storage_errors
from ck_repo.store.entry import INFO, META, Entry, link_alias, read_json_object, unlink_alias, write_entry
from ck_repo.store.folders import repos_root, tools_root
from ck_repo.store.lock import locked
from ck_repo.store.modules import module_uid
from ck_repo.store.repository import Repository, check_name
from ck_repo.store.uid import new_uid
from ck_repo.store.work import remove_folder, sweep, working
from ck_repo.store.writing import module_folder

_TIMEOUT = 600  # s
_TAKEN = "choose another name, or create it again with --force"


@dataclass(frozen=True)
class VenvPlan:
    """The plan of a new venv."""

    name: str
    template: Template
    python: Interpreter
    choices: dict[str, Choice]


def plan_venv(
    session: Session, name: str, template_name: str = "", python: str = "", *, from_scratch: bool = False
) -> VenvPlan:
    """Select interpreter and components, without creating anything.

    Parameters
    ----------
    from_scratch
        Plan for an empty venv, even if there is one of that name, whose content will be discarded.

    Raises
    ------
    ConflictError
        If the interpreter is not in the template's range.
    DetectError
        If there is no such interpreter.
    CKError
        If there is no such template, or a component cannot be resolved.
    """
    check_name(name)
    template = read_template(template_entry(session, template_name or DEFAULT_TEMPLATE))
    existing = find_venv(session, name)
    base = str(existing.entry.meta().get("python_path", "")) if existing else ""
    here = base if base and Path(base).exists() else ""
    here_now = read_context(session, None if from_scratch else existing)
    registered = [Path(env.file) for env in here_now.registered if "compiler" in env.tags]
    interpreter = find_interpreter(python or here or _ours_if_in(template.python), registered)
    if not satisfies(interpreter.version, template.python):
        raise ConflictError(
            f"the template {template.name} is for Python {template.python}, and {interpreter.path} is {interpreter.version}",
            hint="choose another with --python=3.11",
        )
    resolver = Resolver(replace(here_now, python=interpreter.version), home=template.entry.repository)
    return VenvPlan(name, template, interpreter, resolver.dependencies(template.components, f"template {template.name}"))


def _ours_if_in(wanted: str) -> str:
    """Our own interpreter if the template allows it, else the first allowed one."""
    ours = ".".join(map(str, sys.version_info[:3]))
    return "" if satisfies(ours, wanted) else wanted


def create_venv(session: Session, plan: VenvPlan, *, force: bool = False) -> Venv:
    """Carry out a plan. The entry appears when everything is installed; an existing venv gets what it lacks.

    Parameters
    ----------
    plan
        The result of `plan_venv`.
    force
        Create it again if it exists.
    """

    refuse_foreign_code(plan.choices, session.trust)  # before creating a venv

    def fill(python: Path) -> Lock:
        installed = Installer(session, python).install(plan.choices)
        wanted = sorted({row.requirement for _, row in in_order(plan.choices) if isinstance(row, PythonPackage)})
        if absent := missing(python, wanted):
            raise InstallError(
                f"venv:{plan.name} lacks {', '.join(absent)} of the template {plan.template.name}",
                hint="the venv was changed while it was created again: run the same command again",
            )
        template = locked_template(plan.template.entry)
        return make_lock(session, python, template, locked_components(session, installed.items()))

    def complete(venv: Venv) -> None:
        if venv.of_stock_ck or venv.template != plan.template.name:
            raise ConflictError(f"venv:{plan.name} already exists, created from {venv.origin}", hint=_TAKEN)
        if venv.version != plan.python.version and plan.python.path != venv.python:
            raise ConflictError(f"venv:{plan.name} already exists, with Python {venv.version}", hint=_TAKEN)
        before = venv.packages
        installed = Installer(session, venv.python).install(plan.choices)
        extend_lock(session, venv, before, locked_components(session, installed.items()))

    return make_venv(session, plan.name, plan.template.name, plan.python, fill, complete, force=force)


def make_venv(
    session: Session,
    name: str,
    template: str,
    python: Interpreter,
    fill: Callable[[Path], Lock],
    complete: Callable[[Venv], None],
    *,
    force: bool = False,
) -> Venv:
    """Create a venv, or complete the one of that name; concurrent processes do so one after the other.

    Parameters
    ----------
    template
        Name of its origin.
    fill
        Installs into the new venv of an interpreter, and returns the lock of its content.
    complete
        Called instead with an existing venv.
    force
        Create it again if it exists.
    """
    make_folder(repos_root(), "CK_REPOS")
    make_folder(tools_root(), "CK_TOOLS")
    local = session.repositories.writable()
    folder = module_folder(local, "venv") / name
    with locked(folder.with_name(f".{name}.lock"), f"creating venv:{name}"):
        if (folder / META).exists() and not force:
            venv = find_venv(session, name)
            assert venv is not None
            venv.check()
            complete(venv)
            return venv
        sweep(folder)
        if folder.exists() and not (folder / META).exists():
            remove_folder(folder)
        progress.say(f"creating venv:{name} with Python {python.version} in {folder}")
        with storage_errors(f"creating venv:{name}"), working() as work:
            aside = work.in_place(folder)  # it is restored if the new one fails, or this process is killed
            try:
                folder.mkdir(parents=True)
                _virtualenv(python, folder / "venv", name)
                write_lock(folder / NAME, fill(interpreter_of(folder / "venv")))
                if aside.exists():
                    unlink_alias(folder, str(read_json_object(aside / INFO).get("backup_data_uid", "")))
                return _publish(local, name, template, python, folder)
            except BaseException:
                log = folder / "venv" / "ck-install.log"
                if log.exists():
                    with suppress(OSError):
                        shutil.copy(log, folder.with_name(f".{name}.log"))
                raise


def _virtualenv(python: Interpreter, folder: Path, name: str) -> None:
    command = [
        sys.executable, "-m", "virtualenv", "--quiet", "--python", str(python.path), "--no-periodic-update",
        "--no-download", "--prompt", f"CK {name}", str(folder),
    ]  # fmt: skip
    environment = child_environment({"VIRTUALENV_CONFIG_FILE": os.devnull})
    with progress.task(f"creating venv:{name}"):
        try:
            done = capture(command, environment, timeout=_TIMEOUT)
        except TimeoutError:
            raise InstallError(f"virtualenv did not end within {_TIMEOUT} s") from None
    if done.status:
        refuse_full(folder, f"creating venv:{name}")
        raise InstallError(
            f"virtualenv failed (exit status {done.status})",
            tail=(done.errors or done.output).decode(errors="replace")[-2000:],
            hint="choose another interpreter with --python=",
        )


def _publish(local: Repository, name: str, template: str, python: Interpreter, folder: Path) -> Venv:
    uid = new_uid()
    meta = {
        "tags": ["venv", template, f"python-{python.version}"],
        "template": template,
        "python_version": python.version,
        "python_path": str(python.path),
        "path": str(folder / "venv"),
    }
    link_alias(folder, uid)
    write_entry(folder, uid, meta, module="venv", module_uid=module_uid("venv"))
    return read_venv(Entry(local.alias, "venv", name, uid, folder, local.uid))
