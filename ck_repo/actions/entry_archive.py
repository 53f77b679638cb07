"""Actions that pack entries into a zip file, and unpack them."""

from __future__ import annotations

from pathlib import Path

from ck_repo.actions.declare import REPOSITORY, TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.entry_selection import all_matching
from ck_repo.actions.request import Request
from ck_repo.errors import NotFoundError

ACTIONS: Actions = {}
ARCHIVE = Option("archive_name", "the zip file to write", value="FILE")
OVERWRITE = Option("overwrite", "replace existing files", kind="flag")


@action(
    ACTIONS,
    "zip",
    "pack entries into a zip file",
    example="ck zip experiment:* --archive_name=results.zip",
    usage="ck zip module:ENTRY [ENTRY | module:ENTRY …] [options]",
    options=[TAGS, REPOSITORY, ARCHIVE, OVERWRITE],
    more_entries=True,
)
def pack(request: Request) -> Answer:
    """Pack entries."""
    from ck_repo.store.archive import pack_entries

    found = all_matching(request)
    output = Path(
        request.text("archive_name") or f"ck-{request.module}{'-' + found[0].alias if len(found) == 1 else ''}.zip"
    ).absolute()
    files = pack_entries(found, output, overwrite=request.flag("overwrite"))
    return Answer(
        {"path": str(output), "files": files, "lst": [row_of(e) for e in found]},
        [f"packed {len(found)} entries, {files} files: {output}"],
    )


@action(
    ACTIONS,
    "unzip",
    "import packed entries",
    example="ck unzip experiment --zip=results.zip",
    options=[
        Option("zip", "the zip file", value="FILE", aliases=("archive_name",)),
        Option(
            "repo_uoa",
            "the repository to write to (default local; for packages, softs, programs and templates a new one, named after the "
            "archive and searched after ours)",
            value="NAME",
            aliases=("repo",),
        ),
        Option("all", "also import entries of other modules: packages, softs, programs, templates", kind="flag"),
        OVERWRITE,
    ],
)
def unpack(request: Request) -> Answer:
    """Unpack entries into a repository."""
    from ck_repo.store.archive import unpack_entries

    path = archive_path(request)
    target = request.session.repositories.writable(request.repository)
    done, left = unpack_entries(
        path,
        request.session.repositories,
        target,
        request.module,
        everything=request.flag("all"),
        overwrite=request.flag("overwrite"),
    )
    lines = [f"unpacked {entry.cid} to {entry.path}" for entry in done]
    lines += [f"skipped: {name}" for name in left[:20]]
    lines += [f"skipped {len(left)} entries of other modules; --all imports them, too"] if left else []
    return Answer({"lst": [row_of(entry) for entry in done], "left_out": left}, lines)


def archive_path(request: Request) -> Path:
    """The zip file of an unzip command."""
    path = Path(request.needed("zip", "give the file: --zip=FILE")).expanduser().absolute()
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist")
    return path
