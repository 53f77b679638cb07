"""Repositories under git. Pulling runs none of their code."""

from __future__ import annotations

import getpass
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ck_repo.errors import CKError, ConflictError, GitError, NotFoundError, UsageError
from ck_repo.network import refuse_offline
from ck_repo.store.atomic import publish_folder, storage_errors
from ck_repo.store.folders import default_repository_root, repos_root
from ck_repo.store.git_command import run_git
from ck_repo.store.git_settings import check_settings, check_url
from ck_repo.store.git_state import commit_of, remote_of
from ck_repo.store.lock import locked
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import DESCRIPTION, Repository, check_name, read_repository
from ck_repo.store.work import working

_PUSHES = 3


def url_of(name: str) -> str:
    """The URL for a short form of CK: ``owner@name`` is a public GitHub repository, ``name`` one of ctuning's.

    >>> url_of("octoml@venv")
    'https://github.com/octoml/venv'
    """
    owner, _, repository = name.rpartition("@")
    return f"https://github.com/{owner or 'ctuning'}/{repository}"


@dataclass(frozen=True)
class Pulled:
    """The result of a pull.

    Attributes
    ----------
    done
        Repositories, each with what was done.
    failed
        Repositories that could not be pulled, by name or URL, with the error.
    """

    done: list[tuple[Repository, str]]
    failed: list[tuple[str, CKError]]


def pull(repositories: Repositories, name: str, url: str = "", checkout: str = "") -> Pulled:
    """Clone or update a repository, and then its dependencies.

    If a dependency cannot be pulled, the others are kept.

    Parameters
    ----------
    name
        Name of an existing repository, or a short form (`url_of`); a new clone gets this name.
    url
        The URL to clone a new repository from.
    checkout
        A branch, tag or commit to pin the repository to.

    Raises
    ------
    CKError
        If the repository itself cannot be pulled.
    """
    first = _pull_one(repositories, name, url, checkout)
    pulled = Pulled([first], [])
    waiting, seen, paths = list(first[0].dependencies), set(), {first[0].path}
    while waiting:
        need = waiting.pop(0)
        if need in seen:
            continue
        seen.add(need)
        repositories.forget_cache()
        try:
            row, did = _pull_needed(repositories, *need)
        except CKError as error:
            pulled.failed.append((need[0] or need[1], error))
            continue
        if row.path not in paths:
            paths.add(row.path)
            pulled.done.append((row, did))
            waiting += row.dependencies
    repositories.forget_cache()
    return pulled


def _pull_one(repositories: Repositories, name: str, url: str, checkout: str) -> tuple[Repository, str]:
    alias = name or _alias_from(url)
    if not alias:
        raise UsageError("no repository was given", hint="`ck pull repo:NAME`, `ck pull repo --url=URL` or `ck pull all`")
    here = repositories.named(alias)
    if here is None and not url and "@" in name:
        here = _cloned_from(repositories, url_of(name))
    elif here is None and not name:
        here = _cloned_from(repositories, url)
    if here is None:
        return clone(repositories, url or url_of(name), alias, checkout)
    if url and not _same_url(url, here.url) and not _same_url(url, remote_of(here.path)):
        raise ConflictError(
            f"the repository {here.alias} already exists, from {remote_of(here.path) or here.url or 'no URL'}, not from {url}",
            hint="pull it under another name: `ck pull repo:NAME --url=…`",
        )
    done = update(here, checkout)
    if here.path.parent == repos_root() and not repositories.is_registered(here):  # cloned without ck, or by an older version
        repositories.register(here.alias, here.path, remote_of(here.path))
    return here, done


def _pull_needed(repositories: Repositories, name: str, url: str) -> tuple[Repository, str]:
    """Pull a dependency; an existing repository of its name is kept, whatever its URL."""
    here = repositories.named(name) if name else None
    here = here or (_cloned_from(repositories, url) if url else None)
    return (here, update(here)) if here else _pull_one(repositories, name, url, "")


def _cloned_from(repositories: Repositories, url: str) -> Repository | None:
    """The first repository that was cloned from a URL, or whose description has that URL."""
    rows = repositories.all()
    cloned = (row for row in rows if _same_url(remote_of(row.path), url))
    return next(cloned, None) or next((row for row in rows if _same_url(row.url, url)), None)


def _same_url(one: str, other: str) -> bool:
    return bool(one) and one.rstrip("/").removesuffix(".git") == other.rstrip("/").removesuffix(".git")


