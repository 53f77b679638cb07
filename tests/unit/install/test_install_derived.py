"""Files derived from installed ones: copies, conversions, weights from pickles, and what is recorded about them."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.contract.record import write
from ck_repo.errors import ConfigError, DetectError, InstallError
from ck_repo.install.installer import Installer
from ck_repo.machine.survey import survey
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session

if TYPE_CHECKING:
    from unit.install.conftest import Shelf

FORMATS = Path(__file__).parents[1] / "formats"
MAKE = """
import argparse, json, pathlib
parser = argparse.ArgumentParser()
for name in ("source", "model", "output"):
    parser.add_argument("--" + name)
given = parser.parse_args()
folder = pathlib.Path(given.output)
(folder / "made.bin").write_text(pathlib.Path(given.source).read_text().upper())
(folder / "model.json").write_text(json.dumps({"input": json.loads(given.model)["input"] + ":0"}))
"""


def convertible(shelf: Shelf, code: str = MAKE, **more: Any) -> None:
    """A model, and a conversion whose program is in the same repository."""
    shelf.package(
        "ssd", {"copy": {"file": "m.txt"}}, files={"m.txt": "weights"}, file="m.txt",
        model={"format": "a", "input": "image", "profile": "coco-300"},
    )  # fmt: skip
    step = {"path": "program", "module": "tools.make",
            "arguments": ["--source", "{source_file}", "--model", "{source_model}", "--output", "{folder}"]}  # fmt: skip
    entry = shelf.package(
        "convert-a-to-b", {"script": step}, file="*.bin", conversion={"from": "a", "to": "b"}, model={"format": "b"}, **more
    )
    tools = entry.path.parent.parent / "program" / "tools"
    tools.mkdir(parents=True)
    (tools / "__init__.py").touch()
    (tools / "make.py").write_text(code)


def convert(shelf: Shelf, *, trust: bool = True) -> dict[str, Any]:
    resolver = Resolver(survey(Session(shelf.repositories)))
    choice = resolver.in_format(resolver.resolve("ssd"), "b")
    return write(
        Installer(Session(shelf.repositories, trust=trust), Path(sys.executable)).install({"weights": choice})["weights"]
    )


def test_conversion_runs_module_and_describes_result(shelf: Shelf) -> None:
    convertible(shelf)
    meta = convert(shelf)
    assert Path(meta["file"]).name == "made.bin"
    assert Path(meta["file"]).read_text() == "WEIGHTS"
    assert meta["model"] == {"format": "b", "input": "image:0", "profile": "coco-300"}
    assert meta["label"] == "ssd"
    assert set(meta["inputs"]) == {"source"}


def test_conversion_runs_once(shelf: Shelf) -> None:
    convertible(shelf)
    first = convert(shelf)
    assert convert(shelf)["installed"] == first["installed"]


def test_failed_conversion_leaves_nothing_and_shows_last_lines(shelf: Shelf, ck_home: Path) -> None:
    convertible(shelf, "raise SystemExit('the graph has no name')")
    with pytest.raises(InstallError, match=r"tools\.make failed") as caught:
        convert(shelf)
    assert "the graph has no name" in caught.value.tail
    assert not list((ck_home / "CK-TOOLS").glob("convert-*"))


def test_foreign_conversion_needs_trust(shelf: Shelf) -> None:
    convertible(shelf)
    with pytest.raises(InstallError, match="refused to run code of another repository: script"):
        convert(shelf, trust=False)


def test_tool_versions_are_recorded(shelf: Shelf) -> None:
    shelf.package("lib-pytest", python_package={"name": "pytest"})
    convertible(shelf, deps={"pytest": {"tags": ["lib-pytest"], "tool": True}})
    resolver = Resolver(survey(Session(shelf.repositories), {"pytest": pytest.__version__}))
    choice = resolver.in_format(resolver.resolve("ssd"), "b")
    meta = write(Installer(Session(shelf.repositories, trust=True), Path(sys.executable)).install({"w": choice})["w"])
    assert meta["tools"] == {"pytest": pytest.__version__}


def test_file_of_dependency_is_copied(shelf: Shelf) -> None:
    shelf.package("base", {"copy": {"file": "m.txt"}}, files={"m.txt": "weights"}, file="m.txt")
    deps = {"source": {"tags": ["base"]}}
    shelf.package("copy", {"copy": {"from": "source", "file": "m.txt", "to": "n.txt"}}, deps=deps, file="n.txt")
    assert Path(shelf.install("copy")["file"]).read_text() == "weights"
    shelf.package("thief", {"copy": {"from": "source", "file": "../../secret"}}, deps=deps)
    with pytest.raises(ConfigError, match="leads out of"):
        shelf.install("thief")


@pytest.mark.parametrize(
    ("names", "why"), [(["a.pb", "b.pb"], "promises one .*pb, and there are 2: a.pb, b.pb"), ([], "does not exist")]
)
def test_pattern_must_match_one_file(shelf: Shelf, names: list[str], why: str) -> None:
    files = {name: name for name in [*names, "read.me"]}
    shelf.package("p", *({"copy": {"file": name}} for name in files), files=files, file="*.pb")
    with pytest.raises(InstallError, match=why):
        shelf.install("p")


@pytest.fixture
def pickled(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FORMATS))
    return pytest.importorskip("torch_pickles")


def test_weights_are_extracted_without_running_pickle(shelf: Shelf, pickled: Any) -> None:
    raw = struct.pack("<6f", *range(6))
    content = pickled.legacy(pickled.module({"w": pickled.tensor("0", [2, 3])}), {"0": raw})
    shelf.package("p", {"copy": {"file": "m.pytorch"}}, {"weights": {"file": "{folder}/m.pytorch", "to": "m.safetensors"}},
                  files={"m.pytorch": content}, file="m.safetensors")  # fmt: skip
    data = Path(shelf.install("p", python=None)["file"]).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    assert header["w"]["shape"] == [2, 3]
    assert header["w"]["dtype"] == "F32"
    assert data[8 + size :] == raw


def test_malicious_pickle_is_rejected_and_leaves_nothing(shelf: Shelf, pickled: Any, ck_home: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    malicious = pickled.call(pickled.name("os", "system"), pickled.text(f"touch {mark}"))
    content = pickled.legacy(pickled.table({"w": malicious}), {})
    shelf.package("p", {"copy": {"file": "m.pytorch"}}, {"weights": {"file": "{folder}/m.pytorch", "to": "m.safetensors"}},
                  files={"m.pytorch": content}, file="m.safetensors")  # fmt: skip
    with pytest.raises(DetectError, match=r"names os\.system"):
        shelf.install("p", python=None)
    assert not mark.exists()
    assert not list((ck_home / "CK-TOOLS").glob("p-*"))
