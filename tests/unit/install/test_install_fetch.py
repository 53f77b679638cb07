"""`fetch`: whatever the network does, the cache holds the right file or none."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE
from ports import free_port
from servers import Answer, Gate, Server, announced, document, elsewhere, hanging, status, whole, without_ranges

from ck_repo.errors import DownloadError, StorageError
from ck_repo.install.clean import clean_leftovers
from ck_repo.install.fetch import fetch
from ck_repo.install.source import Source

CONTENT = random.Random(0).randbytes(700_000)
OTHER = random.Random(1).randbytes(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
BLOCKS = 2 << 18  # bytes on the disk when a connection is cut after the second block
SIZE = len(CONTENT)


def good(*urls: str, size: int | None = None) -> Source:
    return Source(urls, size, sha256=SHA256)


def kept(ck_home: Path) -> list[str]:
    """Names of the files in the cache, without locks."""
    return [path.name for path in (ck_home / "CK-TOOLS").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_file_is_verified_and_requested_once(server: Server) -> None:
    source = good(server.give("/f", whole(CONTENT)))
    path, digest = fetch(source)
    assert (path.read_bytes(), digest) == (CONTENT, SHA256)
    assert fetch(source) == (path, SHA256)
    assert len(server.requests) == 1


def test_md5_is_enough_to_verify_and_to_reuse(server: Server) -> None:
    source = Source((server.give("/f", whole(CONTENT)),), md5=MD5)
    assert fetch(source) == fetch(source)
    assert fetch(source)[1] == SHA256
    assert len(server.requests) == 1


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_wrong_digest_is_reported_and_nothing_kept(server: Server, ck_home: Path, algorithm: str) -> None:
    wanted = hashlib.new(algorithm, b"another file").hexdigest()
    seen = hashlib.new(algorithm, CONTENT).hexdigest()
    url = server.give("/f", whole(CONTENT))
    with pytest.raises(DownloadError, match=f"{url}: it is the wrong file.*{algorithm} {wanted} expected, {seen} received"):
        fetch(Source((url,), sha256=wanted) if algorithm == "sha256" else Source((url,), md5=wanted))
    assert kept(ck_home) == []


@pytest.mark.parametrize(
    ("size", "why"), [(1000, "longer than the expected 1000 bytes"), (SIZE + 1, f"{SIZE} of {SIZE + 1} bytes")]
)
def test_wrong_size_is_a_failure(server: Server, ck_home: Path, size: int, why: str) -> None:
    with pytest.raises(DownloadError, match=why):
        fetch(good(server.give("/f", without_ranges(CONTENT)), size=size))
    assert not (ck_home / "CK-TOOLS/.cache/sha256").exists()


def test_interrupted_download_resumes(server: Server) -> None:
    path, _ = fetch(good(server.give("/f", whole(CONTENT, after=BLOCKS), whole(CONTENT))))
    assert path.read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={BLOCKS}-"]


def test_repeatedly_interrupted_download_completes(server: Server) -> None:
    path, _ = fetch(good(server.give("/f", whole(CONTENT, after=200_000)), size=SIZE))
    assert path.read_bytes() == CONTENT
    begins = [int(text.strip("bytes=-") or 0) for text in server.ranges("/f")]
    assert begins == sorted(set(begins))  # each try resumes after the last one


def test_partial_download_is_kept_for_next_command(server: Server) -> None:
    source = good(server.give("/f", whole(CONTENT, after=BLOCKS), status(503)))
    with pytest.raises(DownloadError, match=f"{BLOCKS} bytes are kept for the next try"):
        fetch(source)
    server.give("/f", whole(CONTENT))
    assert fetch(source)[0].read_bytes() == CONTENT
    assert server.ranges("/f")[-1] == f"bytes={BLOCKS}-"


def test_server_without_ranges_sends_everything_again(server: Server) -> None:
    path, _ = fetch(good(server.give("/f", whole(CONTENT, after=BLOCKS), without_ranges(CONTENT))))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [None, SIZE], ids=["size unknown", "size known"])
def test_wrong_range_is_not_used(server: Server, size: int | None) -> None:
    url = server.give("/f", whole(CONTENT, after=BLOCKS), elsewhere(CONTENT, begin=7))
    assert fetch(good(url, size=size))[0].read_bytes() == CONTENT


def test_refused_range_requests_whole_file(server: Server) -> None:
    path, _ = fetch(good(server.give("/f", whole(CONTENT, after=BLOCKS), status(416), whole(CONTENT))))
    assert path.read_bytes() == CONTENT
    assert server.ranges("/f") == ["", f"bytes={BLOCKS}-", ""]


def test_404_is_not_retried_and_mirror_is_next(server: Server) -> None:
    fetch(good(server.give("/gone", status(404)), server.give("/mirror", whole(CONTENT))))
    assert [path for path, _ in server.requests] == ["/gone", "/mirror"]


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_server_error_is_retried(server: Server, code: int) -> None:
    fetch(good(server.give("/f", status(code), whole(CONTENT))))
    assert len(server.requests) == 2


def test_hanging_server_is_retried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_DOWNLOAD_TIMEOUT", "0.2")
    fetch(good(server.give("/f", hanging(), whole(CONTENT))))
    with pytest.raises(DownloadError, match=r"no data was received for 0\.2 s"):
        fetch(Source((server.give("/g", hanging()),), sha256="0" * 64))


@pytest.mark.parametrize(("says", "size"), [(BLOCKS + 100, None), (BLOCKS // 2, BLOCKS)], ids=["too much", "too little"])
def test_wrong_content_length_still_gives_the_right_file(server: Server, says: int, size: int | None) -> None:
    content = CONTENT[:BLOCKS]
    url = server.give("/f", announced(content, says), whole(content))
    assert fetch(Source((url,), size, hashlib.sha256(content).hexdigest()))[0].read_bytes() == content


def test_redirect_is_followed(server: Server) -> None:
    target = server.give("/real", whole(CONTENT))
    assert fetch(good(server.give("/f", status(302, Location=target))))[1] == SHA256


def test_refused_connection_says_what_to_do() -> None:
    url = f"http://127.0.0.1:{free_port()}/f"
    with pytest.raises(DownloadError, match="the connection was refused") as caught:
        fetch(good(url))
    assert "CK_MIRRORS" in caught.value.hint


def test_failure_of_every_source_is_reported(server: Server) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(good(server.give("/a", status(403)), server.give("/b", status(500))))
    assert f"{server.url}/a: the server answers 403" in str(caught.value)
    assert f"{server.url}/b: the server answers 500 (5 tries)" in str(caught.value)


def test_wrong_mirror_does_not_hide_the_right_one(server: Server) -> None:
    fetch(good(server.give("/stale", whole(OTHER)), server.give("/right", whole(CONTENT))))
    assert [path for path, _ in server.requests] == ["/stale", "/right"]


def test_partial_download_of_wrong_mirror_is_not_resumed(server: Server) -> None:
    stale = server.give("/stale", whole(OTHER, after=BLOCKS), status(404))
    assert fetch(good(stale, server.give("/right", whole(CONTENT))))[0].read_bytes() == CONTENT


def test_partial_download_of_another_file_is_discarded(server: Server) -> None:
    source = good(server.give("/f", whole(OTHER, after=BLOCKS), status(404)))
    with pytest.raises(DownloadError):
        fetch(source)
    server.give("/f", whole(CONTENT))
    assert fetch(source)[0].read_bytes() == CONTENT


@pytest.mark.parametrize(("site", "asked"), [(whole(CONTENT), ["/site/f"]), (status(404), ["/site/f", "/pub/f"])])
def test_ck_mirrors_come_before_publisher(
    server: Server, monkeypatch: pytest.MonkeyPatch, site: Answer, asked: list[str]
) -> None:
    monkeypatch.setenv("CK_MIRRORS", f"https://a.invalid=https://b.invalid {server.url}/pub={server.url}/site")
    server.give("/site/f", site)
    fetch(good(server.give("/pub/f", whole(CONTENT))))
    assert [path for path, _ in server.requests] == asked


def test_file_url_is_copied(tmp_path: Path) -> None:
    origin = tmp_path / "a file.bin"
    origin.write_bytes(CONTENT)
    path, _ = fetch(good(origin.as_uri()))
    assert path.read_bytes() == origin.read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="there is no such file"):
        fetch(Source(((tmp_path / "absent").as_uri(),), sha256="0" * 64))


def test_empty_file_can_be_fetched(server: Server) -> None:
    source = Source((server.give("/empty", without_ranges(b"")),), size=0, sha256=hashlib.sha256(b"").hexdigest())
    assert fetch(source)[0].read_bytes() == b""


def test_nothing_is_requested_without_digest(server: Server) -> None:
    with pytest.raises(DownloadError, match="has no digest") as caught:
        fetch(Source((server.give("/f", whole(CONTENT)),)))
    assert "sha256" in caught.value.hint
    assert server.requests == []


@pytest.fixture
def zenodo(server: Server, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A file of Zenodo's record 123 whose digest only the record has; the site's mirror replaces Zenodo."""
    monkeypatch.setenv("CK_MIRRORS", f"https://zenodo.org={server.url}")
    server.give("/record/123/files/m.onnx?download=1", whole(CONTENT))
    return Source(("https://zenodo.org/record/123/files/m.onnx?download=1",))


