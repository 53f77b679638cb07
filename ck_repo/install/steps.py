"""The kinds of steps that a recipe may name. A recipe cannot run anything but a Python script of its own entry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ck_repo import progress
from ck_repo.errors import ConfigError, InstallError
from ck_repo.install.fetch import fetch
from ck_repo.install.source import read_source
from ck_repo.store.atomic import storage_errors
from ck_repo.store.fields import Fields
from ck_repo.store.unpack import unpack


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
        What ``{name}`` stands for in a step's arguments: the folders of dependencies.
    downloads
        URL, size and digest of each file that was fetched: for the record.
    """

    entry: Path
    folder: Path
    python: Path | None
    trusted: bool
    values: Mapping[str, str]
    downloads: list[dict[str, object]] = field(default_factory=list)


def run_step(step: Fields, recipe: Recipe) -> None:
    """Run one step of a recipe: ``download``, ``copy`` or ``script``."""
    kinds = {"download": _download, "copy": _copy, "script": _script}
    chosen = [name for name in kinds if name in step]
    step.only(*kinds)
    if len(chosen) != 1:
        raise ConfigError(f"{recipe.entry}: a step is one of {', '.join(kinds)}, this one has {', '.join(chosen) or 'none'}")
    kinds[chosen[0]](step.fields(chosen[0]), recipe)


def _download(step: Fields, recipe: Recipe) -> None:
    source = read_source(step)
    path, digest = fetch(source)
    recipe.downloads.append({"urls": list(source.urls), "size": path.stat().st_size, "sha256": digest})
    with storage_errors(f"writing {source.name}"):
        if step.flag("unpack"):
            with progress.task(f"unpacking {source.name}", unit="files") as task:
                unpack(path, recipe.folder, task.advance_to)
            return
        target = _inside(recipe.folder, step.text("to") or source.name)
        try:
            os.link(path, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, target)


def _copy(step: Fields, recipe: Recipe) -> None:
    step.only("file", "to")
    source = _inside(recipe.entry, step.needed("file"))
    if not source.is_file():
        raise InstallError(f"{source} is not there", hint="the repository is incomplete: pull it again")
    with storage_errors(f"writing {source.name}"):
        shutil.copyfile(source, _inside(recipe.folder, step.text("to") or source.name))


def _script(step: Fields, recipe: Recipe) -> None:
    step.only("file", "arguments", "title")
    script = _inside(recipe.entry, step.needed("file"))
    if not recipe.trusted:
        raise InstallError(
            f"{script} is another repository's program, and is not run unasked",
            hint="read it, then allow it with --trust",
        )
    if recipe.python is None:
        raise InstallError(f"{script.name} needs a venv to run in", hint="`ck create venv`, or --venv=NAME")
    words = [word.format_map({"folder": str(recipe.folder), **recipe.values}) for word in step.texts("arguments")]
    log = recipe.folder.with_name(f"{recipe.folder.name}.log")
    title = step.text("title") or script.stem
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    with open(log, "w+", encoding="utf-8") as errors, progress.task(title) as task:
        process = subprocess.Popen(
            [str(recipe.python), "-B", str(script), *words],
            cwd=recipe.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        try:
            for line in process.stdout or ():
                _follow(line, task)
            status = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        errors.seek(0)
        tail = "\n".join(errors.read().splitlines()[-12:])
    log.unlink()
    if status:
        raise InstallError(
            f"{script.name} failed (exit status {status})", tail=tail, hint="mend what it says, then run the same command again"
        )


def _follow(line: str, task: progress.Task) -> None:
    """A script tells how far it is in lines of JSON: ``{"progress": …, "done": 3, "total": 10}``."""
    try:
        row = json.loads(line)
        task.advance_to(float(row["done"]), float(row["total"]))
    except (ValueError, KeyError, TypeError):
        pass


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ConfigError(f"{name!r} leads out of {folder}", hint="mend the recipe")
    return path
