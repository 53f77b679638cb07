"""Repositories that come by git. Nothing of what is pulled is run."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from ck_repo.errors import CKError, ConflictError, GitError, NotFoundError, StorageError, UsageError
from ck_repo.network import refuse_offline
from ck_repo.store.atomic import publish_folder, storage_errors
from ck_repo.store.folders import default_repository_root, repos_root
from ck_repo.store.lock import locked
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import DESCRIPTION, Repository, check_name, read_repository

# set while git itself runs a command, as a hook does: they would make us look at that repository
_OF_ANOTHER_REPOSITORY = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX",
})  # fmt: skip
_PUSHES = 3
_TIMEOUT = 1800  # s; a clone of a large repository over a slow line


def run_git(*words: str, folder: Path | None = None, strip: bool = True) -> str:
    """Run git without prompts, hooks or a pager; return what it printed, as file names are decoded."""
    environment = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER_REPOSITORY} | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "LC_ALL": "C",
    }
    verb = next((word for word in words if not word.startswith("-") and "=" not in word), "")
    command = [
        "git",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "protocol.ext.allow=never",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "safe.bareRepository=explicit",
        *words,
    ]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT
        )
    except FileNotFoundError:
        raise StorageError(
            "git is not installed", hint="install git, or get the repository as a zip: `ck unzip repo`"
        ) from None
    except subprocess.TimeoutExpired:
        raise StorageError(f"git {verb} did not end within {_TIMEOUT} s") from None
    if done.returncode:
        raise GitError(
            f"git {verb} failed (exit status {done.returncode})",
            tail=os.fsdecode(done.stderr)[-1500:],
            hint="check the URL, the network and the proxy" if verb in ("clone", "fetch") else "",
        )
    text = os.fsdecode(done.stdout)
    return text.strip() if strip else text


def url_of(name: str) -> str:
    """The URL for the short forms of CK: ``owner@name`` is a public GitHub repository, ``name`` one of ctuning's.

    >>> url_of("octoml@venv")
    'https://github.com/octoml/venv'
    """
    owner, _, repository = name.rpartition("@")
    return f"https://github.com/{owner or 'ctuning'}/{repository}"


def pull(repositories: Repositories, name: str, url: str = "", checkout: str = "") -> list[tuple[Repository, str]]:
    """Clone a repository, or bring it up to date, and then those that it depends on.

    Parameters
    ----------
    name
        Alias of a repository that is here, or a short form (`url_of`).
    url
        Where from, for one that is not here yet.
    checkout
        A branch, tag or commit to pin it to.

    Returns
    -------
    list of (repository, what was done)
    """
    done: list[tuple[Repository, str]] = []
    waiting = [(name, url, checkout)]
    seen: set[str] = set()
    while waiting:
        alias, address, pin = waiting.pop(0)
        row, did = _pull_one(repositories, alias, address, pin)
        repositories.forget_cache()
        if row.uid in seen:
            continue
        seen.add(row.uid)
        done.append((row, did))
        waiting += [(need, where, "") for need, where in row.dependencies]
    return done


def _pull_one(repositories: Repositories, name: str, url: str, checkout: str) -> tuple[Repository, str]:
    alias = name or _alias_from(url)
    if not alias:
        raise UsageError("which repository?", hint="`ck pull repo:NAME`, `ck pull repo --url=URL` or `ck pull all`")
    here = next((row for row in repositories.all() if alias in (row.alias, row.uid) or (url and row.url == url)), None)
    if here is None and "@" in name and not url:
        here = next((row for row in repositories.all() if row.url == url_of(name)), None)
    if here and url and url not in (here.url, remote_of(here.path)):
        raise ConflictError(
            f"the repository {here.alias} is here already, from {remote_of(here.path) or here.url or 'no URL'}, not from {url}",
            hint="pull it under another name: `ck pull repo:NAME --url=…`",
        )
    if here:
        return here, update(here, checkout)
    address = url or url_of(name)
    return clone(address, alias.rpartition("@")[2], checkout)


def remote_of(folder: Path) -> str:
    """The URL of a clone's origin; empty if it has none."""
    try:
        return run_git("remote", "get-url", "origin", folder=folder) if (folder / ".git").exists() else ""
    except StorageError:
        return ""


def update_all(repositories: Repositories) -> list[tuple[Repository, str]]:
    """Update every repository that is under git; one that fails does not keep the others from it, and is told at the end."""
    done, failures = [], []
    for row in repositories.all():
        if (row.path / ".git").exists() and row.path != default_repository_root():  # a checkout of ours is its owner's
            try:
                done.append((row, update(row)))
            except CKError as error:
                failures.append(f"{row.alias}: {error}")
    if failures:
        updated = "".join(f"\n{row.alias}: {did}" for row, did in done)
        raise StorageError("not every repository could be updated\n" + "\n".join(failures) + updated)
    return done


def _alias_from(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2].removesuffix(".git")


