"""Create a venv from a lock, and report the differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from ck_repo.environment.collect import entry_of, locked_components, locked_interpreter, locked_packages, make_lock
from ck_repo.environment.create import make_venv
from ck_repo.environment.locked_packages import install_locked_packages
from ck_repo.environment.lockfile import Lock, LockedComponent, RepositoryState
from ck_repo.environment.venv import Venv
from ck_repo.errors import CKError, ConflictError, DetectError
from ck_repo.install.installer import Installer, Vouched
from ck_repo.install.source import source_of
from ck_repo.machine.interpreter import Interpreter, find_interpreter
from ck_repo.machine.survey import survey
from ck_repo.reproduce.difference import Difference, of_packages
from ck_repo.resolve.catalogue import Stored
from ck_repo.resolve.component import Component, Dependency, read_component
from ck_repo.resolve.plan import Choice
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.repositories import default_repository_alias
from ck_repo.store.repository import check_name
from ck_repo.trust import may_run, packages_to_ask_for

_LOG = "ck-install.log"
_UNASKED = "not installed, because no component of ours needs it; read its code, then allow it with --trust"
_UNDER_WHICH = "under another name, or again with --force"


@dataclass(frozen=True)
class Recreated:
    """A venv created from a lock, and its differences from it."""

    venv: Venv
    differences: list[Difference]


def interpreter_for(lock: Lock, wanted: str = "") -> Interpreter:
    """The Python for a lock: the requested one, else one with the lock's minor version, preferably the same patch.

    Parameters
    ----------
    wanted
        A version, a range or a path; see `find_interpreter`.

    Raises
    ------
    DetectError
        If there is none.
    """
    if wanted:
        return find_interpreter(wanted)
    try:
        return find_interpreter(lock.interpreter.get("version", ""))
    except DetectError:
        pass
    try:
        return find_interpreter(lock.python_minor)
    except DetectError as error:
        error.hint += f"\nor choose another one: --python=3.12 (the lock is for {lock.interpreter.get('version')})"
        raise


def recreate(
    session: Session,
    name: str,
    lock: Lock,
    python: Interpreter,
    *,
    wheels: Path | None = None,
    components: bool = True,
    force: bool = False,
    own: bool = False,
) -> Recreated:
    """Create a venv from a lock. The entry appears when everything is installed.

    Parameters
    ----------
    wheels
        A folder of wheels for the Python packages, instead of the index.
    components
        Whether to install the models and data sets of the lock, too.
    force
        Create it again if it exists.
    own
        Whether to install every Python package of the lock, because this machine wrote it, or the user supplied its wheels.

    Raises
    ------
    MismatchError
        If a package or a file has the locked name but other content.
    """
    check_name(name)
    found = [
        Difference("python", key, value, getattr(python, key))
        for key, value in lock.interpreter.items()
        if value and value != getattr(python, key)
    ]
    same_python = python.version.split(".")[:2] == lock.python_minor.split(".")
    making = _Recreation(session, name, lock, same_python, wheels, components, own, found)
    template = lock.template.get("alias", "") or "lock"
    venv = make_venv(session, name, template, python, making.fill, making.complete, force=force)
    return Recreated(venv, making.found)


@dataclass
class _Recreation:
    """Creates a venv from a lock; differences are added to `found`."""

    session: Session
    name: str
    lock: Lock
    same_python: bool
    wheels: Path | None
    components: bool
    own: bool
    found: list[Difference]

    def fill(self, python: Path) -> Lock:
        """Install into the new venv of an interpreter; return the lock of its content."""
        trusted = self.session.trust or self.own
        reasons = install_locked_packages(
            python, self.lock.packages, python.parent.parent / _LOG, same_python=self.same_python, links=self.wheels,
            build=self.session.trust, roots=None if trusted else known_packages(self.session),
        )  # fmt: skip
        here = locked_packages(python)
        reasons |= {package: "this Python needs it" for package in here if package not in self.lock.packages}
        reasons |= dict.fromkeys(packages_to_ask_for(self.lock.packages, here, trusted), _UNASKED)
        self.found.extend(of_packages(self.lock.packages, here, reasons))
        return make_lock(self.session, python, self.lock.template, self._install_components(python))

    def complete(self, venv: Venv) -> None:
        """Install what an existing venv lacks; one with other packages is refused."""
        differing = of_packages(self.lock.packages, locked_packages(venv.python))
        if differing:
            raise ConflictError(
                f"venv:{self.name} already exists, and differs from the lock: {differing[0]}",
                hint=f"create it {_UNDER_WHICH}",
            )
        self._install_components(venv.python)

    def _install_components(self, python: Path) -> tuple[LockedComponent, ...]:
        if not self.components:
            return ()
        made, differences = install_components(self.session, self.lock, python, f"venv:{self.name}")
        self.found.extend(differences)
        return made


def known_packages(session: Session) -> frozenset[str]:
    """Normalised names of the Python packages of our own recipes."""
    packages = Stored(session.repositories).of([default_repository_alias()])
    ours = (row for row in packages if row.python_package and may_run(row.entry.path, trusted=False))
    return frozenset(canonicalize_name(row.python_package) for row in ours)


def install_components(
    session: Session, lock: Lock, python: Path, scope: str
) -> tuple[tuple[LockedComponent, ...], list[Difference]]:
    """Install the models and data sets of a lock with the same recipes; differences are reported.

    Results of conversions are not created: a run creates them when it needs them.

    Parameters
    ----------
    scope
        Who may use components that only the lock verifies: ``venv:NAME`` or ``experiment:UID``.
    """
    found: list[Difference] = []
    choices: dict[str, Choice] = {}
    have = {name: row.version for name, row in locked_packages(python).items()}
    resolver = Resolver(survey(session, have, locked_interpreter(python).get("version", ""), [scope]))
    vouched: dict[str, str] = {}
    needed = {key for row in lock.components for key in row.inputs.values()}
    for row in lock.components:
        if row.source == "registered":
            found += _registered(session, row, scope)
        for each in row.downloads:  # a recipe without a digest uses the lock's file
            source = source_of(each, f"the lock, {row.label}")
            vouched[source.urls[0]] = source.sha256
        recipe = _recipe(session, row, lock, found) if row.source in ("package", "program") else None
        if recipe is None or row.source == "program" or row.key in needed:
            continue
        tags = (recipe.entry.alias, *row.variations)
        try:
            choices[row.key] = resolver.dependencies([Dependency(row.role, tags)], f"the lock, as {row.role}")[row.role]
        except CKError as error:
            found.append(Difference("component", row.label, row.content[:12], "", error.what))
    installed = Installer(session, python, vouched=Vouched(scope, vouched)).install(choices)
    roles = {row.key: row for row in lock.components}
    for key, env in installed.items():
        row, content = roles[key], env.digest
        if row.content and content != row.content:
            why = "its recipe builds it, with these versions" if not row.downloads else "built from the same files differently"
            found.append(Difference("component", row.label, row.content[:12], content[:12], why))
    made = locked_components(session, [(roles[key].role, env) for key, env in installed.items()])
    return made, found


def _registered(session: Session, row: LockedComponent, scope: str) -> list[Difference]:
    """A file of the user, if something with the same content is registered here."""
    have = survey(session, scopes=[scope]).registered
    if any(env.digest == row.content and not env.problem for env in have):
        return []
    tags = ",".join(sorted(set(row.meta.tags if row.meta else ())))
    why = f"a file of the user that is not on this machine: `ck detect soft:{row.alias} --full_path=… --extra_tags={tags}`"
    return [Difference("component", row.label, row.content[:12], "", why)]


def _recipe(session: Session, row: LockedComponent, lock: Lock, found: list[Difference]) -> Component | None:
    entry = entry_of(session, row.module, row.uid)
    if entry is None:
        origin = lock.repositories.get(row.repository, RepositoryState())
        found.append(Difference("recipe", row.alias, row.digest[:12], "", _how_to_get(row.repository, origin)))
        return None
    recipe = read_component(entry)
    if recipe.digest != row.digest:
        found.append(
            Difference("recipe", row.alias, row.digest[:12], recipe.digest[:12], _which_commits(row, lock, entry.repository))
        )
    return recipe


def _how_to_get(alias: str, origin: RepositoryState) -> str:
    if not origin.url:
        return f"its repository {alias} is not on this machine, and has no URL"
    checkout = f" --checkout={origin.commit}" if origin.commit else ""
    return f"`ck pull repo:{alias} --url={origin.url}{checkout}` gets it"


def _which_commits(row: LockedComponent, lock: Lock, alias: str) -> str:
    then = lock.repositories.get(row.repository, RepositoryState())
    changed = " with changes" if then.changed else ""
    if then.commit:
        return f"another version of the recipe; it was {alias} at {then.commit[:12]}{changed}"
    return f"another version of the recipe; it was ck {lock.engine.get('version', '?')}"


def difference_lines(differences: Sequence[Difference]) -> list[str]:
    """The differences as lines of text."""
    if not differences:
        return ["everything matches the lock"]
    return ["differences from the lock:", *(f"  {row}" for row in differences)]
