"""The kinds of steps in recipes. A recipe can only run Python scripts of its own entry."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ck_repo import progress
from ck_repo.child import last_lines, run_child
from ck_repo.errors import ConfigError, GitError, InstallError
from ck_repo.install.fetch import Fetched, fetch, pinned_digest
from ck_repo.install.first_fetch import FirstFetch
from ck_repo.install.git_source import read_commit
from ck_repo.install.patch import apply_patch
from ck_repo.install.source import Source, is_local, local_file, read_source, zenodo_file
from ck_repo.resolve.package_keys import STEPS
from ck_repo.store.atomic import storage_errors
from ck_repo.store.fields import Fields
from ck_repo.store.fill_folder import GIT_FOLDER
from ck_repo.store.folders import tools_root
from ck_repo.store.unpack import ArchiveError, decompress, refuse_links_out, unpack
from ck_repo.trust import require_code, require_local_file

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")
_LONGEST_WORD = 4096  # maximum characters of a text with placeholders


@dataclass(frozen=True)
class Given:
    """A dependency, as far as steps may copy from it.

    Attributes
    ----------
    folder
        Its folder.
    alone
        For registered files: the file and the image folder. The folder around them belongs to the user. Empty if the whole
        folder was installed for the dependency.
    """

    folder: Path
    alone: tuple[Path, ...] = ()

    def holds(self, path: Path) -> bool:
        """Whether a resolved path is a part of it."""
        return any(path.is_relative_to(each.resolve()) for each in self.alone or (self.folder,))


@dataclass
class Recipe:
    """The context of a recipe's steps.

    Attributes
    ----------
    entry
        Folder of the package's entry.
    folder
        The folder to fill.
    python
        Interpreter of the venv, for steps that run a script; None without one.
    trusted
        Whether the entry's own scripts may run.
    values
        Replacements of ``{name}`` in texts: folders of dependencies, their main files with the suffix ``_file``, and the
        sections as JSON with ``_model`` and ``_dataset``.
    given
        The dependencies by name: `copy` only reads from these, and from the entry itself.
    vouched
        SHA-256 by URL, from a lock: required digests of files whose recipe has none. They only apply to this installation.
    first_fetch
        For a stock recipe: the storage of digests that it lacks. None if a recipe must have digests.
    fetched
        Files that were downloaded and verified for this installation already, by the digests of their sources.
    copied
        SHA-256 of files in the folder that are copies of verified files, and that no step has changed since.
    downloads
        URL, size and digest of each downloaded file, and whether it is unverified: for the record.
    rests_on_vouched
        Whether a file was only verified by the lock.
    more_words
        Further arguments of a script that can be divided; see `object_detection.prepared` for an example.
    """

    entry: Path
    folder: Path
    python: Path | None
    trusted: bool
    values: Mapping[str, str]
    given: Mapping[str, Given] = field(default_factory=dict)
    vouched: Mapping[str, str] = field(default_factory=dict)
    first_fetch: FirstFetch | None = None
    fetched: Mapping[str, Fetched] = field(default_factory=dict)
    copied: dict[Path, str] = field(default_factory=dict)
    downloads: list[dict[str, object]] = field(default_factory=list)
    rests_on_vouched: bool = False
    more_words: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The root of the entry's repository."""
        return self.entry.parent.parent


def run_step(step: Fields, recipe: Recipe) -> None:
    """Run one step of a recipe.

    Parameters
    ----------
    step
        An object with a single kind: ``download``, ``git``, ``copy``, ``move``, ``patch``, ``script`` or ``weights``.
    recipe
        The recipe, with the folder that its steps fill.

    Raises
    ------
    ConfigError
        If it has no or several kinds, unknown keys, or names that lead out of the folder.
    CKError
        Of the step: a failed download, another digest, a failed script.
    """
    kinds = {
        "download": _download, "git": _git, "copy": _copy, "move": _move, "patch": _patch, "script": _script,
        "weights": _weights,
    }  # fmt: skip
    chosen = [name for name in kinds if name in step]
    step.only(*STEPS)
    if len(chosen) != 1:
        raise ConfigError(f"{recipe.entry}: a step is one of {', '.join(kinds)}, this one has {', '.join(chosen) or 'none'}")
    content = step.fields(chosen[0])
    if chosen != ["download"] or content.flag("unpack") or content.flag("decompress"):
        recipe.copied.clear()  # the step may change any file
    kinds[chosen[0]](content, recipe)