def clone(url: str, alias: str, checkout: str = "") -> tuple[Repository, str]:
    """Clone into CK_REPOS; a folder that is no CK repository is refused and leaves nothing behind."""
    check_name(alias)
    if url.startswith("-"):
        raise UsageError(f"{url!r} is no URL")
    final = repos_root() / alias
    _refuse_offline(url, alias)
    with locked(repos_root() / ".locks" / f"{alias}.lock", f"pulling {alias}"):
        if final.exists():
            raise ConflictError(
                f"{final} exists already", hint="remove it, or pull under another name: `ck pull repo:NAME --url=…`"
            )
        staging = final.with_name(f".{alias}.{os.getpid()}.new")
        with storage_errors(f"cloning {url}"):
            shutil.rmtree(staging, ignore_errors=True)
            staging.parent.mkdir(parents=True, exist_ok=True)
        try:
            run_git("clone", "--quiet", "--", url, str(staging))
            if checkout:
                _check_out(staging, checkout)
            if not (staging / DESCRIPTION).is_file():
                raise NotFoundError(f"{url} is not a CK repository: it has no {DESCRIPTION}")
            read_repository(staging)
            publish_folder(staging, final)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    return read_repository(final), f"cloned at {commit_of(final)}"


def _refuse_offline(url: str, alias: str) -> None:
    """Refuse what would go over the network when that is off limits; a folder of this machine may be cloned."""
    if not (url.startswith("file:") or Path(url).exists()):
        refuse_offline(f"the repository {alias} at {url}", "bring it as a zip: `ck zip repo` there, `ck unzip repo` here")


def push(row: Repository, url: str = "", message: str = "") -> str:
    """Commit everything in a repository and push it; what others pushed meanwhile is merged first.

    Each experiment has a folder and alias files of its own, so two people who add experiments never change the same file.

    Parameters
    ----------
    row
        The repository; put under git if it is not yet.
    url
        Where to push to, from now on.
    message
        Of the commit.

    Raises
    ------
    GitError
        If git cannot; what was committed stays committed.
    """
    path = row.path
    if row.path == default_repository_root():
        raise UsageError(f"{row.alias} comes with ck; it is not pushed", hint="`ck add repo:NAME` makes one of your own")
    with locked(repos_root() / ".locks" / f"{row.alias}.lock", f"pushing {row.alias}"):
        if not (path / ".git").exists():
            if not url:
                raise UsageError(
                    f"{row.alias} is not under git", hint=f"say where it goes: `ck push repo:{row.alias} --url=URL`"
                )
            run_git("init", "--quiet", "--initial-branch=main", folder=path)
        if url and url != remote_of(path):
            if url.startswith("-"):
                raise UsageError(f"{url!r} is no URL")
            run_git("remote", *(("set-url",) if remote_of(path) else ("add",)), "origin", url, folder=path)
        remote = remote_of(path)
        if not remote:
            raise UsageError(f"{row.alias} has no remote", hint=f"say where it goes: `ck push repo:{row.alias} --url=URL`")
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
        for attempt in range(_PUSHES):  # another may push between our merge and our push
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


def _identity(path: Path) -> list[str]:
    """A name for commits where git knows none."""
    try:
        run_git("config", "user.email", folder=path)
        return []
    except GitError:
        return ["-c", f"user.name={getpass.getuser()}", "-c", f"user.email={getpass.getuser()}@localhost"]


def _ignore_temporary(path: Path) -> None:
    """Keep what is in the making, and what is of this machine, out of commits."""
    info = path / ".git" / "info" / "exclude"
    wanted = "".join(f"{row}\n" for row in (".*.new/", ".*.removed/", ".run-*/", ".failed-*/", ".lock-*", "/env/", "/venv/"))
    if info.parent.is_dir() and (not info.exists() or wanted not in info.read_text(encoding="utf-8")):
        with open(info, "a", encoding="utf-8") as file:
            file.write(wanted)


def _check_out(folder: Path, checkout: str) -> None:
    if checkout.startswith("-"):
        raise UsageError(f"{checkout!r} is no branch, tag or commit")
    run_git("-c", "advice.detachedHead=false", "checkout", "--quiet", checkout, "--", folder=folder)


def update(row: Repository, checkout: str = "") -> str:
    """Bring a clone up to date; one pinned to a commit stays there unless another pin is given."""
    if not (row.path / ".git").exists():
        return "not under git; left as it is"
    before = commit_of(row.path)
    with locked(repos_root() / ".locks" / f"{row.alias}.lock", f"pulling {row.alias}"):
        if not run_git("remote", folder=row.path):
            return f"no remote; stays at {before}"
        _refuse_offline(remote_of(row.path), row.alias)
        run_git("fetch", "--quiet", "--tags", folder=row.path)
        if checkout:
            _check_out(row.path, checkout)
        branch = run_git("rev-parse", "--abbrev-ref", "HEAD", folder=row.path)
        if branch == "HEAD":
            return f"pinned at {commit_of(row.path)}"
        if not run_git("for-each-ref", "--format=%(upstream)", f"refs/heads/{branch}", folder=row.path):
            return f"its branch {branch} follows none; stays at {before}"
        run_git("merge", "--quiet", "--ff-only", "@{upstream}", folder=row.path)
    after = commit_of(row.path)
    return f"up to date at {after}" if after == before else f"updated from {before} to {after}"


def commit_of(folder: Path) -> str:
    """The commit that is checked out, twelve digits; empty outside git."""
    try:
        return run_git("rev-parse", "--short=12", "HEAD", folder=folder)
    except StorageError:
        return ""


def state_of(folder: Path) -> dict[str, object]:
    """Commit and whether files were changed since: what an experiment keeps of a repository."""
    try:
        top = run_git("rev-parse", "--show-toplevel", folder=folder)
        commit = run_git("rev-parse", "HEAD", folder=folder)
        changed = run_git("status", "--porcelain", "--untracked-files=normal", "--", ".", folder=folder)
    except StorageError:
        return {"git": False}
    if Path(top) != folder.resolve():
        return {"git": False}
    return {"git": True, "commit": commit, "changed": bool(changed)}
