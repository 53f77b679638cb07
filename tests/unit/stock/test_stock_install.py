"""Stock recipes that fetch, copy and clone give the same result as stock's scripts; the servers are local."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server, document, status, whole
from stock_repositories import DETECTION_MODEL, StockRepository
from unit.upstreams import Upstream

from ck_repo.contract.record import write
from ck_repo.errors import CKError, DownloadError, MismatchError, OfflineError
from ck_repo.install.fetch import cache_root
from ck_repo.install.installer import Installer, Vouched
from ck_repo.resolve.plan import InstalledPackage, NewPackage
from ck_repo.session import Session
from ck_repo.store.repositories import Repositories

if TYPE_CHECKING:
    from unit.stock.conftest import User


def zipped(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("__", "/"), text)
    return out.getvalue()


def tarred(mode: str = "w:gz", **files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:  # type: ignore[call-overload]
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def test_file_is_fetched_and_marked_unverified(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/models/net.onnx", whole(b"weights"))
    stock.fetched("net", f"{server.url}/models", "net.onnx", end_full_path_universal="net.onnx", customize={"version": "2"})
    meta = user.install("net")
    assert Path(meta["file"]).read_bytes() == b"weights"
    assert (meta["unverified"], meta["version"]) == (True, "2")
    (row,) = meta["downloads"]
    assert (row["sha256"], row["unverified"]) == (sha256(b"weights").hexdigest(), True)


def test_file_with_digest_in_recipe_is_verified(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/net.onnx", whole(b"weights"))
    digest = sha256(b"weights").hexdigest()
    stock.fetched("net", server.url, "net.onnx", env={"PACKAGE_SHA256": digest})
    stock.fetched("other", server.url, "net.onnx", env={"PACKAGE_SHA256": "0" * 64})
    assert "unverified" not in user.install("net")
    with pytest.raises(DownloadError, match="0000 expected"):
        user.install("other")


def test_changed_file_is_an_error_later(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/net.onnx", whole(b"weights"), whole(b"other weights"))
    folder = stock.fetched("net", server.url, "net.onnx")
    user.install("net")
    (folder / "notes.txt").write_text("the recipe was edited, so that it is installed again")
    assert Path(user.install("net")["path"], "net.onnx").read_bytes() == b"weights"  # from the cache
    (folder / "notes.txt").write_text("again")
    for cached in (Path(user.install("net")["path"]).parent / ".cache" / "sha256").glob("*/*"):
        cached.unlink()
    (folder / "notes.txt").write_text("and again")
    with pytest.raises(MismatchError, match="was another file when this recipe was first installed here") as caught:
        user.install("net")
    assert "pins/recipes" in caught.value.hint


def test_digest_of_one_recipe_does_not_bind_another(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/net.onnx", whole(b"weights"), whole(b"other weights"))
    stock.fetched("net", server.url, "net.onnx")
    stock.fetched("same-url", server.url, "net.onnx")
    assert Path(user.install("net")["path"], "net.onnx").read_bytes() == b"weights"
    assert Path(user.install("same-url")["path"], "net.onnx").read_bytes() == b"other weights"


def test_zenodo_file_is_verified_by_its_record(
    stock: StockRepository, user: User, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CK_MIRRORS", f"https://zenodo.org={server.url}")
    md5 = "2c9b2ef4b9ec1ccdb6ad7ef5ad6bb41f"
    server.give("/record/12/files/net.onnx", whole(b"weights"))
    server.give("/api/records/12", document({"files": [{"key": "net.onnx", "checksum": f"md5:{md5}", "size": 7}]}))
    stock.fetched("net", "https://zenodo.org/record/12/files", "net.onnx")
    with pytest.raises(DownloadError, match=f"md5 {md5} expected"):
        user.install("net")


def test_archives_are_unpacked_like_the_script_does(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/a.zip", whole(zipped(top__a="1")))
    server.give("/b.tar.gz", whole(tarred(top__b="2")))
    server.give("/c.txt.gz", whole(gzip.compress(b"3")))
    stock.fetched("a", server.url, "a.zip", env={"PACKAGE_UNZIP": "YES"}, end_full_path={"linux": "top/a", "win": "top\\a"})
    flags = {"PACKAGE_UNGZIP": "YES", "PACKAGE_UNTAR": "YES", "PACKAGE_UNTAR_EXTRA": "--strip=1"}
    stock.fetched("b", server.url, "b.tar.gz", env=flags, end_full_path_universal="b")
    stock.fetched("c", server.url, "c.txt.gz", env={"PACKAGE_UNGZIP": "YES"}, end_full_path_universal="c.txt")
    assert [Path(user.install(name)["file"]).read_text() for name in "abc"] == ["1", "2", "3"]


def test_several_urls_are_fetched(stock: StockRepository, user: User, server: Server) -> None:
    for name in ("one", "two", "three"):
        server.give(f"/{name}", whole(name.encode()))
    more = {
        f"PACKAGE_{key}{n}": value
        for n, name in ((1, "two"), (2, "three"))
        for key, value in (("URL", server.url), ("NAME", name))
    }
    stock.fetched("all", server.url, "one", env=more)
    folder = Path(user.install("all")["path"])
    assert [(folder / name).read_text() for name in ("one", "two", "three")] == ["one", "two", "three"]


def test_entry_files_are_copied(stock: StockRepository, user: User) -> None:
    env = {"PACKAGE_COPY": "YES", "PACKAGE_BUILD_TYPE": "none", "PACKAGE_SKIP_LINUX_MAKE": "YES", "PACKAGE_SUB_DIR1": "labels"}
    stock.package(
        "labels", env=env, files={"copy/map.txt": "1 cat", "copy/deep/x": ""}, end_full_path_universal="labels$#sep#$map.txt"
    )
    meta = user.install("labels")
    assert Path(meta["file"]).read_text() == "1 cat"
    assert Path(meta["path"], "labels/deep/x").is_file()
    assert "unverified" not in meta  # it came with the repository


def test_entry_patch_is_applied(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/a.zip", whole(zipped(src__a="old\n")))
    patch = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-old\n+new\n"
    env = {"PACKAGE_UNZIP": "YES", "PACKAGE_PATCH": "YES", "PACKAGE_SUB_DIR": "src"}
    stock.fetched("a", server.url, "a.zip", env=env, files={"patch.linux/one.patch": patch}, end_full_path_universal="src/a")
    assert Path(user.install("a")["file"]).read_text() == "new\n"
    escape = patch.replace("a/a", "a/../../a").replace("b/a", "b/../../a")
    stock.fetched("b", server.url, "a.zip", env=env, files={"patch.linux/one.patch": escape})
    with pytest.raises(CKError, match=r"the patch patch.linux/one.patch does not apply"):
        user.install("b")


def test_detection_model_has_its_label_map(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/m.tar.gz", whole(tarred(m__graph="weights", m__pipeline="steps")))
    copy = {"PACKAGE_COPY": "YES", "PACKAGE_SKIP_LINUX_MAKE": "YES"}
    stock.package("map", env=copy, tags="labelmap,small", files={"copy/map.txt": "1 cat"}, end_full_path_universal="map.txt")
    env = {
        "PACKAGE_URL": server.url, "PACKAGE_NAME": "m.tar.gz", "PACKAGE_UNZIP": "YES", "PACKAGE_UNTAR": "YES",
        "FROZEN_GRAPH": "graph", "LABELMAP_FILE": "map.txt", "PIPELINE_CONFIG": "pipeline",
    }  # fmt: skip
    deps = {"labels": {"local": "yes", "name": "labels", "tags": "labelmap,small"}}
    stock.package("m", DETECTION_MODEL, env=env, deps=deps, end_full_path={"linux": "graph"})
    meta = user.install("m")
    assert sorted(path.name for path in Path(meta["path"]).iterdir() if path.name[0] != ".") == ["graph", "map.txt", "pipeline"]
    assert Path(meta["file"]).name == "graph"


def git_package(stock: StockRepository, upstream: Upstream, checkout: str, **more: str) -> Path:
    env = {
        "PACKAGE_GIT": "YES", "PACKAGE_URL": upstream.path.as_uri(), "PACKAGE_GIT_CHECKOUT": checkout,
        "PACKAGE_SKIP_LINUX_MAKE": "YES", "PACKAGE_SUB_DIR": "src",
    }  # fmt: skip
    return stock.package("source", env=env | more, end_full_path_universal="src$#sep#$code.c")


def test_git_commit_is_verified(stock: StockRepository, user: User, upstream: Callable[..., Upstream]) -> None:
    project = upstream("project")
    project.commit("code.c", "first")
    digest = project.git("rev-parse", "HEAD")
    project.commit("code.c", "second")
    git_package(stock, project, digest)
    meta = user.install("source", trust=True)
    assert Path(meta["file"]).read_text() == "first"
    assert "unverified" not in meta


@pytest.mark.parametrize("how", ["branch", "tag", "digits", "none"])
def test_git_branch_or_tag_stays_at_its_commit(
    stock: StockRepository, user: User, upstream: Callable[..., Upstream], how: str
) -> None:
    project = upstream("project")
    short = project.commit("code.c", "first")
    project.git("tag", "-a", "v1", "-m", "first")
    folder = git_package(stock, project, {"branch": "main", "tag": "v1", "digits": short, "none": ""}[how])
    meta = user.install("source", trust=True)
    project.commit("code.c", "second")
    (folder / "notes.txt").write_text("the recipe was edited, so that it is installed again")
    again = user.install("source", trust=True)
    assert (Path(meta["file"]).read_text(), Path(again["file"]).read_text()) == ("first", "first")
    assert meta["unverified"]
    assert meta["path"] != again["path"]
    assert meta["downloads"][0]["urls"] == [f"git+{project.path.as_uri()}@{project.git('rev-parse', 'HEAD^')}"]


def test_missing_branch_is_reported(stock: StockRepository, user: User, upstream: Callable[..., Upstream]) -> None:
    git_package(stock, upstream("project"), "r9.9")
    with pytest.raises(DownloadError, match=r"no branch or tag 'r9\.9'"):
        user.install("source", trust=True)


def test_failed_download_leaves_nothing(stock: StockRepository, user: User, server: Server, ck_home: Path) -> None:
    server.give("/net.onnx", status(404))
    stock.fetched("net", server.url, "net.onnx")
    with pytest.raises(DownloadError):
        user.install("net")
    assert not [path for path in (ck_home / "CK-TOOLS").iterdir() if path.name[0] != "."]


def test_own_recipe_without_digest_is_still_rejected(user: User, server: Server) -> None:
    from ck_repo.store.writing import create_entry

    server.give("/net.onnx", whole(b"weights"))
    meta = {"tags": ["mine"], "install": [{"download": {"url": f"{server.url}/net.onnx"}}]}
    create_entry(Repositories().writable(), "package", "mine", meta)
    with pytest.raises(DownloadError, match="has no digest"):
        user.install("mine")
    branch = {"tags": ["branch"], "install": [{"git": {"url": "https://host.example/a", "checkout": "main"}}]}
    create_entry(Repositories().writable(), "package", "branch", branch)
    with pytest.raises(CKError, match="checkout is 'main', not a commit"):
        user.install("branch")


def test_env_entry_records_its_origin(stock: StockRepository, user: User, server: Server) -> None:
    server.give("/net.onnx", whole(b"weights"))
    stock.fetched("net", server.url, "net.onnx", tags="model,net")
    meta = user.install("model,net")
    kept = json.loads(Path(meta["path"], ".ck-install.json").read_text())
    assert (kept["component"]["repository"], kept["unverified"]) == ("stock", True)


def test_lock_overrides_current_branch(stock: StockRepository, user: User, upstream: Callable[..., Upstream]) -> None:
    project = upstream("project")
    project.commit("code.c", "first")
    locked = f"git+{project.path.as_uri()}@{project.git('rev-parse', 'HEAD')}"
    git_package(stock, project, "main")
    first = user.install("source", trust=True)["downloads"][0]
    shutil.rmtree(cache_root() / "pins")  # as on another machine
    project.commit("code.c", "second")
    vouched = Vouched("venv:there", {locked: first["sha256"]})
    choice = user.plan("source")
    assert isinstance(choice, InstalledPackage)
    fresh = NewPackage(need=choice.need, name=choice.name, key="0" * 64, tags=choice.tags, variant=choice.variant)
    meta: dict[str, Any] = write(Installer(Session(trust=True), None, vouched=vouched).install({"it": fresh})["it"])
    assert Path(meta["file"]).read_text() == "first"
    assert (meta["only_for"], meta["unverified"]) == ("venv:there", True)


@pytest.mark.parametrize("kind", ["file", "branch"])
def test_offline_is_respected(stock: StockRepository, user: User, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("CK_OFFLINE", "1")
    env = {"PACKAGE_GIT": "YES", "PACKAGE_WGET": "NO", "PACKAGE_GIT_CHECKOUT": "main"} if kind == "branch" else {}
    stock.fetched("net", "https://host.example/a", "net.onnx", env=env)
    with pytest.raises(OfflineError):
        user.install("net")


@pytest.mark.parametrize(
    "env",
    [
        {"PACKAGE_COPY": "YES", "PACKAGE_SUB_DIR1": "../../out"},
        {"PACKAGE_COPY": "YES", "PACKAGE_RENAME_DIR": "YES", "PACKAGE_RENAME_DIR1": "a", "PACKAGE_RENAME_DIR2": "../../out"},
        {"PACKAGE_COPY": "YES", "PACKAGE_RENAME_DIR": "YES", "PACKAGE_RENAME_DIR1": "../..", "PACKAGE_RENAME_DIR2": "out"},
    ],
)
def test_recipe_does_not_escape_its_folder(stock: StockRepository, user: User, ck_home: Path, env: dict[str, str]) -> None:
    stock.package("evil", env=env | {"PACKAGE_SKIP_LINUX_MAKE": "YES"}, files={"copy/a": "x"})
    with pytest.raises(CKError, match="leads out of"):
        user.install("evil")
    assert not (ck_home / "out").exists()
    assert not (ck_home / "CK-TOOLS" / "out").exists()


def test_link_in_entry_is_not_followed(stock: StockRepository, user: User, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    env = {"PACKAGE_COPY": "YES", "PACKAGE_SKIP_LINUX_MAKE": "YES"}
    folder = stock.package("evil", env=env, files={"copy/a": "x"})
    (folder / "copy/link").symlink_to(tmp_path / "secret")
    assert not Path(user.install("evil")["path"], "link").exists()
