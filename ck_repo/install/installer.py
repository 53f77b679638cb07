"""Carry out a plan: install what is missing, each component atomically into its own folder."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from packaging.utils import canonicalize_name

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.contract.timings import Timings
from ck_repo.errors import ConflictError, InstallError
from ck_repo.install.fetch import Fetched, forget_fetched
from ck_repo.install.fetch_ahead import FetchAhead
from ck_repo.install.first_fetch import FirstFetch
from ck_repo.install.python_packages import install_python_packages
from ck_repo.install.steps import Given, Recipe, inside, run_step
from ck_repo.install.to_fetch import fetch_lines
from ck_repo.machine.python_packages import python_packages
from ck_repo.models.parts import digest_of_model, parts_of
from ck_repo.resolve.component import Component
from ck_repo.resolve.plan import SOURCE, Choice, NewPackage, PythonPackage, in_order
from ck_repo.session import Session
from ck_repo.stock.env_entry import SCRIPT, with_stock_keys, write_env_entry
from ck_repo.store.atomic import publish_folder, storage_errors, write_json
from ck_repo.store.digest import of_file, of_value
from ck_repo.store.entry import META, read_json_object
from ck_repo.store.exchange import exchange
from ck_repo.store.fields import Fields
from ck_repo.store.folders import tools_root
from ck_repo.store.installed import PACKAGE, Installed, InstalledDataset, RecipeEntry, read_installed
from ck_repo.store.lock import locked
from ck_repo.store.uid import uid_from_digest
from ck_repo.store.work import remove_folder, working
from ck_repo.trust import may_run, require_code

ONLY_PART, MADE_PARTS = "--only-part", "--made-parts"  # arguments of a script that can be divided
_MANIFEST = ".ck-install.json"  # file in every installed folder: the env entry's meta


@dataclass(frozen=True)
class Vouched:
    """A lock's digests of files whose recipes have none.

    Attributes
    ----------
    scope
        Where they apply: ``venv:NAME`` or ``experiment:UID``. Components that depend on them are only used there.
    digests
        SHA-256 by URL.
    """

    scope: str
    digests: Mapping[str, str]


@dataclass(frozen=True)
class InstallOptions:
    """How to install choices.

    Attributes
    ----------
    places
        The folder for a choice, by its key; a folder in CK_TOOLS for others.
    again
        Keys of choices that are installed again if they exist.
    refetch
        Whether these are downloaded again, too.
    parts
        For a choice that other machines have made in parts, by its key: the folders of the parts, in their order.
    """

    places: Mapping[str, Path] = field(default_factory=dict)
    again: Collection[str] = ()
    refetch: bool = False
    parts: Mapping[str, Sequence[Path]] = field(default_factory=dict)


class Installer:
    """Installs choices.

    Parameters
    ----------
    session
        The repositories to write env entries to, and whether scripts of other repositories may run.
    python
        Interpreter of the venv; None without one.
    vouched
        A lock's digests for files that recipes do not verify.
    options
        How to install choices.
    """

    def __init__(
        self,
        session: Session,
        python: Path | None,
        *,
        vouched: Vouched | None = None,
        options: InstallOptions | None = None,
    ) -> None:
        self._session = session
        self._python = python
        self._vouched = vouched
        self._options = options or InstallOptions()
        self.timings = Timings()  # of installations

    def install(self, choices: Mapping[str, Choice]) -> dict[str, Installed]:
        """Install what is not ready, all Python packages first and together; return the result of each choice, by name."""
        rows = in_order(choices)
        for line in fetch_lines(choices, ask=True):
            progress.say(line)
        ahead = FetchAhead(choices, self._is_there)
        missing = [choice for _, choice in rows if isinstance(choice, PythonPackage) and not choice.ready]
        if missing:
            with self.timings.part("Python packages"):
                self._install_python(missing)
        done: dict[str, Installed] = {}  # by key
        for _, choice in rows:
            if isinstance(choice, PythonPackage):
                tags = tuple(sorted(choice.tags))
                done[choice.key] = Installed(choice.name, requirement=choice.requirement, tags=tags)
            else:
                done[choice.key] = self._install_package(choice, done, ahead) if isinstance(choice, NewPackage) else choice.env
        return {name: done[choice.key] for name, choice in choices.items()}

    def _install_python(self, missing: list[PythonPackage]) -> None:
        if self._python is None:
            raise InstallError("Python packages need a venv", hint="`ck create venv`, or --venv=NAME")
        for choice in missing:
            require_code(choice.variant.component.entry.path, f"Python package {choice.requirement}", self._session.trust)
        requirements = sorted({choice.requirement for choice in missing})
        log = self._python.parent.parent / "ck-install.log"
        again = sorted(choice.variant.python_package for choice in missing if choice.key in self._options.again)
        install_python_packages(self._python, requirements, log, again=again, refetch=self._options.refetch)

    def _folder(self, choice: NewPackage) -> Path:
        """The folder of a package, unless it has a scope."""
        name = choice.variant.component.entry.alias
        return self._options.places.get(choice.key) or tools_root() / f"{name}-{choice.key[:12]}"

    def _is_there(self, choice: NewPackage) -> bool:
        """Whether a package is in its folder, so that only its env entry has to be written."""
        return _whole(self._folder(choice))

    def _install_package(self, choice: NewPackage, done: Mapping[str, Installed], ahead: FetchAhead) -> Installed:
        name = choice.variant.component.entry.alias
        folder = self._folder(choice)
        inherited = next((row.only_for for below in choice.deps.values() if (row := done.get(below.key)) and row.only_for), "")
        scope = inherited or (self._vouched.scope if self._vouched else "")
        alone = folder.with_name(f"{folder.name}-{of_value(scope)[:8]}") if scope else folder
        with locked(tools_root() / ".locks" / f"{choice.key[:24]}.lock", f"installing {name}"):
            if choice.key in self._options.places:
                _refuse_filled(folder, choice.key)
            there = next((place for place in ([alone] if inherited else [folder, alone]) if _whole(place)), None)
            if there is not None and choice.key in self._options.again:
                if self._options.refetch:
                    forget_fetched(_fetched_for(there))
                there = None
            if there is None:
                conversion = choice.variant.component.conversion
                what = f"converting {choice.label} from {conversion.source} to {conversion.target}" if conversion else ""
                progress.say(what or f"installing {choice.variant.label}")
                with self.timings.part(name):
                    fetched = ahead.wait(choice.key)
                    there = self._fill(choice, folder, alone, inherited, done, fetched)
            return self._register(_manifest(there))

    def _fill(
        self, choice: NewPackage, folder: Path, alone: Path, scope: str, done: Mapping[str, Installed],
        fetched: Mapping[str, Fetched],
    ) -> Path:  # fmt: skip
        """Run the recipe in a staging folder, rename it, and return it. The caller holds the lock on the key.

        Parameters
        ----------
        alone
            Its name if it has a scope: what depends on a file that only a lock verifies is only for that lock's user.
        scope
            The scope of its inputs; empty if there is none.
        fetched
            Files that were downloaded already.
        """
        component = choice.variant.component
        with working() as work:
            with storage_errors(f"installing {component.entry.alias}"):
                staging = work.beside(folder)
                if folder.exists() and not _whole(folder):  # without a manifest: not created by us, or damaged
                    remove_folder(folder)
                staging.mkdir(parents=True)
            fields = component.fields(choice.variant.chosen)
            parts = self._options.parts.get(choice.key, ())
            recipe = self._recipe(choice, staging, done, fetched, (MADE_PARTS, *map(str, parts)) if parts else ())
            for step in fields.rows("install"):
                run_step(step, recipe)
            if self._vouched and recipe.rests_on_vouched:
                scope = scope or self._vouched.scope
            folder = alone if scope else folder
            made = replace(
                self._made(choice, staging, folder, recipe, done),
                python_path=_python_path(fields, recipe, folder),
                only_for=scope,
                unverified=any(row.get("unverified") for row in recipe.downloads),
                licence=fields.text("licence"),
            )
            write_json(staging / _MANIFEST, write(made))
            _replace(staging, folder)
            return folder

    def _recipe(
        self, choice: NewPackage, folder: Path, done: Mapping[str, Installed], fetched: Mapping[str, Fetched],
        more_words: tuple[str, ...],
    ) -> Recipe:  # fmt: skip
        """The context of the steps that fill a folder."""
        component = choice.variant.component
        values = {key: str(value) for key, value in component.fields(choice.variant.chosen).table("values").items()}
        given: dict[str, Given] = {}
        for key, below in choice.deps.items():  # after the recipe's own values, which cannot replace a dependency
            row = done[below.key]
            if row.path:
                given[key] = _given(row)
            values |= {key: row.path, f"{key}_file": row.file}
            values |= {f"{key}_{part}": json.dumps(row.section(part)) for part in ("model", "dataset")}
        return Recipe(
            component.entry.path, folder, self._python, may_run(component.entry.path, self._session.trust), values, given,
            self._vouched.digests if self._vouched else {}, _first_fetch(component) if component.stock else None,
            fetched, more_words=more_words,
        )  # fmt: skip

    def make_part(self, choice: NewPackage, index: int, count: int, folder: Path) -> None:
        """Make a part of a package that can be divided in an existing folder; its dependencies are installed before.

        Raises
        ------
        InstallError
            If the recipe fails.
        """
        installed = self.install(choice.deps)
        done = {below.key: installed[key] for key, below in choice.deps.items()}
        recipe = self._recipe(choice, folder, done, {}, (ONLY_PART, f"{index}/{count}"))
        for step in choice.variant.component.fields(choice.variant.chosen).rows("install"):
            run_step(step, recipe)

    def tools(self, choice: NewPackage) -> dict[str, str]:
        """Versions of the Python packages that the recipe of a choice uses."""
        return self._tools(choice)

    def _made(
        self, choice: NewPackage, staging: Path, folder: Path, recipe: Recipe, done: Mapping[str, Installed]
    ) -> Installed:
        component = choice.variant.component
        fields = component.fields(choice.variant.chosen)
        files = _files(staging, recipe.copied)
        main = _main_file(component.entry.alias, fields.text("file"), list(files))
        source = done[choice.deps[SOURCE].key] if component.conversion else Installed()
        sections: dict[str, dict[str, object]] = {}
        for section in ("model", "dataset"):
            produced = staging / f"{section}.json"  # values that are only known after the steps
            output = read_json_object(produced) if produced.name in files else {}
            if value := {**_section(source, section), **fields.table(section), **output}:
                sections[section] = value
        model_format = str(sections.get("model", {}).get("format", ""))
        parts = parts_of(staging / main, model_format) if (staging / main).is_file() else ()
        main_digest = digest_of_model(staging / main, parts) if parts else files.get(main, "")
        return Installed(
            name=component.name,
            label=choice.label,
            tags=tuple(sorted(choice.tags)),
            version=choice.version,
            variations=choice.variant.chosen,
            component=RecipeEntry(
                component.entry.repository,
                component.entry.module,
                component.entry.alias,
                component.entry.uid,
                component.digest,
            ),
            source=PACKAGE,
            key=choice.key,
            inputs={key: below.key for key, below in choice.deps.items() if not isinstance(below, PythonPackage)},
            path=str(folder),
            file=str(folder / main) if main else "",
            digest=main_digest if _main_counts(main, files, "dataset" in fields) else of_value(files),
            parts=parts,
            files=len(files),
            tools=self._tools(choice),
            downloads=tuple(recipe.downloads),
            installed=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            model=sections.get("model"),
            dataset=Fields(sections["dataset"], component.entry.cid, "dataset").record(InstalledDataset)
            if "dataset" in sections
            else None,
        )

    def _tools(self, choice: NewPackage) -> dict[str, str]:
        """Versions of the Python packages that were used, which are not part of the key."""
        packages = (row.variant.python_package for row in choice.deps.values() if isinstance(row, PythonPackage))
        names = [canonicalize_name(name) for name in packages]
        have = python_packages(self._python) if names and self._python else {}
        return {name: have.get(name, "") for name in sorted(names)}

    def _register(self, made: Installed) -> Installed:
        """Write the env entry of an installed folder, if it is missing or different."""
        uid = uid_from_digest(of_value([made.key, made.only_for]) if made.only_for else made.key)
        local = self._session.repositories.writable()
        folder = local.module_folder("env") / uid
        known, script = folder / META, folder / SCRIPT
        full = with_stock_keys(made)
        if not (known.exists() and script.exists()) or read_json_object(known) != full:
            write_env_entry(local, uid, made)
        return read_installed(full, known, uid)


def is_divisible(choice: NewPackage) -> bool:
    """Whether the whole recipe of a package is a script that can be divided."""
    steps = choice.variant.component.fields(choice.variant.chosen).rows("install")
    return len(steps) == 1 and steps[0].fields("script").flag("divisible")


def _section(source: Installed, name: str) -> dict[str, object]:
    """A section of the converted component; the images of a data set are not copied."""
    section = source.section(name)
    return section | {"images": str(Path(source.path, str(section["images"])))} if "images" in section else section


def _manifest(folder: Path) -> Installed:
    """The meta in the installed folder."""
    return read_installed(read_json_object(folder / _MANIFEST), folder / _MANIFEST)


def _replace(staging: Path, folder: Path) -> None:
    """Rename a filled folder to its final name; the previous one exists until then, and is then in `staging`."""
    with storage_errors(f"writing {folder}"):
        if folder.exists():
            exchange(staging, folder)
        else:
            publish_folder(staging, folder)


def _refuse_filled(folder: Path, key: str) -> None:
    """Refuse to install into a folder with other files; an earlier installation of the same recipe is reused."""
    if (folder / _MANIFEST).exists() and _manifest(folder).key == key:
        return
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConflictError(f"{folder} is not empty", hint="choose an empty or new folder with --install_path=")


def _fetched_for(folder: Path) -> list[str]:
    """SHA-256 of the files that were downloaded for an installed folder."""
    if not (folder / _MANIFEST).exists():
        return []
    return [str(row.get("sha256", "")) for row in _manifest(folder).downloads]


def _first_fetch(component: Component) -> FirstFetch:
    """Recorded digests of a recipe without digests; they belong to the entry, wherever its repository is."""
    return FirstFetch(component.entry.repository_uid or component.entry.repository, component.entry.uid)


def _given(env: Installed) -> Given:
    """What a recipe may copy from a dependency; for registered files only those files."""
    if not env.is_registered:
        return Given(Path(env.path))
    parts = (env.file, env.dataset.images if env.dataset else "")
    return Given(Path(env.path), tuple(Path(part) for part in parts if part))


def _python_path(fields: Fields, recipe: Recipe, folder: Path) -> str:
    """The folder of Python modules of the recipe, for the search path of the program that uses it; empty without one."""
    name = fields.text("python_path")
    if not name:
        return ""
    require_code(recipe.entry, f"Python modules in {name}", recipe.trusted)
    if not inside(recipe.folder, name).is_dir():
        raise InstallError(f"{fields.text('name')}: the recipe promises modules in {name}, and there is no such folder")
    return str(folder / name)


def _files(folder: Path, known: Mapping[Path, str] = MappingProxyType({})) -> dict[str, str]:
    """SHA-256 of every regular file that a recipe created, by name; `known` are those that need not be read."""
    return {
        path.relative_to(folder).as_posix(): known.get(path) or of_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path != folder / _MANIFEST
    }


def _main_counts(main: str, files: Mapping[str, str], is_dataset: bool) -> bool:
    """Whether only the main file counts; for a data set every file does, because images are preprocessed from it."""
    return bool(main) and not is_dataset and "dataset.json" not in files


def content_of(env: Installed) -> str:
    """The current digest of an installed component, to compare with its `digest`. Empty if it is missing."""
    folder = Path(env.path)
    main = Path(env.file).relative_to(folder).as_posix() if env.file else ""
    if not env.path or not folder.is_dir() or (main and not (folder / main).exists()):
        return ""
    if main and env.dataset is None and not (folder / "dataset.json").exists():
        whole = all((folder / name).is_file() for name in env.parts)
        return digest_of_model(folder / main, env.parts) if whole else ""
    return of_value(_files(folder))


def _main_file(alias: str, wanted: str, files: Sequence[str]) -> str:
    """The file that a recipe promises; a pattern has to match exactly one."""
    found = [name for name in files if fnmatchcase(name, wanted)] if wanted else []
    if wanted and not found:
        raise InstallError(
            f"{alias}: the recipe promises {wanted}, which does not exist after its steps",
            hint=f"existing files: {', '.join(files[:6])}",
        )
    if len(found) > 1:
        raise InstallError(f"{alias}: the recipe promises one {wanted}, and there are {len(found)}: {', '.join(found[:4])}")
    return found[0] if found else ""


def _whole(folder: Path) -> bool:
    """Whether an installed folder has its manifest and its main file."""
    if not (folder / _MANIFEST).exists():
        return False
    made = _manifest(folder)
    return all(Path(path).exists() for path in (made.file, made.python_path) if path)
