"""Whatever a file or command line contains, a parser returns a result or raises an error of ck's own family.

``CK_FUZZ=N`` sets the number of inputs in all (5,000 without it; `nox -s fuzz` takes a million). Inputs that once failed are in
`found.json`, by target, and are tried first.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, Phase, given, settings

from ck_repo.errors import CKError

pytestmark = pytest.mark.slow
_ALL = int(os.environ.get("CK_FUZZ", "5000"))
_SECONDS = 5  # CPU time of one input
_MEMORY = 1 << 30  # bytes of one input, beyond what the process has
_FOUND: dict[str, list[Any]] = json.loads(Path(__file__).with_name("found.json").read_text(encoding="utf-8"))
_LONG = "CK_FUZZ" in os.environ


class TooLongError(BaseException):
    """An input exceeded its time."""


@pytest.fixture(scope="module", autouse=True)
def limits() -> Iterator[None]:
    """Limit the CPU time of each input, and in a long run the memory too."""

    def stop(number: int, frame: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGPROF, stop)
    memory = resource.getrlimit(resource.RLIMIT_AS)
    if _LONG:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _MEMORY, memory[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, memory)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def _try(name: str, value: Any) -> None:
    root = Path(os.environ["CK_REPOS"]).parent
    folder = Path(tempfile.mkdtemp(dir=root))
    os.environ["CK_REPOS"] = str(folder / "CK")
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        TARGETS[name][1](value, folder)
    except CKError as error:
        str(error).encode(errors="backslashreplace")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.environ["CK_REPOS"] = str(root / "CK")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_any_input_gives_a_result_or_our_error(name: str, ck_home: Path) -> None:
    @settings(
        max_examples=max(_ALL // len(TARGETS), 1),
        derandomize=not _LONG,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(TARGETS[name][0])
    def run(value: Any) -> None:
        _try(name, value)

    run()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in sorted(_FOUND.items()) for value in values])
def test_past_failure_is_handled(name: str, value: Any, ck_home: Path) -> None:
    _try(name, base64.b64decode(value["base64"]) if isinstance(value, dict) and set(value) == {"base64"} else value)