def _download(step: Fields, recipe: Recipe) -> None:
    source = read_source(step)
    path, digest = _fetched(source, recipe)
    with storage_errors(f"writing {source.name}"):
        if step.flag("unpack"):
            with _naming(source, path):
                _unpack(path, recipe.folder, source.name, step.integer("strip", 0) or 0)
            return
        target = _target(recipe, step.text("to") or source.name)
        if step.flag("decompress"):
            with _naming(source, path):
                decompress(path, target)
        else:  # a copy, because later steps may change it, and files in the cache must not change
            shutil.copyfile(path, target)
            recipe.copied[target] = digest


@contextmanager
def _naming(source: Source, path: Path) -> Iterator[None]:
    """Name the URL of an archive in errors, because the file in the cache is named by its digest."""
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(error.what.replace(str(path), f"the file from {source.urls[0]}"), hint=error.hint) from error


def _fetched(source: Source, recipe: Recipe, *, verified: bool = True) -> Fetched:
    """Download the file of a source, unless it was just fetched, and record it."""
    _refuse_private(source, recipe)
    verified = verified and (recipe.first_fetch is None or source.pinned or zenodo_file(source) is not None)
    vouched = "" if source.pinned else recipe.vouched.get(source.urls[0], "")
    if vouched and vouched != pinned_digest(source):
        recipe.rests_on_vouched = True
        source = replace(source, sha256=vouched)
    if (ahead := recipe.fetched.get(source.digest)) and ahead[0].exists():
        path, digest = ahead
    else:
        path, digest = recipe.first_fetch.file(source) if recipe.first_fetch and not vouched else fetch(source)
    origin = dict(source.weaker) | ({} if verified else {"unverified": True})
    if not verified:
        progress.say(f"{source.urls[0]} is unverified: its recipe has no digest; later downloads must have sha256 {digest}")
    recipe.downloads.append({"urls": list(source.urls), "size": path.stat().st_size, "sha256": digest, **origin})
    return path, digest


def _refuse_private(source: Source, recipe: Recipe) -> None:
    """Refuse local URLs that the recipe may not read."""
    for url in source.urls:
        if is_local(url):
            path = None if read_commit(url) else local_file(url)
            require_local_file(recipe.entry, url, path, recipe.trusted)


def _unpack(path: Path, folder: Path, name: str, strip: int = 0) -> None:
    """Unpack into a folder; `strip` removes that number of leading folders."""
    with progress.task(f"unpacking {name}", unit="files") as task:
        if not strip:
            unpack(path, folder, task.advance_to)
            return
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            unpack(path, Path(beside), task.advance_to)
            tops = [Path(beside)]
            for _ in range(strip):
                below = [inner for top in tops for inner in sorted(top.iterdir())]
                tops = [inner for inner in below if inner.is_dir() and not inner.is_symlink()]
            for inner in [inner for top in tops for inner in sorted(top.iterdir())]:
                shutil.move(inner, folder / inner.name)
        refuse_links_out(path, folder)  # a link that was inside may lead out after the move


