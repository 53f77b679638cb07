"""Register files on disk: write an env entry that refers to them. Nothing is copied."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ck_repo.errors import CKError, ConfigError, ConflictError, DetectError, UsageError, did_you_mean
from ck_repo.machine.data_set import COCO, KINDS, Wanted, inspect_data_set, is_unchanged
from ck_repo.machine.interpreter import inspect_interpreter
from ck_repo.models.backends import own_backends
from ck_repo.models.formats import REGISTERED_FORMATS, format_of
from ck_repo.models.interface import FIELDS, given_fields
from ck_repo.models.model_file import inspect_model, main_file
from ck_repo.models.networks import Network
from ck_repo.models.parts import digest_of_model, parts_of
from ck_repo.session import Session
from ck_repo.stock.env_entry import write_env_entry
from ck_repo.store.digest import of_value
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.installed import REGISTERED, Installed
from ck_repo.store.repositories import LOCAL
from ck_repo.store.repository import check_name
from ck_repo.store.search import find
from ck_repo.store.uid import uid_from_digest

_FIELDS = tuple(row.name for row in FIELDS)
FULL_COCO_VAL = 5000  # number of images of val2017
# what soft entries detect whose files are read and never run
DATA_KINDS = frozenset({*KINDS, *REGISTERED_FORMATS})


def detect(soft: Entry, path: Path, options: Mapping[str, str], networks: Mapping[str, Network] | None = None) -> Installed:
    """Examine the user's files, and return the content of their env entry; nothing is written.

    Parameters
    ----------
    soft
        The soft entry, which defines what to detect.
    path
        The value of ``--full_path=``.
    options
        ``profile``, ``annotations``, ``dataset``, ``categories``, ``name`` and the fields of a model's interface: see `ck
        detect soft --help`; ``inside``: for a data set from another user's experiment, see `Wanted`.
    networks
        The networks to recognise; the benchmark's own by default.

    Raises
    ------
    DetectError
        If the path does not have what the soft entry detects.
    ConfigError
        If the soft entry is invalid.
    UsageError
        If an option does not fit, or the name is invalid.
    """
    fields = Fields(soft.meta(), soft.path / META)
    kind = fields.needed("detect")
    model = partial(_model, networks=networks)
    kinds: dict[str, Callable[[Path, str, Mapping[str, str]], Installed]] = {"python": _python}
    kinds |= dict.fromkeys(KINDS, _data_set)
    kinds |= dict.fromkeys(REGISTERED_FORMATS, model)
    if kind not in kinds:
        raise ConfigError(f"{soft.path / META}: detect is {kind!r}", hint=did_you_mean(kind, kinds))
    path = path.expanduser().absolute()
    found = kinds[kind](path, kind, options)
    found = replace(found, tags=tuple(sorted({*fields.tags(), *found.tags})), soft=soft.alias)
    if name := options.get("name", ""):
        check_name(name)
        if "," in name:
            raise UsageError(f"{name!r} is not a valid name: it contains a comma, which separates tags", hint="use dashes")
        found = replace(found, name=name, given_name=name)
    return found


def python_package(soft: Entry, venv: str, have: Mapping[str, str] | None) -> tuple[str, str]:
    """Name and version of the Python package of a soft entry.

    Parameters
    ----------
    soft
        The entry, which names the packages; any one of them is sufficient.
    venv
        Name of the venv, for messages.
    have
        The packages of the venv; None if there is no such venv.

    Raises
    ------
    DetectError
        If there is no venv, or it has none of the packages.
    """
    fields = Fields(soft.meta(), soft.path / META)
    if have is None:
        raise DetectError(f"there is no venv:{venv}", hint=f"`ck create venv:{venv}`, or another with --venv=NAME")
    names = distributions(fields)
    for name in names:
        if name in have:
            return name, have[name]
    raise DetectError(
        f"venv:{venv} has no {' and no '.join(names)}",
        hint=f"`ck install package --tags={','.join(fields.tags())}`",
    )


def distributions(fields: Fields) -> tuple[str, ...]:
    """The Python packages that a soft entry names, or those of its backend."""
    name = fields.text("backend")
    if name and name not in own_backends():
        raise fields.error("backend", name, f"a backend ({', '.join(own_backends())})")
    return own_backends()[name].python_packages if name else fields.texts("python_packages")


def _model(path: Path, kind: str, options: Mapping[str, str], networks: Mapping[str, Network] | None = None) -> Installed:
    path = main_file(path, kind)
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise DetectError(f"{path} {what}", hint=f"give the model: --full_path=…/{format_of(kind).example}")
    model = dict(inspect_model(path, kind, options.get("profile", ""), networks, given_fields(options)))
    if options.get("dataset"):
        model["dataset"] = options["dataset"]
    model["given"] = {key: value for key, value in options.items() if value and key in (*_FIELDS, "profile", "dataset")}
    stat, parts = path.stat(), parts_of(path, kind)
    return Installed(
        name=path.parent.name if path.name == format_of(kind).main else path.name, path=str(path.parent), file=str(path),
        digest=digest_of_model(path, parts), model=model, size=stat.st_size, changed_ns=stat.st_mtime_ns, parts=parts,
        parts_stamp=_parts_stamp(path, parts) if parts else "",
    )  # fmt: skip


def registered_with(model: Mapping[str, Any]) -> dict[str, str]:
    """The options of a registered model, for registering it again."""
    given = model.get("given")
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    return {key: str(model[key]) for key in ("profile", "dataset") if model.get(key)}


def _parts_stamp(path: Path, parts: Sequence[str]) -> str:
    """Sizes and times of a model's parts, which show changes without reading them."""
    stats = [(path.parent / name).stat() for name in parts]
    return of_value([[row.st_size, row.st_mtime_ns] for row in stats])


def _data_set(path: Path, kind: str, options: Mapping[str, str]) -> Installed:
    annotations, names = (
        str(Path(options[key]).expanduser().absolute()) if options.get(key) else "" for key in ("annotations", "categories")
    )
    found = inspect_data_set(Wanted(kind, str(path), annotations, names, bool(options.get("inside"))))
    images, file = Path(found.images), Path(found.annotations)
    stat = file.stat() if file.is_file() else None
    return Installed(
        name=f"{images.name} ({found.count} images)", path=str(images.parent), file=found.annotations, digest=found.digest,
        dataset=found, tags=("full",) if kind == COCO and found.count == FULL_COCO_VAL else (),
        size=stat.st_size if stat else None, changed_ns=stat.st_mtime_ns if stat else None,
    )  # fmt: skip


def _python(path: Path, kind: str, options: Mapping[str, str]) -> Installed:
    found = inspect_interpreter(path)
    return Installed(
        name=f"{found.implementation} {found.version}", path=str(path.parent), file=str(path), version=found.version,
        digest=of_value([str(path), found.version]),
    )  # fmt: skip


def register(session: Session, found: Installed, extra_tags: Sequence[str]) -> Entry:
    """Write the env entry. Registering the same file again replaces its old entry.

    Parameters
    ----------
    found
        The content, from `detect`.
    extra_tags
        Added to those of the soft entry.

    Raises
    ------
    ConflictError
        If the name that the user gave is taken by another registration.
    """
    envs = find(session.repositories, "env", repository=LOCAL)
    env = replace(
        found,
        tags=tuple(sorted({*found.tags, *extra_tags})),
        source=REGISTERED,
        key=found.digest,
        number=1 + max((_number(entry) for entry in envs), default=0),
        registered=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}Z",
    )
    uid = uid_from_digest(of_value([env.file, env.soft]))
    if env.given_name:
        _refuse_taken(envs, env, uid)
    return write_env_entry(session.repositories.writable(), uid, env)


def _refuse_taken(envs: Sequence[Entry], env: Installed, uid: str) -> None:
    """Refuse a name that is taken, because names must be unique."""
    for entry in envs:
        other = _meta_of(entry)
        if entry.uid != uid and other.get("name") == env.name and other.get("only_for", "") == env.only_for:
            raise ConflictError(
                f"the name {env.name} is taken by {other.get('file') or entry.path}",
                hint=f"choose another with --name=, or `ck rm env:{entry.uid}`, which removes the other registration",
            )


def _meta_of(entry: Entry) -> Mapping[str, Any]:
    """The meta of an entry; empty if it cannot be read."""
    try:
        return entry.meta()
    except CKError:
        return {}


def _number(entry: Entry) -> int:
    """The number of a registration, which keeps their order even if the clock was wrong."""
    try:
        return Fields(entry.meta(), entry.path / META).integer("number", 0) or 0
    except CKError:
        return 0


def problem(env: Installed) -> str:
    """What is wrong with registered files: missing, or changed since; empty if nothing is."""
    path, dataset = env.place, env.dataset
    again = f"`ck refresh env:{env.uid}` registers its current state"
    try:
        stat = path.stat()
    except OSError:
        return f"{path} is missing (`ck rm env:{env.uid}` removes the registration)"
    if env.parts and (wrong := _parts_problem(path, env)):
        return f"{wrong} ({again})"
    if dataset and dataset.stamp:
        try:
            unchanged = is_unchanged(dataset)
        except OSError as error:
            return f"{error.filename} of the data set {dataset.images} is missing ({again})"
        except CKError as error:
            return f"{error.what} ({again})"
        if not unchanged:
            return f"images or annotations of {dataset.images} were changed after it was registered ({again})"
    if env.size is not None and (stat.st_size, stat.st_mtime_ns) != (env.size, env.changed_ns):
        if env.model is not None and stat.st_size == env.size and digest_of_model(path, env.parts) == env.digest:
            return ""  # copied or touched, with the same content
        return f"{path} was changed after it was registered ({again})"
    return ""


def _parts_problem(path: Path, env: Installed) -> str:
    """What is wrong with a model's parts; empty if nothing is."""
    missing = [name for name in env.parts if not (path.parent / name).is_file()]
    if missing:
        return f"{path.parent / missing[0]}, a part of {path.name}, is missing"
    if _parts_stamp(path, env.parts) != env.parts_stamp and digest_of_model(path, env.parts) != env.digest:
        return f"a part of {path} was changed after it was registered"
    return ""
