"""The kinds of steps that a recipe may name. A recipe cannot run anything but a Python script of its own entry."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ck_repo import progress
from ck_repo.child import last_lines, run_child
from ck_repo.errors import ConfigError, InstallError
from ck_repo.install.fetch import fetch, pinned_digest
from ck_repo.install.source import read_source
from ck_repo.store.atomic import storage_errors
from ck_repo.store.fields import Fields
from ck_repo.store.folders import tools_root
from ck_repo.store.unpack import unpack
from ck_repo.trust import require_code


@dataclass
class Recipe:
    """What the steps work with.

    Attributes
    ----------
    entry
        Folder of the package's entry.
    folder
        The folder to fill.
    python
        Interpreter of the venv, for steps that run a script; None if there is none.
    trusted
        Whether the entry's own scripts may run.
    values
        What ``{name}`` stands for in a step's texts: the folders of dependencies, with ``_file`` behind the name their main
        files, with ``_model`` and ``_dataset`` those sections as JSON.
    vouched
        SHA-256 by URL, from a lock: what a file has to be whose recipe has no digest. It counts for this installation alone.
    downloads
        URL, size and digest of each file that was fetched: for the record.
    rests_on_vouched
        Whether a file came that only the lock vouches for.
    """

    entry: Path
    folder: Path
    python: Path | None
    trusted: bool
    values: Mapping[str, str]
    vouched: Mapping[str, str] = field(default_factory=dict)
    downloads: list[dict[str, object]] = field(default_factory=list)
    rests_on_vouched: bool = False

    @property
    def root(self) -> Path:
        """The root of the entry's repository."""
        return self.entry.parent.parent


def run_step(step: Fields, recipe: Recipe) -> None:
    """Run one step of a recipe: ``download``, ``copy``, ``script`` or ``weights``."""
    kinds = {"download": _download, "copy": _copy, "script": _script, "weights": _weights}
    chosen = [name for name in kinds if name in step]
    step.only(*kinds)
    if len(chosen) != 1:
        raise ConfigError(f"{recipe.entry}: a step is one of {', '.join(kinds)}, this one has {', '.join(chosen) or 'none'}")
    kinds[chosen[0]](step.fields(chosen[0]), recipe)


def _download(step: Fields, recipe: Recipe) -> None:
    source = read_source(step)
    vouched = "" if source.pinned else recipe.vouched.get(source.urls[0], "")
    if vouched and vouched != pinned_digest(source):
        recipe.rests_on_vouched = True
        source = replace(source, sha256=vouched)
    path, digest = fetch(source)
    told = {"md5": source.md5} if source.md5 else {}
    recipe.downloads.append({"urls": list(source.urls), "size": path.stat().st_size, "sha256": digest, **told})
    with storage_errors(f"writing {source.name}"):
        if step.flag("unpack"):
            with progress.task(f"unpacking {source.name}", unit="files") as task:
                unpack(path, recipe.folder, task.advance_to)
            return
        # a copy, as a later step may change it, and what is in the cache must not change
        shutil.copyfile(path, _target(recipe, step.text("to") or source.name))


def _copy(step: Fields, recipe: Recipe) -> None:
    step.only("file", "from", "to")
    if "from" in step:
        source = inside(Path(_filled(recipe, f"{{{step.needed('from')}}}")), step.needed("file"))
    else:
        source = inside(recipe.entry, step.needed("file"))
    if not source.is_file():
        raise InstallError(f"{source} is not there", hint="the repository is incomplete: pull it again")
    with storage_errors(f"writing {source.name}"):
        shutil.copyfile(source, _target(recipe, step.text("to") or source.name))


def _script(step: Fields, recipe: Recipe) -> None:
    step.only("file", "module", "path", "arguments")
    if "module" in step:  # of a package of Python in the same repository
        path = inside(recipe.root, step.needed("path"))
        name, program, extra = step.needed("module"), ["-m", step.needed("module")], {"PYTHONPATH": str(path)}
        where = path
    else:
        where = inside(recipe.entry, step.needed("file"))
        name, program, extra = where.name, [str(where)], {}
    require_code(recipe.entry, f"script {name}", recipe.trusted)
    if recipe.python is None:
        raise InstallError(f"{name} needs a venv to run in", hint="`ck create venv`, or --venv=NAME")
    words = [_filled(recipe, word) for word in step.texts("arguments")]
    logs = tools_root() / ".logs" / recipe.folder.name.strip(".").removesuffix(".new")
    logs.mkdir(parents=True, exist_ok=True)
    with progress.task(f"running {name}"):
        command = [str(recipe.python), "-B", *program, *words]
        status = run_child(command, recipe.folder, logs / "stdout.log", logs / "stderr.log", extra)
    if status:
        raise InstallError(
            f"{name} failed (exit status {status})",
            tail=last_lines(logs / "stderr.log"),
            log=logs / "stderr.log",
            hint="mend what it says, then run the same command again",
        )


def _weights(step: Fields, recipe: Recipe) -> None:
    """Take the weights out of a file of PyTorch without running it."""
    from ck_repo.formats.safetensors_file import write_safetensors
    from ck_repo.formats.torch_file import TorchFile

    step.only("file", "to")
    source = Path(_filled(recipe, step.needed("file")))
    with progress.task(f"reading {source.name}"), storage_errors(f"writing {step.needed('to')}"):
        write_safetensors(TorchFile(source), _target(recipe, step.needed("to")))


def _filled(recipe: Recipe, word: str) -> str:
    """A text of a step with its placeholders filled in."""
    try:
        return word.format_map({"folder": str(recipe.folder), **recipe.values})
    except (AttributeError, KeyError, ValueError, IndexError) as error:
        raise ConfigError(
            f"{recipe.entry}: {word!r} has a placeholder that stands for nothing: {error}",
            hint=f"there are {', '.join(['folder', *recipe.values])}",
        ) from None


def _target(recipe: Recipe, name: str) -> Path:
    """Where a file of that name goes in the folder to fill, with the folders above it."""
    path = inside(recipe.folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def inside(folder: Path, name: str) -> Path:
    """The path of `name` below a folder; a name that leads out of it is refused."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ConfigError(f"{name!r} leads out of {folder}", hint="mend the recipe")
    return path