def _git(step: Fields, recipe: Recipe) -> None:
    """Download the files of a commit; branches and tags are only for recipes whose first download is recorded."""
    step.only(*STEPS["git"])
    url, checkout = step.needed("url"), step.text("checkout")
    exact = re.fullmatch("[0-9a-f]{40}", checkout) is not None
    if not exact and recipe.first_fetch is None:
        raise ConfigError(f"{recipe.entry}: checkout is {checkout!r}, not a commit", hint="use its 40 digits")
    _commit_of(url, "0" * 40, recipe)  # check the URL before git sees it, whatever the commit
    if is_local(url):
        require_local_file(recipe.entry, url, None, recipe.trusted)
    digest = checkout
    if not exact and recipe.first_fetch:
        locked = [name.rpartition("@")[2] for name in recipe.vouched if name.rpartition("@")[0] == f"git+{url}"]
        recipe.rests_on_vouched = recipe.rests_on_vouched or bool(locked)
        digest = locked[0] if locked else recipe.first_fetch.commit(url, checkout)
    path, _ = _fetched(_commit_of(url, digest, recipe), recipe, verified=exact)
    folder = inside(recipe.folder, step.text("to"))
    with storage_errors(f"writing {folder.name}"):
        folder.mkdir(parents=True, exist_ok=True)
        _unpack(path, folder, url)


def _commit_of(url: str, digest: str, recipe: Recipe) -> Source:
    return read_source(Fields({"url": f"git+{url}@{digest}"}, recipe.entry))


def _copy(step: Fields, recipe: Recipe) -> None:
    step.only(*STEPS["copy"])
    if "folder" in step:  # path relative to the entry, including its content
        source = inside(recipe.entry, step.needed("folder"))
        with storage_errors(f"writing {source.name}"):
            shutil.copytree(source, inside(recipe.folder, step.text("to")), dirs_exist_ok=True, ignore=_not_copied)
        return
    if named := step.text("from"):
        if named not in recipe.given:
            raise ConfigError(
                f"{recipe.entry}: copy is from {named!r}, which is not a dependency of it", hint=_known_dependencies(recipe)
            )
        source = inside(recipe.given[named].folder, step.needed("file"))
        if not recipe.given[named].holds(source):
            raise ConfigError(f"{recipe.entry}: {step.needed('file')!r} is not a part of {named}", hint="fix the recipe")
    elif "root" in step:  # relative to the root of the repository
        source = inside(recipe.root, step.needed("root"))
    else:
        source = inside(recipe.entry, step.needed("file"))
    if not source.is_file():
        raise InstallError(f"{source} does not exist", hint="the repository is incomplete: pull it again")
    with storage_errors(f"writing {source.name}"):
        shutil.copyfile(source, _target(recipe, step.text("to") or source.name))


def _known_dependencies(recipe: Recipe) -> str:
    return f"its dependencies are {', '.join(recipe.given)}" if recipe.given else "it has no dependencies"


def _not_copied(folder: str, names: list[str]) -> list[str]:
    """Symbolic links, which could lead out of the entry, and git folders, whose settings can name programs to run."""
    return [name for name in names if Path(folder, name).is_symlink() or name.lower() == GIT_FOLDER]


def _move(step: Fields, recipe: Recipe) -> None:
    """Rename a file or folder."""
    step.only(*STEPS["move"])
    source = inside(recipe.folder, step.needed("file"))
    if not source.exists():
        raise InstallError(f"{step.needed('file')} does not exist after the previous steps", hint="the publisher changed it")
    with storage_errors(f"writing {step.needed('to')}"):
        shutil.move(source, _target(recipe, step.needed("to")))


def _patch(step: Fields, recipe: Recipe) -> None:
    """Apply a patch of the entry; one that does not apply, or leads out of the folder, changes nothing."""
    step.only(*STEPS["patch"])
    patch, folder = inside(recipe.entry, step.needed("file")), inside(recipe.folder, step.text("to"))
    try:
        apply_patch(patch, folder)
    except GitError as error:
        raise InstallError(f"the patch {step.needed('file')} does not apply: {error.what}") from error


