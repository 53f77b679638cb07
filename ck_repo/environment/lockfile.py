"""The lock file: content, format, and migration of older formats."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from ck_repo import __version__
from ck_repo.contract.record import optional, write
from ck_repo.errors import ConfigError, NotFoundError
from ck_repo.machine.platform import Platform
from ck_repo.resolve.component import PLAIN_NAME
from ck_repo.store.atomic import write_json
from ck_repo.store.entry import read_json_object
from ck_repo.store.fields import Fields
from ck_repo.store.installed import InstalledDataset
from ck_repo.trust import note_own_lock

FORMAT, VERSION = "ck-lock", 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = "lock.json"


@dataclass(frozen=True)
class LockedPackage:
    """A Python package; see `InstalledPackage` for `content` and `tags`, which are empty if they were not recorded."""

    version: str
    content: str = optional("")
    tags: str = optional("")

    def same_as(self, other: LockedPackage) -> bool:
        """Whether both are the same release with the same content, as far as that was recorded."""
        return self.version == other.version and (not self.content or not other.content or self.content == other.content)


@dataclass(frozen=True)
class RegisteredAs:
    """The data for registering something again on another machine; see `Installed`."""

    name: str = optional("")
    tags: tuple[str, ...] = optional(())
    soft: str = optional("")
    model: Mapping[str, Any] | None = optional()
    dataset: InstalledDataset | None = optional()
    size: int | None = optional()
    given_name: str = optional("")


@dataclass(frozen=True)
class RepositoryState:
    """A repository at the time of the lock.

    Attributes
    ----------
    git, commit, changed
        Whether it is under git; if so, its commit, and whether files were changed since.
    installed
        Whether it was installed from a wheel, which was built from that commit.
    """

    uid: str = optional("")
    url: str = optional("")
    git: bool = False
    commit: str = optional("")
    changed: bool = optional(False)
    installed: bool = optional(False)


@dataclass(frozen=True)
class LockedComponent:
    """A model, data set or program that was used.

    Attributes
    ----------
    role
        Its role: ``weights``, ``dataset``, ``program``, or the key of a dependency.
    source
        ``package`` (installed by a recipe), ``conversion``, ``registered`` (a file of the user) or ``program``.
    label
        Readable name.
    repository, module, alias, uid
        The entry of its recipe; for registered files only the alias of the soft entry.
    digest
        SHA-256 of the recipe.
    variations
        Variations of the recipe.
    key
        Digest that identifies the result: recipe, variations and inputs.
    inputs
        Keys of its inputs, by dependency.
    content
        SHA-256 of the result: of a model's file, of all files of a data set.
    file
        Name of the main file.
    downloads
        URLs, size (bytes), SHA-256 and, if the recipe has it, MD5 of each downloaded file.
    tools
        Versions of the Python packages that built it.
    meta
        For registered files.
    """

    role: str = optional("")
    source: str = optional("")
    label: str = optional("")
    alias: str = optional("")
    repository: str = optional("")
    module: str = optional("")
    uid: str = optional("")
    digest: str = optional("")
    variations: tuple[str, ...] = optional(())
    key: str = optional("")
    inputs: Mapping[str, str] = optional({})
    content: str = optional("")
    file: str = optional("")
    licence: str = optional("")
    downloads: tuple[Mapping[str, Any], ...] = optional(())
    tools: Mapping[str, str] = optional({})
    meta: RegisteredAs | None = optional()


@dataclass(frozen=True)
class Lock:
    """The components of an environment or of a run.

    Attributes
    ----------
    interpreter
        ``version``, ``implementation``, ``machine``.
    template
        ``alias``, ``repository``, ``uid`` and ``digest`` of the template.
    packages
        Python packages by normalised name.
    components
        In dependency order.
    repositories
        By alias.
    platform
        The machine.
    options
        Options of the run; empty for a venv.
    """

    interpreter: Mapping[str, str]
    template: Mapping[str, str]
    packages: Mapping[str, LockedPackage]
    components: tuple[LockedComponent, ...] = ()
    repositories: Mapping[str, RepositoryState] = field(default_factory=dict)
    platform: Platform = field(default_factory=Platform)
    options: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, str] = field(default_factory=lambda: {"name": "ck-repo", "version": __version__})
    made: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    @property
    def python_minor(self) -> str:
        """``3.11``."""
        return ".".join(self.interpreter.get("version", "").split(".")[:2])

    def component(self, role: str) -> LockedComponent | None:
        """The component with the role `role`."""
        return next((row for row in self.components if row.role == role), None)

    def with_components(self, more: tuple[LockedComponent, ...], repositories: Mapping[str, RepositoryState]) -> Lock:
        """The lock with additional components, which replace those with the same key."""
        keys = {row.key or row.uid for row in more}
        kept = tuple(row for row in self.components if (row.key or row.uid) not in keys)
        return replace(self, components=kept + more, repositories={**self.repositories, **repositories})

    def as_data(self) -> Mapping[str, Any]:
        """The content of the file; empty values are omitted."""
        return {"format": FORMAT, "version": VERSION, **write(self)}


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file atomically, and record that this machine wrote it."""
    write_json(path, lock.as_data())
    note_own_lock(path)