def update_all(repositories: Repositories) -> Pulled:
    """Update every repository that is under git; an error in one does not stop the others. ck never updates a checkout of its
    own source.
    """
    pulled = Pulled([], [])
    for row in repositories.all():
        if (row.path / ".git").exists() and row.path != default_repository_root():
            try:
                pulled.done.append((row, update(row)))
            except CKError as error:
                pulled.failed.append((row.alias, error))
    return pulled


def _alias_from(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2].removesuffix(".git")


def clone(repositories: Repositories, url: str, alias: str, checkout: str = "") -> tuple[Repository, str]:
    """Clone into CK_REPOS; refuse and remove a clone that is not a CK repository or has a reserved UID.

    Parameters
    ----------
    url
        Of an allowed kind; see `check_url`.
    checkout
        A branch, tag or commit to pin; the default branch if empty.

    Returns
    -------
    repository, text
        The new repository, and what was done.

    Raises
    ------
    ConflictError
        If the name is taken.
    OfflineError
        If the network must not be used.
    GitError
        If git fails.
    """
    check_name(alias)
    check_url(url)
    final = repos_root() / alias
    _refuse_offline(url, alias)
    with locked(repos_root() / ".locks" / f"{alias}.lock", f"pulling {alias}"):
        if final.exists():
            raise ConflictError(
                f"{final} already exists", hint="remove it, or pull under another name: `ck pull repo:NAME --url=…`"
            )
        with storage_errors(f"cloning {url}"), working() as work:
            staging = work.beside(final)
            run_git("clone", "--quiet", "--", url, str(staging))
            if checkout:
                _check_out(staging, checkout)
            elif not commit_of(staging):
                _check_out(staging, _first_branch(staging, url))
            if not (staging / DESCRIPTION).is_file():
                raise NotFoundError(f"{url} is not a CK repository: it has no {DESCRIPTION}")
            new = read_repository(staging)
            ours = repositories.refuse_reserved(new)
            if ours:
                return ours, "comes with ck; the copy at this URL is not needed"
            publish_folder(staging, final)
            repositories.register(alias, final, url)
    return read_repository(final), f"cloned at {commit_of(final)}"


def _first_branch(folder: Path, url: str) -> str:
    """The branch to check out if the server's default branch does not exist, as in a bare repository that `push` filled.

    Raises
    ------
    NotFoundError
        If there is no branch, or several of which none is ``main`` or ``master``.
    """
    listed = run_git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin", folder=folder)
    branches = [name for name in listed.split() if name != "HEAD"]
    if not branches:
        raise NotFoundError(
            f"{url} is empty: it has no branch", hint="push something to it first: `ck push repo:NAME --url=URL`"
        )
    if len(branches) == 1:
        return branches[0]
    usual = [name for name in ("main", "master") if name in branches]
    if not usual:
        raise NotFoundError(
            f"the default branch of {url} does not exist; it has {', '.join(branches)}",
            hint="choose one with --checkout=BRANCH",
        )
    return usual[0]


def _refuse_offline(url: str, alias: str) -> None:
    """Refuse to clone over the network when it may not be used; a folder on this machine may be cloned."""
    if not (url.startswith("file:") or Path(url).exists()):
        refuse_offline(f"the repository {alias} at {url}", "transfer it as a zip: `ck zip repo` there, `ck unzip repo` here")


