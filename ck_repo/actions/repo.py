"""Repositories: pull, add, list, find, pack, remove."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from ck_repo.actions.confirm import confirm
from ck_repo.actions.declare import Actions, Answer, Option, action
from ck_repo.actions.entry_archive import ARCHIVE, OVERWRITE, archive_path
from ck_repo.actions.request import Request
from ck_repo.errors import ConfigError, NotFoundError, UsageError
from ck_repo.store import git
from ck_repo.store.git_settings import check_url
from ck_repo.store.git_state import commit_of
from ck_repo.store.modules import module_uid
from ck_repo.store.query import is_pattern
from ck_repo.store.repository import Repository
from ck_repo.table import table_lines

ACTIONS: Actions = {}


def row_of(row: Repository) -> dict[str, object]:
    """A repository in JSON."""
    names = {"module_uoa": "repo", "module_uid": module_uid("repo"), "data_uoa": row.alias, "data_uid": row.uid}
    return {**names, "path": str(row.path), "url": row.url}


def named(request: Request) -> list[Repository]:
    """The repositories that a request selects; all of them without a name."""
    if is_pattern(request.entry):
        return [row for row in request.session.repositories.all() if fnmatchcase(row.alias, request.entry or "*")]
    return [request.session.repositories.get(request.entry)]


@action(
    ACTIONS,
    "pull",
    "clone or update a git repository and its dependencies; `ck pull all` updates all repositories",
    example="ck pull repo --url=https://example.org/team/my-experiments.git",
    usage="ck pull repo[:NAME] [--url=URL] [--checkout=COMMIT] | ck pull all",
    options=[
        Option("url", "the URL to clone from", value="URL"),
        Option("checkout", "the branch, tag or commit to pin it to", value="COMMIT"),
    ],
)
def pull(request: Request) -> Answer:
    """Pull repositories; none of their code is run."""
    if request.entry == "*":
        pulled = git.update_all(request.session.repositories)
    else:
        pulled = git.pull(request.session.repositories, request.entry, _url(request), request.text("checkout"))
    rows = [{**row_of(row), "done": did, "commit": commit_of(row.path)} for row, did in pulled.done]
    first = rows[0] if rows else {}
    lines = [f"{row.alias}: {did}" for row, did in pulled.done]
    if not pulled.failed:
        return Answer({**first, "lst": rows}, lines or ["no repository is under git"])
    failed = [{"data_uoa": name, "error": str(error)} for name, error in pulled.failed]
    text = f"not pulled: {', '.join(name for name, _ in pulled.failed)}"
    text = text if request.entry == "*" else f"{pulled.done[0][0].alias} can be used; {text}"
    lines += [f"{name}: failed: {error}" for name, error in pulled.failed] + [text]
    return Answer({"error": text, **first, "lst": rows, "failed": failed}, lines, status=pulled.failed[0][1].code)


def _url(request: Request) -> str:
    """The given URL; empty without one. ``--url=`` without a value is refused."""
    url = request.text("url")
    if "url" in request.options:
        check_url(url)
    return url


@action(
    ACTIONS,
    "push",
    "commit all changes in a repository and push them; changes on the server are merged first",
    example="ck push repo:my-experiments --url=https://example.org/team/my-experiments.git",
    options=[
        Option("url", "the URL to push to, now and in future; the repository is put under git if necessary", value="URL"),
        Option("message", "the commit message", value="TEXT"),
    ],
)
def push(request: Request) -> Answer:
    """Push a repository."""
    if is_pattern(request.entry):
        raise UsageError("no repository was given", hint="`ck push repo:NAME`; `ck ls repo` lists them")
    row = request.session.repositories.get(request.entry)
    did = git.push(row, _url(request), request.text("message"))
    return Answer({**row_of(row), "done": did, "commit": commit_of(row.path)}, [f"{row.alias}: {did}"])


@action(
    ACTIONS,
    "add",
    "add a new repository, or register an existing folder, under a name of your choice",
    example="ck add repo:my-experiments --quiet",
    options=[Option("path", "its folder, if not in CK_REPOS; an existing repository is registered", value="FOLDER")],
)
def add(request: Request) -> Answer:
    """Create or register a repository."""
    path = Path(request.text("path")) if request.text("path") else None
    if not request.entry and not path:
        raise UsageError("no name was given", hint="`ck add repo:NAME`")
    row = request.session.repositories.add(request.entry, path)
    return Answer(row_of(row), [f"added repository {row.alias} in {row.path}"])


@action(ACTIONS, "ls", "list the repositories", example="ck ls repo")
def ls(request: Request) -> Answer:
    """List repositories."""
    rows = named(request)
    return Answer(
        {"lst": [row_of(row) for row in rows]}, table_lines(("repository", "folder"), [(row.alias, row.path) for row in rows])
    )


@action(ACTIONS, "find", "print the folder of a repository", example="ck where repo:local")
def where(request: Request) -> Answer:
    """Print the folder."""
    rows = named(request)
    if not rows:
        raise NotFoundError(f"no repository matches {request.entry}")
    return Answer({**row_of(rows[0]), "lst": [row_of(row) for row in rows]}, [str(row.path) for row in rows])


@action(
    ACTIONS,
    "check",
    "check a repository for unreadable entries, packages that cannot be installed and ignored keys; "
    "exit status 3 if entries cannot be read",
    example="ck check repo:local",
)
def check(request: Request) -> Answer:
    """Read every entry of a repository."""
    from ck_repo.resolve.repository_check import check_repository

    if is_pattern(request.entry):
        raise UsageError("no repository was given", hint="`ck check repo:NAME`; `ck ls repo` lists them")
    row = request.session.repositories.get(request.entry)
    found = check_repository(row)
    parts = {
        "unreadable": ("unreadable", found.unreadable),
        "blocked": ("cannot be installed", found.blocked),
        "remarks": ("with a remark", found.remarks),
    }
    data = {**row_of(row), **{key: [{"entry": name, "why": why} for name, why in rows] for key, (_, rows) in parts.items()}}
    lines = [
        line for what, rows in parts.values() for line in [f"{len(rows)} {what}", *(f"  {name}: {why}" for name, why in rows)]
    ]
    if not found.unreadable:
        return Answer(data, lines)
    text = f"{len(found.unreadable)} entries of {row.alias} are unreadable"
    return Answer({"error": text, **data}, lines, status=ConfigError.code)


@action(
    ACTIONS,
    "rm",
    "remove a repository; its folder is deleted if it is in CK_REPOS",
    example="ck rm repo:my-experiments",
    options=[Option("force", "remove without confirmation", kind="flag")],
)
def remove(request: Request) -> Answer:
    """Remove repositories."""
    if is_pattern(request.entry):
        raise UsageError("no repository was given", hint="`ck rm repo:NAME`; `ck ls repo` lists them")
    confirm(request, f"remove the repository {request.entry}")
    done = request.session.repositories.remove(request.entry)
    return Answer({"data_uoa": request.entry, "done": done}, [f"{request.entry}: {done}"])


@action(
    ACTIONS,
    "zip",
    "pack a repository into a zip file",
    example="ck zip repo:my-experiments",
    options=[ARCHIVE, OVERWRITE],
)
def pack(request: Request) -> Answer:
    """Pack a repository."""
    from ck_repo.store.archive import pack_repository

    row = request.session.repositories.get(request.entry or "local")
    output = Path(request.text("archive_name") or f"ck-repo-{row.alias}.zip").absolute()
    files = pack_repository(row, output, overwrite=request.flag("overwrite"))
    return Answer({"path": str(output), "files": files}, [f"packed {row.alias}, {files} files: {output}"])


@action(
    ACTIONS,
    "unzip",
    "import a packed repository",
    example="ck unzip repo --zip=ck-repo-my-experiments.zip",
    options=[Option("zip", "the zip file", value="FILE", aliases=("archive_name",))],
)
def unpack(request: Request) -> Answer:
    """Unpack a repository."""
    from ck_repo.store.archive import unpack_repository

    row = unpack_repository(archive_path(request), request.session.repositories, request.entry)
    return Answer(row_of(row), [f"unpacked repository {row.alias} to {row.path}"])
