"""Which packages are candidates with a stock repository, and what is reported of those that are not."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stock_repositories import PIP, StockRepository

from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]
TO_FETCH = "to download: 1 file of unknown size (net)\n"  # the file that its recipe downloads
FETCH = {"PACKAGE_URL": "https://host.example", "PACKAGE_NAME": "net", "PACKAGE_WGET": "YES", "PACKAGE_SKIP_LINUX_MAKE": "YES"}


def uid_of(repository: StockRepository, alias: str) -> str:
    return (repository.root / "package" / ".cm" / f"alias-a-{alias}").read_text().strip()


@pytest.mark.parametrize("action", ["install", "explain"])
@pytest.mark.parametrize("name", ["package:{}", "stock:package:{}", "package:UID", "UID:package:{}"])
@pytest.mark.parametrize(
    ("meta", "why"), [("{", "is not JSON"), ({"tags": 5}, "tags is 5"), ({"tags": ["x"], "deps": 7, "install": []}, "deps")]
)
def test_unreadable_named_package_says_why(stock: StockRepository, ck: Ck, action: str, name: str, meta: Any, why: str) -> None:
    stock.entry("package", "broken", meta)
    repository = Repositories().get("stock").uid
    name = name.replace("UID:", f"{repository}:").replace("UID", uid_of(stock, "broken")).format("broken")
    done = ck(action, name)
    assert done.code == 3
    assert why in done.err
    assert "broken/.cm/meta.json" in done.err
    assert "has the tag" not in done.err


def test_named_package_without_uid_is_reported_until_it_has_one(stock: StockRepository, ck: Ck) -> None:
    folder = stock.package("lost", env=FETCH, tags="lost-and-found")
    link = folder.parent / ".cm" / "alias-a-lost"
    content = link.read_text()
    link.unlink()
    assert "lost has no UID" in ck("install", "package:lost", "--dry-run").err
    link.write_text(content)
    assert ck("install", "package:lost", "--dry-run").code == 0
    assert ck("search", "package", "--tags=lost-and-found").out.startswith("stock:package:lost")


def test_only_candidates_are_read(stock: StockRepository, ck: Ck) -> None:
    stock.package("wanted", env=FETCH, tags="wanted")
    stock.entry("package", "typed", {"tags": ["wanted", "typed"], "customize": {}, "deps": 7})
    assert ck("install", "package", "--tags=lib,python-package,numpy", "--dry-run").err == ""
    done = ck("install", "package", "--tags=wanted", "--dry-run")
    assert (done.code, done.out) == (0, f"install wanted: wanted\n{TO_FETCH}")
    assert "package skipped" in done.err


def test_every_candidate_is_found_by_alias_uid_tag_and_variation(stock: StockRepository, ck: Ck) -> None:
    stock.package("net", env=FETCH, tags="a,b", variations={"small": {"extra_tags": "tiny", "extra_env": {"X": "1"}}})
    for tags in ("net", uid_of(stock, "net"), "a,b", "a,small", "tiny,b", "a,net", "stock:package:net,tiny"):
        done = ck("install", "package", f"--tags={tags}", "--dry-run")
        assert (tags, done.code) == (tags, 0), done.err


def test_uid_is_found_without_alias_file(stock: StockRepository, ck: Ck) -> None:
    folder, uid = stock.package("net", env=FETCH), uid_of(stock, "net")
    (folder.parent / ".cm" / f"alias-u-{uid}").unlink()
    assert ck("install", f"package:{uid}", "--dry-run").out == f"install net: net\n{TO_FETCH}"


def test_repository_is_found_by_uid_and_unknown_one_is_named(stock: StockRepository, ck: Ck) -> None:
    stock.package("net", env=FETCH)
    uid = Repositories().get("stock").uid
    assert ck("install", f"{uid}:package:net", "--dry-run").out == f"install net: net\n{TO_FETCH}"
    assert ck("explain", f"{uid}:package:net").code == 0
    done = ck("install", "stok:package:net")
    assert "there is no repository 'stok'" in done.err
    assert "did you mean stock?" in done.err


def test_names_are_not_called_tags(stock: StockRepository, ck: Ck) -> None:
    for number in (1, 2):
        deps = {"d": {"tags": f"python-package,no{number}"}}
        stock.package(f"a{number}", PIP, env={"PYTHON_PACKAGE_NAME": "x"}, tags="a", deps=deps)
    done = ck("install", "package", "--tags=0123456789abcdef")
    assert "there is no package with the UID 0123456789abcdef" in done.err
    assert "there is no package:nothere" in ck("install", "package:nothere").err
    refused = ck("install", "package:a1", "--no_tags=a").err
    assert "nothing is package:a1 with the tags -a, requested by you" in refused


def test_unmet_dependency_names_its_requester(stock: StockRepository, ck: Ck) -> None:
    stock.package("asker", env=FETCH, deps={"d": {"tags": "nothing-like-it"}})
    assert "nothing has the tag 'nothing-like-it', requested by asker" in ck("install", "package:asker").err
    create_entry(
        Repositories().writable(),
        "package",
        "needy",
        {"tags": ["needy"], "install": [], "deps": {"d": {"tags": "nothing-like-it"}}},
    )
    done = ck("install", "package:needy")
    assert "nothing has the tag 'nothing-like-it', requested by needy" in done.err


def test_version_word_may_be_tag_or_version(stock: StockRepository, ck: Ck) -> None:
    stock.package("theirs", env=FETCH, tags="lib,python-package,numpy", variations={"1.26.4": {"extra_env": {"X": "1"}}})
    done = ck("install", "package", "--tags=lib,python-package,numpy,1.26.4", "--dry-run")
    assert done.out == "install NumPy: numpy==1.26.4\n"
    named = ck("install", "stock:package:theirs", "--tags=1.26.4", "--dry-run", "--out=json").json
    assert named["plan"][0]["variations"] == ["1.26.4"]


@pytest.mark.parametrize("how", ["--version=2", "--force_version=2", "--version=>=2", "a dependency"])
def test_version_of_variation_is_found(stock: StockRepository, ck: Ck, how: str) -> None:
    variations = {
        name: {"extra_customize": {"version": number}, "extra_env": {"PACKAGE_NAME": name}}
        for name, number in (("one", "1"), ("two", "2"), ("three", "0.3"))
    }
    variations["one"]["on_by_default"] = "yes"  # type: ignore[assignment]
    stock.package("net", env=FETCH, tags="net,model", variations=variations)
    words = ["package:net", how]
    if how == "a dependency":
        deps = {"net": {"tags": "net,model", "version_from": [2], "version_to": [2]}}
        stock.package("asker", env=FETCH, deps=deps)
        words = ["package:asker"]
    plan = ck("install", *words, "--dry-run", "--out=json").json["plan"]
    assert plan[0]["variations"] == ["two"]
    assert plan[0]["version"] == "2"


def test_unknown_version_error_lists_available_ones(stock: StockRepository, ck: Ck) -> None:
    variations = {"one": {"extra_customize": {"version": "1"}}, "two": {"extra_customize": {"version": "2"}}}
    stock.package("net", env=FETCH, tags="net,model", customize={"version": "0.5"}, variations=variations)
    stock.package("other", env=FETCH, tags="model,other")
    done = ck("install", "package", "--tags=net,model", "--version=9")
    assert "rejected net: its versions 0.5, 1, 2 are not in 9" in done.err
    assert "other" not in done.err


def test_foreign_code_is_announced_and_rejected_before_venv_creation(stock: StockRepository, ck: Ck) -> None:
    stock.package("lib-x", PIP, env={"PYTHON_PACKAGE_NAME": "x"}, tags="lib,x")
    planned = ck("install", "package:lib-x", "--dry-run")
    assert planned.out == ("install lib-x: x (needs --trust: it runs code of another repository, Python package x)\n")
    done = ck("install", "package:lib-x")
    assert "refused to run code of another repository: Python package x" in done.err
    assert not (repos_root() / "local" / "venv").exists()


def test_stock_scripts_are_rejected_even_with_trust(stock: StockRepository, ck: Ck) -> None:
    stock.package("own-script", "")
    for trust in ([], ["--trust"]):
        done = ck("install", "package:own-script", *trust)
        assert "its recipe runs a script of its own (install.sh), so it cannot be installed" in done.err
        assert "not supported, even with --trust" in done.err


def test_flags_of_first_file_do_not_apply_to_others(stock: StockRepository, ck: Ck, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "first.zip", "w") as archive:
        archive.writestr("inside.txt", "packed")
    (tmp_path / "a.txt").write_text("plain")
    more = {"PACKAGE_UNZIP": "YES", "PACKAGE_URL1": tmp_path.as_uri(), "PACKAGE_NAME1": "a.txt"}
    stock.fetched("several", tmp_path.as_uri(), "first.zip", env=more)
    done = ck("install", "package:several", "--trust", "--out=json")
    folder = Path(done.json["path"])
    assert {path.name for path in folder.glob("*.txt")} == {"inside.txt", "a.txt"}
    assert (folder / "a.txt").read_text() == "plain"


def test_corrupt_archive_is_named_by_url(stock: StockRepository, ck: Ck, tmp_path: Path) -> None:
    (tmp_path / "first.zip").write_text("no archive")
    stock.fetched("spoilt", tmp_path.as_uri(), "first.zip", env={"PACKAGE_UNZIP": "YES"})
    done = ck("install", "package:spoilt", "--trust")
    assert f"the file from {tmp_path.as_uri()}/first.zip is not a zip or tar archive" in done.err


def test_entry_without_tags_inherits_those_of_its_base(stock: StockRepository, ck: Ck) -> None:
    """Lists replace those of the base in stock CK's `merge_dicts`: an entry with tags has only its own."""
    stock.entry("program.template", "base", {"tags": ["general", "old"]})
    stock.entry("program", "one", {"_base_entry": "program.template:base"})
    stock.entry("program", "two", {"_base_entry": "one"})
    stock.entry("program", "own", {"tags": ["more"], "_base_entry": "one"})
    stock.entry("program", "itself", {"tags": ["loop"], "_base_entry": "itself"})
    stock.entry("program", "circle", {"_base_entry": "circle"})
    stock.entry("program", "lost", {"tags": ["alone"], "_base_entry": "nowhere"})

    def found(tags: str) -> list[str]:
        return [
            row["data_uoa"] for row in ck("search", "program", f"--tags={tags}", "--repo_uoa=stock", "--out=json").json["lst"]
        ]

    assert found("general") == ["one", "two"]
    assert found("general,-old") == []
    assert found("more") == ["own"]
    assert (found("loop"), found("alone"), found("-")) == (["itself"], ["lost"], [])
    stock.entry("program.template", "base", {"tags": ["new"]})  # in another folder than the entry that inherits from it
    assert (found("general"), found("new")) == ([], ["one", "two"])
