"""Commands with a stock repository: search, check, detect, and the env entries of a stock CK."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stock_repositories import DOWNLOAD, PIP, StockRepository

from ck_repo.machine.detector import detector
from ck_repo.machine.register import distributions
from ck_repo.session import Session
from ck_repo.store.fields import Fields
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load

Ck = Callable[..., Any]
FETCH = {"PACKAGE_URL": "https://host.example", "PACKAGE_NAME": "net", "PACKAGE_WGET": "YES", "PACKAGE_SKIP_LINUX_MAKE": "YES"}


def names(done: Any) -> list[str]:
    return [row["data_uoa"] for row in done.json["lst"]]


def test_search_counts_like_stock_and_marks_uninstallable_packages(stock: StockRepository, ck: Ck) -> None:
    stock.package("a", env=FETCH, tags="their-model,near", variations={"small": {"extra_tags": "tiny"}, "near": {}})
    stock.package("b", "", tags="their-model", variations={"near": {"extra_env": {"X": "1"}}})
    found = ck("search", "package", "--tags=their-model", "--out=json").json["lst"]
    assert [(row["data_uoa"], bool(row["obstacle"])) for row in found] == [("a", False), ("b", True)]
    assert names(ck("search", "package", "--tags=near", "--repo_uoa=stock", "--out=json")) == ["a"]  # by its own tags
    assert names(ck("search", "package", "--tags=tiny", "--repo_uoa=stock", "--out=json")) == ["a"]  # no other entry has it
    done = ck("search", "package", "--tags=their-model")
    assert done.out.splitlines() == ["stock:package:a (small, near)", "stock:package:b (near)"]
    assert done.err == "note: 1 of 2 cannot be installed here; --explain shows why\n"
    out = ck("search", "package", "--tags=their-model", "--explain").out
    assert "package:b (near) cannot be installed here: its recipe runs a script of its own (install.sh)" in out


def test_versions_are_shown_and_searched(stock: StockRepository, ck: Ck) -> None:
    env = {"PYTHON_PACKAGE_NAME": "theirs"}
    stock.package(
        "lib-theirs", PIP, env=env, tags="lib,theirs", variations={"1.6.0": {"extra_env": {"PACKAGE_VERSION": "1.6.0"}}}
    )
    assert "package:lib-theirs (1.6.0)" in ck("search", "package", "--tags=lib,theirs,1.6.0").out
    planned = ck("install", "stock:package:lib-theirs", "--version===1.6.0", "--dry-run")
    assert planned.out.startswith("install lib-theirs: theirs==1.6.0 (needs --trust")


def test_unreadable_entry_is_reported_once(stock: StockRepository, ck: Ck) -> None:
    for number in range(3):
        stock.entry("package", f"cut-{number}", "{")
    stock.package("good", env=FETCH, tags="good")
    first = ck("search", "package", "--tags=good")
    assert first.err.count("warning") == 1
    assert "stock: 3 package entries cannot be used; `ck check repo:stock` lists them" in first.err
    assert ck("search", "package", "--tags=good").err == ""
    assert "warning" not in ck("install", "package:good", "--dry-run").err
    stock.entry("package", "cut-4", "{")
    assert "stock: 4 package entries" in ck("search", "package", "--tags=good").err  # the state has changed


def test_check_lists_everything(stock: StockRepository, ck: Ck) -> None:
    stock.entry("package", "cut", "{")
    stock.entry("package", "typed", {"customize": 5})
    stock.package("blocked", "")
    stock.package("odd", env=FETCH, variations={"v": {"strange": 1}})
    done = ck("check", "repo:stock", "--out=json")
    assert done.code == 3
    assert [row["entry"] for row in done.json["unreadable"]] == ["package:cut", "package:typed"]
    assert done.json["blocked"] == [{"entry": "package:blocked", "why": "its recipe runs a script of its own (install.sh)"}]
    assert done.json["remarks"] == [{"entry": "package:odd", "why": "variation v: the key strange is ignored"}]
    assert ck("check", "repo:local").code == 0
    assert ck("check", "repo").code == 2


def test_ten_thousand_packages_half_of_them_unreadable(stock: StockRepository, ck: Ck) -> None:
    for number in range(10_000):
        folder = stock.root / "package" / f"{number:016x}" / ".cm"
        folder.mkdir(parents=True)
        meta = {"tags": ["many", f"n{number}"], "customize": {"install_env": FETCH}, "process_script": "install"}
        (folder / "meta.json").write_text("{" if number % 2 else json.dumps(meta))
    done = ck("search", "package", "--tags=n42", "--out=json")
    assert names(done) == [f"{42:016x}"]
    assert done.err.count("warning") == 1
    assert "stock: 5000 package entries cannot be used" in done.err
    assert "warning" not in ck("search", "package", "--tags=n42").err


def test_stock_detector_is_replaced_by_ours(stock: StockRepository, ck: Ck) -> None:
    soft = {"customize": {}, "tags": ["compiler", "python"], "soft_file": "python"}
    stock.entry("soft", "compiler.python", soft, {"customize.py": "raise SystemExit('it was run')"})
    stock.entry("soft", "their.torch", {"customize": {}, "tags": ["lib", "python-package", "torch", "vmaster"]})
    folder = stock.entry("soft", "compiler.their", {"customize": {}, "tags": ["compiler", "their"]})
    uid = (folder.parent / ".cm/alias-a-compiler.their").read_text().strip()
    for words in (("soft:compiler.python",), ("soft", "--tags=compiler,python"), ("stock:soft:compiler.python",)):
        assert "CPython" in ck("detect", *words).out
    assert "there is no venv" in ck("detect", "soft:their.torch").err  # our package for torch reads the venv
    for name in ("soft:compiler.their", f"soft:{uid}"):
        done = ck("detect", name)
        assert done.code == 9
        assert "stock:soft:compiler.their is a detector of stock CK" in done.err
        assert "compiler.python" in done.err


@pytest.mark.parametrize(
    ("alias", "tags", "file", "ours"),
    [
        ("lib.python.tensorflow", "lib,tensorflow", {"soft_file": {"linux": "tensorflow/__init__.py"}}, "tensorflow"),
        ("lib.python.tflite", "lib,tflite", {"soft_file": {"win": "tensorflow\\__init__.py"}}, "ai-edge-litert"),
        ("lib.pytorch", "lib,pytorch", {"soft_file_universal": "torch$#sep#$__init__.py"}, "torch"),
        ("lib.python.loadgen", "lib,mlperf,loadgen", {"soft_file_universal": "l$#sep#$__init__.py"}, "mlcommons-loadgen"),
    ],
)
def test_stock_python_package_detector_is_replaced_by_ours(
    stock: StockRepository, ck: Ck, alias: str, tags: str, file: dict[str, Any], ours: str
) -> None:
    stock.entry("soft", alias, {"customize": file, "tags": tags.split(",")})
    assert "there is no venv:nowhere" in ck("detect", f"stock:soft:{alias}", "--venv=nowhere").err
    repositories = Repositories()
    found = detector(Session(repositories), [load(repositories, "soft", alias, stock.alias)])
    assert ours in distributions(Fields(found.meta(), found.path))


def test_python_package_without_detector_can_be_installed(stock: StockRepository, ck: Ck) -> None:
    file = {"soft_file_universal": "numpy$#sep#$__init__.py"}
    stock.entry("soft", "lib.python.numpy", {"customize": file, "tags": ["lib", "python-package", "numpy"]})
    assert "`ck install package --tags=lib,python-package,numpy`" in ck("detect", "soft:lib.python.numpy").err
    stock.entry("soft", "lib.static", {"customize": {"soft_file": {"linux": "libx.a"}}, "tags": ["lib", "numpy"]})
    assert "supported detectors:" in ck("detect", "soft:lib.static").err


def test_module_uid_is_not_an_entry(ck: Ck) -> None:
    done = ck("detect", "soft:5e1100048ab875d7")
    assert (done.code, done.out) == (16, "")
    assert "5e1100048ab875d7 is the UID of the module soft; `ck ls soft --print_uid`" in done.err
    assert "compiler.python" in ck("ls", "soft", "--print_uid").out


@pytest.fixture
def left_by_stock(ck_home: Path) -> Path:
    """Env entries as a stock CK wrote them to ~/CK/local, and the files they point to."""
    place = ck_home / "old tools" / "labels"
    place.mkdir(parents=True)
    (place / "map.txt").write_text("1 cat")
    local = StockRepository(ck_home / "CK" / "local", "local")
    common = {"setup": {"host_os_uoa": "linux-64"}, "env_script": "env.sh", "deps": {}, "soft_uoa": "1" * 16}

    def add(uid: str, tags: str, customize: dict[str, Any], **more: Any) -> None:
        local.entry("env", uid, {"tags": tags.split(","), "customize": customize, **common, **more}, {"env.sh": "#"})

    file = {"full_path": str(place / "map.txt"), "version": "1.5"}
    add("a" * 16, "labelmap,their,v1.5", file, install_location=str(place), env={"CK_ENV_LABELS": str(place)})
    add("b" * 16, "lib,python-package,numpy", {"full_path": str(place / "map.txt")})
    add("c" * 16, "lib,gone", {"full_path": "/not/there/lib.so"})
    add("d" * 16, "model,object-detection,onnx,mlperf", {"full_path": str(place / "map.txt")})
    add("e" * 16, "nothing,here", {})
    return place


def test_stock_env_entries_are_shown_located_and_printed(left_by_stock: Path, ck: Ck) -> None:
    shown = ck("show", "env")
    assert shown.err == ""
    assert any("1.5" in line and "stock CK" in line and str(left_by_stock) in line for line in shown.out.splitlines())
    assert ck("locate", "env", "--tags=labelmap,their").out == f"{left_by_stock}\n"
    loaded = ck("load", "env", "--tags=labelmap,their", "--out=json").json
    assert loaded["dict"]["env_script"] == "env.sh"  # as a script written for stock CK reads it
    printed = loaded["lst"][0]["dict"]
    assert (printed["file"], printed["version"]) == (str(left_by_stock / "map.txt"), "1.5")
    assert printed["environment"] == {"CK_ENV_LABELS": str(left_by_stock)}
    nowhere = ck("locate", "env", "--tags=nothing,here")
    assert (nowhere.code, nowhere.out) == (16, "")


def test_stock_env_entry_satisfies_dependency(left_by_stock: Path, stock: StockRepository, ck: Ck) -> None:
    stock.package("map", "", tags="labelmap,their")
    stock.package("net", DOWNLOAD, env=FETCH, tags="net", deps={"labels": {"tags": "labelmap,their"}})
    done = ck("explain", "package", "--tags=net")
    assert f"registered, in {left_by_stock}" in done.out
    assert done.err == ""


@pytest.mark.parametrize("tags", ["lib,gone", "lib,python-package,numpy,-x"])
def test_missing_or_other_python_entry_satisfies_nothing(left_by_stock: Path, ck: Ck, tags: str) -> None:
    assert "registered" not in ck("explain", "package", f"--tags={tags}").out


def test_stock_model_does_not_replace_ours(left_by_stock: Path, ck: Ck) -> None:
    done = ck("explain", "package", "--tags=model,object-detection,onnx,mlperf")
    assert "install" in done.out.splitlines()[0]
    assert "stock CK's entry does not describe its interface" in done.out


@pytest.mark.parametrize("key", ["tags", "customize", "env", "install_location", "soft_uoa", "setup", "deps"])
@pytest.mark.parametrize("value", [5, "text", [1], {"a": [1]}, None])
def test_malformed_stock_env_entry(ck_home: Path, ck: Ck, key: str, value: Any) -> None:
    local = StockRepository(ck_home / "CK" / "local", "local")
    content = {"tags": ["their"], "customize": {"full_path": str(ck_home)}, "setup": {}, "env": {}, key: value}
    local.entry("env", "a" * 16, content)
    for words in (("show", "env"), ("explain", "package", "--tags=model,demo")):
        done = ck(*words)
        assert done.code == 0
        assert "Traceback" not in done.err


def test_foreign_env_entries_are_not_of_this_machine(stock: StockRepository, ck: Ck) -> None:
    folder = stock.entry("env", "shared", {"tags": ["lib", "shared"], "customize": {}, "env": {}})
    ck("detect", "soft:compiler.python", f"--full_path={sys.executable}")
    for action in ("locate", "show", "load", "cat"):
        done = ck(action, "env", "--tags=sharde,lib")
        assert (done.code, "shared" in done.err) == (16, False)
    done = ck("load", "env:shared")
    assert (done.code, "it is in stock" in done.err) == (16, True)
    assert ck("load", "stock:env:shared").code == 0
    assert ck("rm", "env:*", "--force").code == 0
    assert folder.is_dir()
