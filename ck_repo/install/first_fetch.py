"""Digests of first downloads: recipes without digests must give the same files again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ck_repo.errors import MismatchError
from ck_repo.install.fetch import cache_root, fetch, fetch_unknown, pinned_digest
from ck_repo.install.git_download import commit_named
from ck_repo.install.source import Source, zenodo_file
from ck_repo.store.atomic import write_text
from ck_repo.store.lock import locked

_DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class FirstFetch:
    """The recorded digests of one recipe.

    They only apply to this recipe: another repository's recipe with the same URL does not share them.

    Attributes
    ----------
    repository, entry
        UIDs of the recipe's repository and entry.
    """

    repository: str
    entry: str

    def file(self, source: Source) -> tuple[Path, str]:
        """Download a file of the recipe.

        Returns
        -------
        path, sha256
            The file in the cache, and its digest.

        Raises
        ------
        MismatchError
            If the URL has another file than the first time.
        """
        if source.pinned or pinned_digest(source) or zenodo_file(source):
            return fetch(source)
        place = self._place(source.urls[0])
        with locked(place.with_suffix(".lock"), f"downloading {source.name}"):
            known = _read(place)
            path, digest = fetch_unknown(source, known)
            if known and digest != known:
                raise MismatchError(
                    f"{source.urls[0]} was another file when this recipe was first installed here: sha256 {known} then, "
                    f"{digest} now",
                    hint=f"if the new file is correct, remove {place}",
                )
            write_text(place, digest + "\n")
        return path, digest

    def commit(self, url: str, name: str) -> str:
        """The commit of a branch or tag of a git repository when the recipe was first installed.

        Parameters
        ----------
        name
            The branch or tag. The repository is asked for it once; afterwards the recorded commit is used.

        Raises
        ------
        CKError
            If the repository cannot be reached, or has no such branch or tag.
        """
        place = self._place(f"git+{url}@{name}")
        with locked(place.with_suffix(".lock"), f"querying {url}"):
            if known := _read(place):
                return known
            digest = commit_named(url, name)
            write_text(place, digest + "\n")
        return digest

    def _place(self, url: str) -> Path:
        name = sha256("\n".join([self.repository, self.entry, url]).encode()).hexdigest()
        return cache_root() / "pins" / "recipes" / name


def _read(place: Path) -> str:
    text = place.read_text(encoding="utf-8").strip() if place.exists() else ""
    return text if _DIGEST.fullmatch(text) else ""
