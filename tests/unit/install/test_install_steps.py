"""The steps of a recipe: download, copy, script."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ck_repo import progress
from ck_repo.errors import CKError, ConfigError, InstallError
from ck_repo.machine.register import register
from ck_repo.session import Session
from ck_repo.store.installed import Installed

if TYPE_CHECKING:
    from unit.install.conftest import Shelf


def script(name: str = "make.py", **more: Any) -> dict[str, Any]:
    return {"script": {"file": name, **more}}


def download(path: Path, content: bytes, **more: Any) -> dict[str, Any]:
    path.write_bytes(content)
    return {"download": {"url": path.as_uri(), "sha256": hashlib.sha256(content).hexdigest(), **more}}


@pytest.mark.parametrize("to", ["", "other.txt", "below/other.txt"])
@pytest.mark.parametrize("kind", ["copy", "download"])
def test_file_arrives_where_recipe_says(shelf: Shelf, tmp_path: Path, kind: str, to: str) -> None:
    step = download(tmp_path / "a.txt", b"hi", to=to) if kind == "download" else {"copy": {"file": "a.txt", "to": to}}
    shelf.package("p", step, files={"a.txt": "hi"})
    assert Path(shelf.install("p")["path"], to or "a.txt").read_text() == "hi"


def test_archive_is_unpacked(shelf: Shelf, tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("val2017/1.jpg", b"one")
    shelf.package("p", download(tmp_path / "a.zip", content.getvalue(), unpack=True))
    assert Path(shelf.install("p")["path"], "val2017/1.jpg").read_bytes() == b"one"


def test_later_step_does_not_modify_cache(shelf: Shelf, tmp_path: Path) -> None:
    step = download(tmp_path / "a.bin", b"as published")
    shelf.package("p", step, {"copy": {"file": "patched", "to": "a.bin"}}, files={"patched": "patched"})
    assert Path(shelf.install("p")["path"], "a.bin").read_bytes() == b"patched"
    assert [path.read_bytes() for path in tmp_path.glob("CK-TOOLS/.cache/sha256/*/*")] == [b"as published"]


@pytest.mark.parametrize(
    "step",
    [
        {"copy": {"file": "../../secret"}},
        {"copy": {"file": "/etc/passwd"}},
        {"copy": {"file": "a.txt", "to": "../escaped"}},
        {"copy": {"file": "a.txt", "to": "/tmp/escaped-of-a-test"}},
        {"download": {"to": "../../escaped"}},
        script("../../make.py"),
    ],
)
def test_path_outside_folder_is_rejected(shelf: Shelf, tmp_path: Path, step: dict[str, Any]) -> None:
    if "download" in step:
        step = download(tmp_path / "a.bin", b"hi", **step["download"])
    shelf.package("p", step, files={"a.txt": "hi"})
    with pytest.raises(ConfigError, match="leads out of"):
        shelf.install("p")
    assert list(tmp_path.rglob("escaped*")) == []


def test_file_missing_from_repository_is_reported(shelf: Shelf) -> None:
    shelf.package("p", {"copy": {"file": "a.txt"}})
    with pytest.raises(InstallError, match=r"a.txt does not exist"):
        shelf.install("p")


def test_foreign_script_needs_trust(shelf: Shelf, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    shelf.package("p", script(), files={"make.py": f"open({str(mark)!r}, 'w')"})
    with pytest.raises(InstallError, match=r"another repository: script make\.py") as caught:
        shelf.install("p", trust=False)
    assert "--trust" in caught.value.hint
    assert not mark.exists()
    shelf.install("p", trust=True)
    assert mark.exists()


def test_script_needs_a_venv(shelf: Shelf) -> None:
    shelf.package("p", script(), files={"make.py": ""})
    with pytest.raises(InstallError, match="needs a venv"):
        shelf.install("p", python=None)


def test_failing_script_shows_last_output(shelf: Shelf, ck_home: Path) -> None:
    body = "import sys\nfor n in range(99): print('line', n, file=sys.stderr)\nsys.exit(3)"
    shelf.package("p", script(), files={"make.py": body})
    with pytest.raises(InstallError, match=r"make.py failed \(exit status 3\)") as caught:
        shelf.install("p")
    assert caught.value.tail.splitlines() == [f"line {n}" for n in range(87, 99)]
    assert caught.value.log.endswith("stderr.log")
    assert [path.name for path in (ck_home / "CK-TOOLS").iterdir() if not path.name.startswith(".")] == []


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_non_utf_8_output_is_accepted(shelf: Shelf, stream: str) -> None:
    shelf.package("p", script(), files={"make.py": f"import sys\nsys.{stream}.buffer.write(b'\\xff\\xfe\\n')\nsys.exit(1)"})
    with pytest.raises(InstallError, match="failed"):
        shelf.install("p")


def test_script_gets_no_pythonpath_or_input(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    body = "import os, sys; open('out', 'w').write(os.environ.get('PYTHONPATH', '') + sys.stdin.read())"
    shelf.package("p", script(), files={"make.py": body})
    assert Path(shelf.install("p")["path"], "out").read_text() == ""


@pytest.mark.parametrize("name", ["PYTHONIOENCODING", "PYTHONMALLOC", "PYTHONPYCACHEPREFIX", "PYTHON_CPU_COUNT", "PYTHONNEW"])
def test_script_gets_only_harmless_python_variables(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "utf-8")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    body = f"import os; open('out', 'w').write(repr([os.environ.get('{name}'), os.environ['PYTHONHASHSEED']]))"
    shelf.package("p", script(), files={"make.py": body})
    assert Path(shelf.install("p")["path"], "out").read_text() == "[None, '7']"


def test_unknown_placeholder_is_reported(shelf: Shelf) -> None:
    shelf.package("p", script(arguments=["{cuont}"]), files={"make.py": ""}, values={"count": "1"})
    with pytest.raises(CKError, match="cuont"):
        shelf.install("p")


def test_script_progress_is_shown(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, float, float | None]] = []

    class Row:
        def __init__(self, title: str) -> None:
            self.title = title

        def advance_to(self, done: float, total: float | None = None, note: str = "") -> None:
            seen.append((self.title, done, total))

        def close(self) -> None:
            seen.append((self.title, -1, None))

    class Sink:
        def begin(self, title: str, total: float | None, unit: str) -> Row:
            return Row(title)

        def say(self, text: str) -> None:
            pass

    monkeypatch.setattr(progress, "_sink", Sink())
    body = "import json; print('noise'); print('[1]'); print(json.dumps({'progress': 'drawing', 'done': 3, 'total': 10}))"
    shelf.package("p", script(), files={"make.py": body})
    shelf.install("p")
    assert seen == [("drawing", 3, 10), ("drawing", -1, None), ("running make.py", -1, None)]


# folders that a recipe may copy from


@pytest.mark.parametrize("name", ["h", "source", "h}{folder", "folder", "source_file", "/etc", "."])
def test_recipe_value_cannot_name_a_source_folder(shelf: Shelf, name: str) -> None:
    step = {"copy": {"from": name, "file": "passwd"}}
    shelf.package("p", step, values={"h": "/etc", "source": "/etc", "source_file": "/etc/passwd"}, file="passwd")
    with pytest.raises(CKError, match=r"which is not a dependency of it"):
        shelf.install("p", trust=False)


@pytest.mark.parametrize("trust", [False, True])
def test_value_does_not_replace_dependency(shelf: Shelf, trust: bool) -> None:
    shelf.package("ssd", {"copy": {"file": "m.txt"}}, files={"m.txt": "weights"}, file="m.txt")
    step = {"copy": {"from": "source", "file": "m.txt"}}
    shelf.package("p", step, deps={"source": {"tags": ["ssd"]}}, values={"source": "/etc"}, file="m.txt")
    assert Path(shelf.install("p", trust=trust)["file"]).read_text() == "weights"


@pytest.mark.parametrize("name", ["key", "../key", "other/key"])
def test_only_the_registered_file_is_copied(shelf: Shelf, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    (home / "other").mkdir(parents=True)
    for path in (home / "key", home / "other" / "key", tmp_path / "key"):
        path.write_text("secret")
    (home / "mine.bin").write_text("weights")
    file = str(home / "mine.bin")
    register(
        Session(shelf.repositories),
        Installed("mine", soft="model", tags=("mine",), path=str(home), file=file, digest="0" * 64),
        [],
    )
    needs = {"source": {"tags": ["mine"]}}
    shelf.package("p", {"copy": {"from": "source", "file": name}}, deps=needs)
    with pytest.raises(ConfigError, match=r"is not a part of source|leads out"):
        shelf.install("p", trust=False)
    shelf.package("good", {"copy": {"from": "source", "file": "mine.bin"}}, deps=needs, file="mine.bin")
    assert Path(shelf.install("good", trust=False)["file"]).read_text() == "weights"


def test_link_in_entry_does_not_escape(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    entry = shelf.package("p", {"copy": {"file": "link"}})
    (entry.path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match="leads out"):
        shelf.install("p", trust=False)


def test_weights_come_only_from_dependencies(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "private.pth").write_bytes(b"x")
    for number, file in enumerate((str(tmp_path / "private.pth"), "{where}")):
        step = {"weights": {"file": file, "to": "w.safetensors"}}
        shelf.package(f"p{number}", step, values={"where": str(tmp_path / "private.pth")})
        with pytest.raises(ConfigError, match="not a part of it or of a dependency"):
            shelf.install(f"p{number}", trust=False)


def test_link_turned_outwards_by_stripping_is_rejected(shelf: Shelf, tmp_path: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        link = tarfile.TarInfo("top/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../top"
        file.addfile(link)
    shelf.package("p", download(tmp_path / "a.tar", content.getvalue(), unpack=True, strip=1))
    with pytest.raises(CKError, match="leads out"):
        shelf.install("p")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "loop"])
def test_invalid_file_name_is_a_recipe_error(shelf: Shelf, name: str) -> None:
    entry = shelf.package("p", {"copy": {"file": name}})
    (entry.path / "loop").symlink_to("loop")
    with pytest.raises(CKError):
        shelf.install("p")


@pytest.mark.parametrize(
    "word",
    ["{folder:>3000000000}", "{folder!r}", "{folder.parent}", "{folder[0]}", "{}", "{0}", "{", "}", "{folder", "x" * 5000],
)
@pytest.mark.parametrize("kind", ["weights", "script"])
def test_placeholder_is_only_a_name(shelf: Shelf, kind: str, word: str) -> None:
    step = {"weights": {"file": word, "to": "a"}} if kind == "weights" else script(arguments=[word])
    shelf.package("p", step, files={"make.py": ""})
    with pytest.raises(ConfigError):
        shelf.install("p")


def test_placeholders_are_expanded_once(shelf: Shelf) -> None:
    body = "import sys; open('out', 'w').write('|'.join(sys.argv[1:]))"
    words = ["{a}{b}", "{{a}}", "{{{a}}}", '{{"k": "{b}"}}']
    shelf.package("p", script(arguments=words), files={"make.py": body}, values={"a": "{b}", "b": "2"})
    assert Path(shelf.install("p")["path"], "out").read_text() == '{b}2|{a}|{{b}}|{"k": "2"}'
