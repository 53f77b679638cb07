"""Download a file over HTTP; an earlier attempt is resumed if the server supports it and the file is unchanged."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.install.http_request import answer, blocks, check_status, count_of
from ck_repo.install.retry import PermanentError, TransientError
from ck_repo.install.transfer import Transfer
from ck_repo.store.atomic import too_large, usable


class HttpTransfer(Transfer):
    """Downloads a file over HTTP.

    Parameters
    ----------
    size
        Its length in bytes, if known.
    unknown
        Whether there is no digest, so that only the server can confirm that two parts belong to the same file.
    """

    def __init__(self, url: str, part: Path, size: int | None, task: progress.Task, unknown: bool = False) -> None:
        super().__init__(part)
        self._url, self._size, self._task, self._unknown = url, size, task, unknown
        self.resumable = True  # until the server shows that it cannot resume
        self.pieces = 1 if self.have() else 0
        self._version: tuple[str, ...] | None = None

    def discard(self) -> None:
        """Remove the received part and its version."""
        super().discard()
        self.pieces, self._version, self.sha256 = 0, None, ""

    def fetch(self) -> None:
        """Download the rest of the file."""
        have = self.have()
        if self._size is not None and have >= self._size:
            if have == self._size:
                self.part.touch()
                return
            self.discard()
            have = 0
        with answer(self._url, {"Range": f"bytes={have}-"} if have else {}) as response:
            begin = self._begin(response, have)
            if begin is None:
                return
            self._write(response, begin)
        got = self.have()
        if self._size is not None and got < self._size:
            raise TransientError(f"it ended after {got} of {self._size} bytes")

    def _begin(self, response: Any, have: int) -> int | None:
        """The position in the file where the response starts; None if nothing is missing."""
        status, place = response.status_code, response.headers.get("Content-Range", "")
        total = place.rpartition("/")[2]
        if status == 416:  # nothing follows our part: the file is complete, or a different one
            if not have:
                raise PermanentError("the server answers 416 to a request for the complete file")
            if total == str(have):
                return None
            self.discard()
            raise TransientError("the server cannot resume the download")
        check_status(response)
        if status == 200:
            self.resumable = self.resumable and not have
            self.pieces, self._version = 1, self._version_of(response, response.headers.get("Content-Length", ""))
            return 0
        version = self._version_of(response, total)
        changed = self._version is not None and any(a != b for a, b in zip(self._version, version, strict=True) if a and b)
        named = zip((self._version or ("", ""))[:2], version[:2], strict=True)  # ETag and Last-Modified
        unsure = self._unknown and not any(a and a == b for a, b in named)
        if (
            changed
            or unsure
            or not place.startswith(f"bytes {have}-")
            or response.headers.get("Content-Encoding", "identity") != "identity"
        ):
            self.discard()
            if changed:
                raise TransientError("the file changed on the server during the download")
            if unsure:
                raise TransientError("the server does not say whether the rest belongs to the same file")
            if not place.startswith(f"bytes {have}-"):
                raise TransientError(f"the server sent the wrong part of the file: {place or 'without Content-Range'}")
            raise TransientError("the server compressed a part of the file")
        self.pieces += 1
        self._version = version
        return have

    def _version_of(self, response: Any, total: str) -> tuple[str, ...]:
        """The version of the file, as far as the server reports it."""
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        names = ("ETag", "Last-Modified")
        return (*(response.headers.get(name, "") for name in names), "" if encoded or not count_of(total) else total)

    def _write(self, response: Any, start: int) -> None:
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        announced = None if encoded else count_of(response.headers.get("Content-Length", ""))
        total = self._size or (start + announced if announced is not None else None)
        done, maximum = start, start + usable(self.part.parent)
        self.sha256, digest = "", hashlib.sha256()
        with open(self.part, "ab" if start else "wb") as file:
            for block in blocks(response):
                done += len(block)
                if self._size is not None and done > self._size:
                    file.close()
                    self.discard()
                    raise PermanentError(f"it is longer than the expected {self._size} bytes")
                if self._size is None and done > maximum:
                    file.close()
                    self.discard()
                    raise too_large(f"fetching {self._url}", f"{done} bytes were received, and the file has not ended")
                file.write(block)
                digest.update(block)
                self._task.advance_to(done, total)
            file.flush()
            os.fsync(file.fileno())
        if not start:
            self.sha256 = digest.hexdigest()
