"""Functions on a worker of a cluster for a package that is made in parts: make a part, and send its files in chunks."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from ck_repo.campaign.job import failure_data, machine_name
from ck_repo.campaign.measuring import measuring
from ck_repo.campaign.messages import PartFile, PartMade, PartTask, read_message
from ck_repo.campaign.remote_venv import in_venv
from ck_repo.contract.record import write
from ck_repo.environment.create import create_venv, plan_venv
from ck_repo.environment.venv import Venv, chosen_name, find_venv, read_context
from ck_repo.errors import CKError, ConflictError
from ck_repo.install.installer import Installer
from ck_repo.resolve.permission import refuse_foreign_code
from ck_repo.resolve.plan import NewPackage
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.atomic import storage_errors
from ck_repo.store.digest import of_file, of_value
from ck_repo.store.folders import tools_root
from ck_repo.store.lock import locked

_DONE = "made.json"  # digests of the files of a part that is there


def make_part(task: Mapping[str, object]) -> dict[str, object]:
    """Make a part, unless an earlier attempt has: a `PartTask` to a `PartMade`, or to a `Failure`."""
    began = time.monotonic()
    try:
        wanted = read_message(PartTask, task)
        with in_venv(wanted.venv), measuring():
            name, files = _part(wanted)
    except CKError as error:
        return failure_data(error)
    return write(PartMade(machine_name(), time.monotonic() - began, name, files))


def read_piece(name: str, file: str, offset: int, size: int) -> bytes:
    """A piece of a file of a part."""
    with (_place(name) / Path(file).name).open("rb") as opened:
        opened.seek(offset)
        return opened.read(size)


def forget_part(name: str) -> None:
    """Remove a part that has arrived."""
    shutil.rmtree(_place(name), ignore_errors=True)


def _place(name: str) -> Path:
    return tools_root() / ".cache" / "parts" / Path(name).name


def _part(task: PartTask) -> tuple[str, dict[str, PartFile]]:
    session = Session(trust=task.trust)
    venv = find_venv(session, chosen_name(""))
    choice = _choice(session, venv, task)
    if venv is None:
        venv = create_venv(session, plan_venv(session, chosen_name("")))
        choice = _choice(session, venv, task)
    refuse_foreign_code({choice.name: choice}, session.trust)
    installer = Installer(session, venv.python)
    index, count = task.index, task.count
    name = of_value([choice.key, index, count, task.tools])[:32]
    place = _place(name)
    with locked(place.with_name(f"{name}.lock"), f"making part {index + 1} of {count}"):
        if not (place / _DONE).is_file():
            with storage_errors(f"writing {place}"):
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir(parents=True)
            installer.make_part(choice, index, count, place)
            _check_tools(choice, installer.tools(choice), task.tools)
            files = {each.name: write(PartFile(each.stat().st_size, of_file(each))) for each in sorted(place.iterdir())}
            with storage_errors(f"writing {place}"):
                (place / _DONE).write_text(json.dumps(files), encoding="utf-8")
        found = json.loads((place / _DONE).read_text(encoding="utf-8"))
        return name, {file: read_message(PartFile, about) for file, about in found.items()}


def _choice(session: Session, venv: Venv | None, task: PartTask) -> NewPackage:
    """The package on this machine, if it is the same with the same inputs."""
    resolver = Resolver(read_context(session, venv), again=True, added=task.added)
    choice = resolver.resolve(task.tags, task.version)
    if not isinstance(choice, NewPackage) or choice.key != task.key:
        raise ConflictError(
            f"{choice.name} on {machine_name()} would have other inputs than {task.of}",
            hint="install the same version of ck-repo there, and install or register the same data set",
        )
    return choice


def _check_tools(choice: NewPackage, here: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Refuse packages of other versions, which may compute other bytes."""
    if other := [name for name in wanted if here.get(name) != wanted[name]]:
        raise ConflictError(
            f"{machine_name()} makes {choice.name} with {other[0]} {here.get(other[0]) or 'absent'}, and this machine with "
            f"{wanted[other[0]]}",
            hint="create the venvs from one file: --lock=FILE or --bundle=FILE",
        )