def push(row: Repository, url: str = "", message: str = "") -> str:
    """Commit all changes in a repository and push them; changes on the server are merged first.

    Each experiment has its own folder and alias files, so two people who add experiments never change the same file.

    Parameters
    ----------
    row
        The repository; it is put under git if necessary.
    url
        The URL to push to, now and in future.
    message
        The commit message.

    Raises
    ------
    GitError
        If git fails; commits that were made are kept.
    """
    path = row.path
    if row.path == default_repository_root():
        raise UsageError(f"{row.alias} comes with ck and is not pushed", hint="`ck add repo:NAME` makes one of your own")
    with locked(repos_root() / ".locks" / f"{row.alias}.lock", f"pushing {row.alias}"):
        if not (path / ".git").exists():
            if not url:
                raise UsageError(
                    f"{row.alias} is not under git", hint=f"give the URL to push to: `ck push repo:{row.alias} --url=URL`"
                )
            run_git("init", "--quiet", "--initial-branch=main", folder=path)
        check_settings(path)
        if url and url != remote_of(path):
            check_url(url)
            run_git("remote", *(("set-url",) if remote_of(path) else ("add",)), "origin", url, folder=path)
        remote = remote_of(path)
        if not remote:
            raise UsageError(f"{row.alias} has no remote", hint=f"give a URL to push to: `ck push repo:{row.alias} --url=URL`")
        _ignore_temporary(path)
        run_git("add", "--all", folder=path)
        committed = ""
        if run_git("status", "--porcelain", folder=path):
            run_git(*_identity(path), "commit", "--quiet", "--message", message or f"Entries of {row.alias}", folder=path)
            committed = f"committed {commit_of(path)}, "
        _refuse_offline(remote, row.alias)
        branch = run_git("rev-parse", "--abbrev-ref", "HEAD", folder=path)
        if branch == "HEAD":
            raise GitError(f"{row.alias} is pinned to a commit, and not on a branch", hint="`ck pull repo:… --checkout=BRANCH`")
        for attempt in range(_PUSHES):  # somebody may push between our merge and our push
            run_git("fetch", "--quiet", "origin", folder=path)
            if run_git("ls-remote", "--heads", "origin", branch, folder=path):
                _merge(path, branch)
            try:
                run_git("push", "--quiet", "--set-upstream", "origin", branch, folder=path)
                break
            except GitError:
                if attempt + 1 == _PUSHES:
                    raise
        return f"{committed}pushed to {remote} at {commit_of(path)}"


def _merge(path: Path, branch: str) -> None:
    words = ("merge", "--quiet", "--no-edit", "--allow-unrelated-histories", f"origin/{branch}")
    try:
        run_git(*_identity(path), *words, folder=path)
    except GitError as error:
        with suppress(GitError):
            run_git("merge", "--abort", folder=path)
        error.hint = f"both sides changed the same file; merge by hand in {path}, then push again"
        raise


def _user() -> str:
    """Name of the account, or the user ID if it has no name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user{os.getuid()}"


def _identity(path: Path) -> list[str]:
    """A name for commits if git has none."""
    try:
        run_git("config", "user.email", folder=path)
        return []
    except GitError:
        return ["-c", f"user.name={_user()}", "-c", f"user.email={_user()}@localhost"]


def _ignore_temporary(path: Path) -> None:
    """Exclude unfinished files and files of this machine from commits."""
    info = path / ".git" / "info" / "exclude"
    wanted = "".join(f"{row}\n" for row in (".*.new/", ".*.removed/", ".run-*/", ".failed-*/", ".lock-*", "/env/", "/venv/"))
    if info.parent.is_dir() and (not info.exists() or wanted not in info.read_text(encoding="utf-8")):
        with open(info, "a", encoding="utf-8") as file:
            file.write(wanted)


def _check_out(folder: Path, checkout: str) -> None:
    if checkout.startswith("-"):
        raise UsageError(f"{checkout!r} is not a branch, tag or commit")
    run_git("-c", "advice.detachedHead=false", "checkout", "--quiet", checkout, "--", folder=folder)


def update(row: Repository, checkout: str = "") -> str:
    """Update a clone; a pinned one keeps its commit unless another pin is given.

    Parameters
    ----------
    checkout
        A branch, tag or commit; empty keeps the current one.

    Returns
    -------
    str
        What was done.

    Raises
    ------
    GitError
        If git fails, or the clone has local changes in the way.
    """
    if not (row.path / ".git").exists():
        return "not under git; unchanged"
    before = commit_of(row.path)
    with locked(repos_root() / ".locks" / f"{row.alias}.lock", f"pulling {row.alias}"):
        check_settings(row.path)
        if not run_git("remote", folder=row.path):
            return f"no remote; stays at {before}"
        _refuse_offline(remote_of(row.path), row.alias)
        run_git("fetch", "--quiet", "--tags", "--no-recurse-submodules", folder=row.path)
        if checkout:
            _check_out(row.path, checkout)
        branch = run_git("rev-parse", "--abbrev-ref", "HEAD", folder=row.path)
        if branch == "HEAD":
            return f"pinned at {commit_of(row.path)}"
        if not run_git("for-each-ref", "--format=%(upstream)", f"refs/heads/{branch}", folder=row.path):
            return f"its branch {branch} has no upstream; stays at {before}"
        run_git("merge", "--quiet", "--ff-only", "@{upstream}", folder=row.path)
    after = commit_of(row.path)
    return f"up to date at {after}" if after == before else f"updated from {before} to {after}"
