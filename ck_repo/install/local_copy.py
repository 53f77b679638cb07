"""Files of this machine with a ``file:`` URL."""

from __future__ import annotations

import os
from pathlib import Path

from ck_repo import progress
from ck_repo.install.retry import PermanentError
from ck_repo.install.source import local_file
from ck_repo.install.transfer import Transfer
from ck_repo.store.atomic import too_large, usable
from ck_repo.store.plain_file import MISSING, UnreadableError, opened


class LocalCopy(Transfer):
    """Copies a regular file; devices and pipes may be endless."""

    def __init__(self, url: str, part: Path, task: progress.Task) -> None:
        super().__init__(part)
        self._url, self._task = url, task

    def fetch(self) -> None:
        """Copy the complete file."""
        try:
            source = local_file(self._url).resolve()
            with opened(source.parent, source.name, maximum=1 << 62, links=False) as origin:
                total, maximum = os.fstat(origin.fileno()).st_size, self.have() + usable(self.part.parent)
                with open(self.part, "wb") as file:
                    done = 0
                    while block := origin.read(1 << 20):
                        done += len(block)
                        if max(done, total) > maximum:
                            file.close()
                            self.discard()
                            raise too_large(f"copying {source}", f"it has {max(done, total)} bytes")
                        file.write(block)
                        self._task.advance_to(done, total)
        except UnreadableError as error:
            raise PermanentError("there is no such file" if error.why == MISSING else f"it is {error.why}") from None
        except (RuntimeError, ValueError):  # a loop of links, or a NUL in the name
            raise PermanentError("the address is invalid") from None