def _script(step: Fields, recipe: Recipe) -> None:
    step.only(*STEPS["script"])
    if "module" in step:  # from a Python package in the same repository
        path = inside(recipe.root, step.needed("path"))
        name, program, extra = step.needed("module"), ["-m", step.needed("module")], {"PYTHONPATH": str(path)}
        where = path
    else:
        where = inside(recipe.entry, step.needed("file"))
        name, program, extra = where.name, [str(where)], {}
    require_code(recipe.entry, f"script {name}", recipe.trusted)
    if recipe.python is None:
        raise InstallError(f"{name} needs a venv", hint="`ck create venv`, or --venv=NAME")
    words = [_filled(recipe, word) for word in step.texts("arguments")]
    words += recipe.more_words if step.flag("divisible") else ()
    logs = tools_root() / ".logs" / re.sub(r"\.[0-9a-f]{8}\.new$", "", recipe.folder.name).strip(".")
    logs.mkdir(parents=True, exist_ok=True)
    with progress.task(f"running {name}"):
        command = [str(recipe.python), "-B", *program, *words]
        status = run_child(command, recipe.folder, logs / "stdout.log", logs / "stderr.log", extra)
    if status:
        raise InstallError(
            f"{name} failed (exit status {status})",
            tail=last_lines(logs / "stderr.log"),
            log=logs / "stderr.log",
            hint="fix what it says, then run the same command again",
        )


def _weights(step: Fields, recipe: Recipe) -> None:
    """Extract the weights of a PyTorch file without running its code."""
    from ck_repo.models.safetensors_file import write_safetensors
    from ck_repo.models.torch_file import TorchFile

    step.only(*STEPS["weights"])
    source = Path(_filled(recipe, step.needed("file"))).resolve()
    ours = (Given(recipe.folder), Given(recipe.entry), *recipe.given.values())
    if not any(each.holds(source) for each in ours):
        raise ConfigError(
            f"{recipe.entry}: the weights are read from {source}, which is not a part of it or of a dependency",
            hint=_known_dependencies(recipe),
        )
    with progress.task(f"reading {source.name}"), storage_errors(f"writing {step.needed('to')}"):
        write_safetensors(TorchFile(source), _target(recipe, step.needed("to")))


def _filled(recipe: Recipe, word: str) -> str:
    """A text of a step with its placeholders ``{name}`` replaced; ``{{`` and ``}}`` are braces."""
    values = {"folder": str(recipe.folder), **recipe.values}

    def value(match: re.Match[str]) -> str:
        found = match[0][0] if match[0] in ("{{", "}}") else values.get(match["name"] or "")
        if found is None:
            raise ConfigError(
                f"{recipe.entry}: {word[:200]!r} has an unknown placeholder: {match[0][:60]}",
                hint=f"known: {', '.join(values)}",
            )
        return found

    if len(word) > _LONGEST_WORD:
        raise ConfigError(f"{recipe.entry}: a text of a step has {len(word)} characters", hint=f"at most {_LONGEST_WORD}")
    return _PLACEHOLDER.sub(value, word)


def _target(recipe: Recipe, name: str) -> Path:
    """The path of a file in the folder to fill; its parent folders are created."""
    path = inside(recipe.folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def inside(folder: Path, name: str) -> Path:
    """The path of `name` below a folder, with links resolved.

    Raises
    ------
    ConfigError
        If it leads out of the folder, is in a git folder, or is not a valid file name.
    """
    try:
        path = (folder / name).resolve()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name that is too long, or a NUL
        raise ConfigError(f"{name[:200]!r} is not a valid file name: {error}"[:400], hint="fix the recipe") from None
    if not path.is_relative_to(folder.resolve()):
        raise ConfigError(f"{name!r} leads out of {folder}", hint="fix the recipe")
    if GIT_FOLDER in (part.lower() for part in path.relative_to(folder.resolve()).parts):
        raise ConfigError(f"{name!r} is in a git folder, whose settings can name programs to run", hint="fix the recipe")
    return path