def read_lock(path: Path) -> Lock:
    """Read a lock file of this or an older format.

    Raises
    ------
    ConfigError
        If it is not a lock, is damaged, or has a newer format; the message says which.
    """
    path = path.expanduser()
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist", hint="`ck lock venv:NAME --output=FILE` writes a lock")
    return parse_lock(read_json_object(path), path)


def parse_lock(content: Mapping[str, Any], source: object) -> Lock:
    """The lock from a file's content.

    Parameters
    ----------
    source
        The file, for errors.

    Raises
    ------
    ConfigError
        If it is not a lock, has a newer version, or a value has the wrong type.
    """
    if content.get("format") != FORMAT:
        raise ConfigError(f"{source} is not a lock: its format is {content.get('format')!r}, not {FORMAT!r}")
    version = content.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise ConfigError(f"{source}: version is {version!r}, not an integer")
    if version > VERSION:
        raise ConfigError(
            f"{source} is a lock of format {version}; this ck reads formats up to {VERSION}",
            hint="install a newer ck: `pip install --upgrade` it, or create the lock again with this one",
        )
    rows = dict(content)
    while rows["version"] < VERSION:
        rows = {**_MIGRATIONS[rows["version"]](rows), "version": rows["version"] + 1}
    return _lock(Fields(rows, source))


def _lock(fields: Fields) -> Lock:
    interpreter = _texts(fields, "interpreter")
    if interpreter.get("version"):  # it is searched by its version, because a path would be run
        _version(fields.fields("interpreter"))
    return Lock(
        interpreter=interpreter,
        template=_texts(fields, "template"),
        packages={name: _package(name, row) for name, row in fields.each("packages").items()},
        components=tuple(_component(row) for row in fields.rows("components")),
        repositories={name: row.record(RepositoryState) for name, row in fields.each("repositories").items()},
        platform=fields.fields("platform").record(Platform),
        options=fields.table("options"),
        engine=_texts(fields, "engine"),
        made=fields.text("made"),
    )


def _texts(fields: Fields, key: str) -> dict[str, str]:
    row = fields.fields(key)
    return {name: row.text(name) for name in row.as_dict()}


def _package(name: str, row: Fields) -> LockedPackage:
    """A package; name and version are checked, because they are passed to an installer."""
    row.only("version", "content", "tags")
    if not PLAIN_NAME.fullmatch(name):
        raise row.error("", name, "the name of a Python package")
    return LockedPackage(_version(row), row.text("content"), row.text("tags"))


def _version(row: Fields) -> str:
    text = row.needed("version")
    try:
        Version(text)
    except InvalidVersion:
        raise row.error("version", text, "a version") from None
    return text


def _component(row: Fields) -> LockedComponent:
    content = row.text("content")
    if content and not _DIGEST.fullmatch(content):
        raise row.error("content", content, "64 hexadecimal digits")
    return row.record(LockedComponent)


def _from_run(content: Mapping[str, Any]) -> dict[str, object]:
    """Migrate format 0: the meta of an experiment from before lock files; without digests of packages."""
    meta = Fields(content.get("meta"), "an experiment without a lock")
    venv = meta.fields("venv")
    parts = ((role, meta.fields(name)) for role, name in (("weights", "model"), ("dataset", "dataset")))
    return {
        "format": FORMAT,
        "interpreter": {"version": venv.text("python")},
        "template": {"alias": venv.text("template")},
        "packages": {name: {"version": str(version)} for name, version in venv.table("packages").items()},
        "components": [_old_component(role, row) for role, row in parts if row.as_dict()],
        "repositories": meta.table("repositories"),
        "platform": meta.table("platform"),
        "options": meta.table("options"),
        "engine": meta.table("engine"),
        "made": meta.text("recorded"),
    }


def _old_component(role: str, row: Fields) -> dict[str, object]:
    recipe = row.fields("component")
    return {
        "role": role,
        "source": "package" if recipe.as_dict() else "registered",
        "label": row.text("label") or row.text("name"),
        "alias": recipe.text("alias") or row.text("soft"),
        **{name: recipe.text(name) for name in ("repository", "module", "uid", "digest")},
        "variations": list(row.texts("variations")),
        "key": row.text("key"),
        "content": row.text("digest"),
        "downloads": [each.as_dict() for each in row.rows("downloads")],
    }


_MIGRATIONS: dict[int, Callable[[Mapping[str, Any]], dict[str, object]]] = {0: _from_run}


def lock_of_experiment(folder: Path, meta: Mapping[str, Any]) -> Lock:
    """The lock of a recorded run.

    Parameters
    ----------
    folder, meta
        The folder and the meta.json of the experiment.

    Raises
    ------
    ConfigError
        If the experiment was not recorded by a run, or its lock is invalid.
    """
    if (folder / NAME).exists():
        return read_lock(folder / NAME)
    if not meta.get("venv"):
        raise ConfigError(
            f"{folder} is not a run of ours: it has no {NAME}, and its meta does not name a venv",
            hint="imported submissions are reproduced with `ck reproduce submission`",
        )
    return parse_lock({"format": FORMAT, "version": 0, "meta": meta}, folder)
