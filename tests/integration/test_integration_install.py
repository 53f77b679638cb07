"""`ck install package` in processes that are killed or run concurrently, and with a server that stops half-way."""

from __future__ import annotations

import hashlib
import random
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from patience import PATIENCE, until
from servers import Gate, Server, status, whole

from ck_repo.store.entry import Entry

if TYPE_CHECKING:
    from integration.conftest import Ck

CONTENT = random.Random(0).randbytes(3_000_000)
HALF = 2_000_000  # bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()
INSTALL = ("install", "package", "--tags=thing")

Start = Callable[..., "Ck"]
Package = Callable[..., Entry]
Visible = Callable[[], list[str]]


def fetched(url: str) -> dict[str, Any]:
    return {"download": {"url": url, "size": len(CONTENT), "sha256": SHA256}}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_interrupted_download_resumes(
    server: Server, start: Start, package: Package, visible: Visible, ck_home: Path, number: signal.Signals
) -> None:
    gate = Gate(CONTENT, after=HALF)
    package("thing", fetched(server.give("/f.bin", gate)), file="f.bin")
    first = start(*INSTALL)
    assert gate.reached.wait(PATIENCE)
    partial = ck_home / "CK-TOOLS/.cache/partial"
    until(lambda: any(path.stat().st_size >= HALF // 2 for path in partial.glob("*")))
    assert visible() == []
    first.kill(number)
    gate.open.set()
    assert visible() == []

    (part,) = partial.iterdir()
    received = part.stat().st_size
    server.give("/f.bin", whole(CONTENT))
    answer = start(*INSTALL).answer()
    assert answer["return"] == 0, answer
    assert server.ranges("/f.bin") == ["", f"bytes={received}-"]
    assert Path(answer["env"]["file"]).read_bytes() == CONTENT
    assert visible() == [Path(answer["path"]).name]
    assert list(partial.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_unpacking_leaves_no_partial_install(
    start: Start, package: Package, visible: Visible, tmp_path: Path, ck_home: Path, number: signal.Signals
) -> None:
    archive, count = tmp_path / "many.zip", 20_000
    with zipfile.ZipFile(archive, "w") as file:
        for index in range(count):
            file.writestr(f"many/{index:05d}", b"x")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    package("thing", {"download": {"url": archive.as_uri(), "sha256": digest, "unpack": True}})
    first = start(*INSTALL)
    until(lambda: any(True for _ in (ck_home / "CK-TOOLS").glob(".*.new/many/00100")))
    first.kill(number)
    assert visible() == []
    if number is signal.SIGINT:
        assert list((ck_home / "CK-TOOLS").glob(".*.new")) == []
    answer = start(*INSTALL).answer()
    assert answer["return"] == 0, answer
    assert len(list((Path(answer["path"]) / "many").iterdir())) == count
    assert list((ck_home / "CK-TOOLS").glob(".*.new")) == []


SCRIPT = """
import sys, urllib.request
open("out", "w").write("half")
urllib.request.urlopen(sys.argv[1]).read()
open("out", "a").write(" and half")
"""


def test_killed_script_leaves_no_partial_install(
    server: Server, start: Start, package: Package, venv: Entry, visible: Visible
) -> None:
    gate = Gate(b"go on")
    step = {"script": {"file": "make.py", "arguments": [server.give("/go", gate)]}}
    (package("thing", step, file="out").path / "make.py").write_text(SCRIPT)
    first = start(*INSTALL, "--trust")
    assert gate.reached.wait(PATIENCE)
    assert visible() == []
    first.kill()
    gate.open.set()
    assert visible() == []

    server.give("/go", whole(b"now"))
    answer = start(*INSTALL, "--trust").answer()
    assert answer["return"] == 0, answer
    assert Path(answer["env"]["file"]).read_text() == "half and half"
    assert visible() == [Path(answer["path"]).name]


def test_concurrent_installations_create_one_folder(server: Server, start: Start, package: Package, visible: Visible) -> None:
    gate = Gate(CONTENT, after=HALF)
    package("thing", fetched(server.give("/f.bin", gate)), file="f.bin")
    first = start(*INSTALL)
    assert gate.reached.wait(PATIENCE)
    second = start(*INSTALL)
    assert second.prints("installing thing: locked by another process; waiting")
    assert visible() == []
    gate.open.set()
    answers = [first.answer(), second.answer()]
    assert [row["return"] for row in answers] == [0, 0], answers
    assert {row["path"] for row in answers} == {str(Path(answers[0]["path"]).with_name(name)) for name in visible()}
    assert len(server.requests) == 1


def test_packages_sharing_a_file_download_it_once(server: Server, package: Package, ck: Callable[..., Any]) -> None:
    url = server.give("/f.bin", whole(CONTENT))
    package("thing", fetched(url), file="f.bin")
    package("other", fetched(url), file="f.bin", version="2")
    paths = [ck("install", "package", f"--tags={name}")["env"]["file"] for name in ("thing", "other")]
    assert paths[0] != paths[1]
    assert Path(paths[1]).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_failed_download_is_retried_by_next_command(
    server: Server, package: Package, ck: Callable[..., Any], visible: Visible
) -> None:
    package("thing", fetched(server.give("/f.bin", status(404))), file="f.bin")
    failed = ck(*INSTALL)
    assert failed["return"] == 5
    assert "the server answers 404" in failed["error"]
    assert visible() == []
    server.give("/f.bin", whole(CONTENT))
    assert ck(*INSTALL)["return"] == 0
    assert len(visible()) == 1
