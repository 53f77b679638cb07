"""Fetch the files of several packages side by side, while Python packages are installed and other packages are filled."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ck_repo.errors import CKError
from ck_repo.install.fetch import Fetched, fetch, is_cached
from ck_repo.install.git_source import read_commit
from ck_repo.install.source import Source, is_local, read_source, with_local_mirrors
from ck_repo.resolve.plan import Choice, NewPackage, PythonPackage, in_order

_AT_ONCE = 4  # files


@dataclass
class _Job:
    """A file to fetch.

    Attributes
    ----------
    keys
        Of the packages that need it.
    over
        Set when it was fetched, or could not be.
    fetched
        What `fetch` returned.
    """

    source: Source
    keys: list[str]
    over: threading.Event = field(default_factory=threading.Event)
    fetched: Fetched | None = None
    error: Exception | None = None


class FetchAhead:
    """Fetches the files of a plan in threads, into the cache, where the steps of the recipes find them.

    Only files whose digest the recipe has are fetched ahead, as nothing else has to be known of them. The threads end with the
    process; what they had received by then is resumed by the next command.

    Parameters
    ----------
    choices
        Of the plan. A single file is left to its step, unless Python packages are installed meanwhile.
    is_there
        Whether a package needs no files.
    """

    def __init__(self, choices: Mapping[str, Choice], is_there: Callable[[NewPackage], bool]) -> None:
        jobs: dict[str, _Job] = {}
        for key, source in _sources(choices, is_there):
            jobs.setdefault(source.digest, _Job(source, [])).keys.append(key)
        waits = any(isinstance(choice, PythonPackage) and not choice.ready for _, choice in in_order(choices))
        self._jobs = list(jobs.values()) if waits or len(jobs) > 1 else []
        self._waiting = deque(self._jobs)
        for _ in range(min(_AT_ONCE, len(self._jobs))):
            threading.Thread(target=self._work, name="fetching ahead", daemon=True).start()

    def wait(self, key: str) -> dict[str, Fetched]:
        """Wait for the files of a package.

        Returns
        -------
        dict
            The verified files by the digests of their sources.

        Raises
        ------
        CKError
            If one of them could not be fetched.
        """
        mine = [job for job in self._jobs if key in job.keys]
        for job in mine:
            job.over.wait()
            if job.error:
                raise job.error
        return {job.source.digest: job.fetched for job in mine if job.fetched}

    def _work(self) -> None:
        while True:
            try:
                job = self._waiting.popleft()
            except IndexError:
                return
            try:
                job.fetched = fetch(job.source)
            except Exception as error:  # raised again in the thread that waits for the file
                job.error = error
            finally:
                job.over.set()


def _sources(choices: Mapping[str, Choice], is_there: Callable[[NewPackage], bool]) -> Iterator[tuple[str, Source]]:
    """The files to fetch ahead, each with the key of its package."""
    for _, choice in in_order(choices):
        if not isinstance(choice, NewPackage) or choice.variant.component.stock or is_there(choice):
            continue
        try:
            steps = choice.variant.component.fields(choice.variant.chosen).rows("install")
            sources = [read_source(step.fields("download")) for step in steps if "download" in step]
        except CKError:  # the installation reports what is wrong with the recipe
            continue
        for source in sources:
            local = any(is_local(url) for url in with_local_mirrors(source).urls)
            if source.digest and not local and not read_commit(source.urls[0]) and not is_cached(source):
                yield choice.key, source
