"""Which URLs are passed to git, and which settings a folder's own .git/config may have.

Many settings of git name a program to run: filters, fsmonitor, sshCommand, credential helpers, merge drivers, uploadpack. A
folder from an archive may have its own .git/config. Only known settings are therefore allowed; git is not run in a folder with
any other. The user's own settings (~/.gitconfig) are not checked.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from ck_repo.errors import GitError, UsageError
from ck_repo.store.git_command import PROTOCOLS, run_git
from ck_repo.store.plain_file import A_FOLDER, A_LINK, MISSING, flaw, shown, walk

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP = re.compile(r"(?:[\w.-]+@)?(?:[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\]):(?!:)\S.*")
_IN_THE_TREE = (".gitignore", ".gitattributes", ".gitmodules")  # files of a checkout that git reads by itself
_MAXIMUM = 1 << 16  # maximum bytes of the small files of a .git folder
# settings that name no program and no file that git would send or include; * stands for a name that the user chose
_HARMLESS = {
    "core": (
        "repositoryformatversion filemode bare logallrefupdates ignorecase precomposeunicode symlinks autocrlf eol "
        "safecrlf sharedrepository compression longpaths protectntfs protecthfs quotepath sparsecheckout "
        "sparsecheckoutcone untrackedcache trustctime abbrev preloadindex commitgraph multipackindex bigfilethreshold "
        "excludesfile"
    ),
    "extensions": "objectformat refstorage worktreeconfig relativeworktrees partialclone preciousobjects",
    "remote.*": "url pushurl fetch tagopt prune prunetags push promisor partialclonefilter gh-resolved",
    "branch.*": "remote merge rebase pushremote description vscode-merge-base github-pr-owner-number",
    "submodule": "active",
    "submodule.*": "active url branch ignore",
    "user": "name email useconfigonly",
    "init": "defaultbranch",
    "pull": "rebase ff",
    "push": "default autosetupremote followtags",
    "fetch": "prune prunetags parallel",
    "merge": "ff conflictstyle renames renamelimit",
    "diff": "renames renamelimit",
    "status": "showuntrackedfiles",
    "commit": "cleanup",
    "rerere": "enabled",
    "gc": "auto autodetach",
    "maintenance": "auto",
    "index": "version threads",
    "pack": "threads",
    "lfs": "repositoryformatversion",
    "lfs.*": "access locksverify",
    "http": "postbuffer extraheader",
    "http.*": "extraheader",
}
_PATTERNS = [
    re.compile(re.escape(f"{section}.{name}").replace(r"\*", ".+"), re.DOTALL)
    for section, names in _HARMLESS.items()
    for name in names.split()
]
_URLS = re.compile(r"remote\..+\.(url|pushurl)", re.DOTALL)


def check_url(url: str) -> None:
    """Refuse a URL that makes git run a program. Allowed are https, ssh, git, file, ``host:path`` and folders.

    Raises
    ------
    UsageError
        For any other URL, such as ``ext::``, ``fd::`` and ``http://``.
    """
    scheme = _SCHEME.match(url)
    if scheme:
        good = scheme[1].lower() in PROTOCOLS and not url[scheme.end() :].startswith("-") and _leads_somewhere(url)
    else:
        good = not url.startswith("-") and "::" not in url.split("/")[0]
        good = good and (":" not in url.split("/")[0] or bool(_SCP.fullmatch(url)))
    if not url or not good or not url.isprintable():
        raise UsageError(
            f"{url!r} is not a URL that ck passes to git",
            hint=f"use one of {', '.join(f'{name}://' for name in PROTOCOLS)}, user@host:path, or a folder",
        )


def _leads_somewhere(url: str) -> bool:
    """Whether a URL with a scheme has a host, or for ``file:`` a path."""
    try:
        parts = urlsplit(url)
        return bool(parts.path.strip("/")) if parts.scheme == "file" else bool(parts.hostname) and parts.port != 0
    except ValueError:  # an incomplete IPv6 address, or an invalid port
        return False


def git_folders(folder: Path) -> tuple[Path, Path] | None:
    """The git folder of a checkout, and the one with its settings and objects (different for a worktree); None without one."""
    own = folder / ".git"
    if own.is_file():
        text = _small_text(own)
        if not text.startswith("gitdir:"):
            return None
        own = folder / text.removeprefix("gitdir:").strip()
    if not (own / "HEAD").is_file():
        return None
    common = own / _small_text(own / "commondir") if (own / "commondir").is_file() else own
    return own, common


def _small_text(path: Path) -> str:
    with open(path, "rb") as file:
        return file.read(_MAXIMUM).decode("utf-8", "surrogateescape").strip()


def settings_of(folder: Path) -> list[tuple[str, str]]:
    """Names and values of the settings of a checkout; names are in lower case except for the user's part. Includes are
    ignored."""
    found = git_folders(folder)
    rows = []
    for path in [place / name for place in dict.fromkeys(found or ()) for name in ("config", "config.worktree")]:
        if path.is_file():
            # read like an external file, so that git opens no repository
            words = ("config", "--file", str(path.absolute()), "--no-includes", "--null", "--list")
            rows += [row.partition("\n")[::2] for row in run_git(*words, folder=Path(path.anchor or "/")).split("\0") if row]
    return rows


def refuse_special(folder: Path) -> None:
    """Refuse to run git if its files in a folder are not regular files: git would block on a pipe, or follow a link out.

    Raises
    ------
    GitError
        If there is such a file; the message names it.
    """
    places = dict.fromkeys([folder / ".git", *(git_folders(folder) or ())])
    found = [(place, row.name, row.flaw) for place in places if place.is_dir() for row in walk(place) if row.flaw]
    found += [(folder, name, A_LINK) for name in (".git", *_IN_THE_TREE) if os.path.lexists(folder / name)]
    for place, name, why in found:
        why = flaw(place, name) if why == A_LINK else why  # a link may lead to a regular file in the same folder
        if why not in ("", A_FOLDER, MISSING):
            raise GitError(
                f"git was not run in {folder}: {shown(place / name)} is {why}",
                hint="remove it, or clone the repository again: `ck pull repo`",
            )


def check_settings(folder: Path) -> None:
    """Refuse to run git in a folder whose settings could make it run another program.

    Raises
    ------
    GitError
        If .git/config has a setting that is not known to be safe; the message names it.
    """
    _refuse_elsewhere(folder)
    refuse_special(folder)
    rows = settings_of(folder)
    odd = sorted({name for name, _ in rows if not any(pattern.fullmatch(name) for pattern in _PATTERNS)})
    if odd:
        raise GitError(
            f"git was not run in {folder}: its settings {', '.join(odd[:5])} could run a program",
            hint=f"if you trust them, move them from {folder / '.git/config'} to your own settings (`git config --global`)",
        )
    for name, value in rows:
        if _URLS.fullmatch(name):
            check_url(value)


def _refuse_elsewhere(folder: Path) -> None:
    """Refuse a .git that refers to another checkout; in a worktree, git's folder refers back to it."""
    own, found = folder / ".git", git_folders(folder)
    back = found[0] / "gitdir" if found else None
    leads_back = back is not None and back.is_file() and Path(_small_text(back)).resolve() == own.resolve()
    if own.is_symlink() or (own.is_file() and not leads_back):
        raise GitError(
            f"git was not run in {folder}: its .git refers to another folder", hint="clone the repository again: `ck pull repo`"
        )