def record(**changes: object) -> dict[str, object]:
    return {"files": [{"key": "other"}, {"key": "m.onnx", "size": SIZE, "checksum": f"md5:{MD5}", **changes}]}


def test_zenodo_record_provides_digest(server: Server, zenodo: Source) -> None:
    server.give("/api/records/123", document(record()))
    assert fetch(zenodo)[1] == fetch(zenodo)[1] == SHA256
    assert len(server.ranges("/record/123/files/m.onnx?download=1")) == 1


def test_mismatch_with_zenodo_record_is_rejected(server: Server, zenodo: Source, ck_home: Path) -> None:
    server.give("/api/records/123", document(record(checksum="md5:" + "0" * 32)))
    with pytest.raises(DownloadError, match=f"md5 {'0' * 32} expected, {MD5} received"):
        fetch(zenodo)
    assert kept(ck_home) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (document({"files": []}), "has no file 'm.onnx' with a checksum"),
        (document(record(checksum="")), "has no file 'm.onnx' with a checksum"),
        (document(["surprise"]), "lists no files"),
        (without_ranges(b"<html>"), "the answer is not JSON"),
        (status(404), "the server answers 404"),
    ],
)
def test_record_without_digest_is_reported(server: Server, zenodo: Source, answer: Answer, why: str) -> None:
    server.give("/api/records/123", answer)
    with pytest.raises(DownloadError, match=why):
        fetch(zenodo)
    assert server.ranges("/record/123/files/m.onnx?download=1") == []


def test_modified_cached_file_is_refetched(server: Server) -> None:
    source = good(server.give("/f", whole(CONTENT)))
    fetch(source)[0].write_bytes(b"altered")
    assert fetch(source)[0].read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_file_larger_than_free_space_is_not_started(server: Server) -> None:
    with pytest.raises(StorageError, match="it needs 1000000000000 MB"):
        fetch(good(server.give("/f", whole(CONTENT)), size=10**18))
    assert server.requests == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_is_reported_and_cleaned_up(server: Server, ck_home: Path) -> None:
    source = good(server.give("/f", whole(CONTENT, after=BLOCKS), status(404)))
    with pytest.raises(DownloadError):
        fetch(source)
    (part,) = (ck_home / "CK-TOOLS/.cache/partial").iterdir()
    part.unlink()
    part.symlink_to("/dev/full")  # the kernel itself reports that no space is left
    server.give("/f", whole(CONTENT))
    with pytest.raises(StorageError, match="the disk is full"):
        fetch(source)
    assert not part.is_symlink()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's /sys, where even root can write")
def test_read_only_ck_tools_is_reported(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_TOOLS", "/sys/ck-tools")
    with pytest.raises(StorageError, match=r"no permission to write /sys/ck-tools") as caught:
        fetch(good(server.give("/f", whole(CONTENT))))
    assert "CK_TOOLS" in caught.value.hint


def test_ck_tools_that_is_a_file_is_reported(server: Server, ck_home: Path) -> None:
    (ck_home / "CK-TOOLS").write_text("")
    with pytest.raises(StorageError, match="CK-TOOLS"):
        fetch(good(server.give("/f", whole(CONTENT))))


def test_concurrent_processes_fetch_a_file_once(server: Server) -> None:
    gate = Gate(CONTENT, after=10)
    url = server.give("/f", gate)
    code = (
        "import sys; from ck_repo.install.fetch import fetch; from ck_repo.install.source import Source; "
        "print(fetch(Source((sys.argv[1],), sha256=sys.argv[2]))[1])"
    )

    def start() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", code, url, SHA256], stdout=pipe, stderr=pipe, text=True)

    first = start()
    assert gate.reached.wait(PATIENCE)
    second = start()
    assert second.stderr is not None
    assert "locked by another process; waiting" in second.stderr.readline()
    gate.open.set()
    for process in (first, second):
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out.strip()) == (0, SHA256), err
    assert len(server.requests) == 1


def test_digest_verified_once_is_pinned(server: Server, monkeypatch: pytest.MonkeyPatch, ck_home: Path) -> None:
    """Zenodo's record is requested once; afterwards the file must match it, even when the record changes."""
    monkeypatch.setenv("CK_MIRRORS", f"https://zenodo.org={server.url}")
    record = {"files": [{"key": "f", "size": SIZE, "checksum": f"md5:{MD5}"}]}
    server.give("/api/records/7", document(record))
    server.give("/record/7/files/f", whole(CONTENT))
    source = Source(("https://zenodo.org/record/7/files/f",))
    assert fetch(source)[1] == SHA256
    clean_leftovers()
    other = {"files": [{"key": "f", "size": SIZE, "checksum": f"md5:{hashlib.md5(OTHER).hexdigest()}"}]}
    server.give("/api/records/7", document(other))
    server.give("/record/7/files/f", whole(OTHER))
    with pytest.raises(DownloadError, match=f"sha256 {SHA256} expected") as caught:
        fetch(source)
    assert "pinned when it was first verified" in caught.value.hint
    Path(caught.value.hint.rpartition(" ")[2]).unlink()
    assert fetch(source)[0].read_bytes() == OTHER
