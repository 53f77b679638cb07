"""A stock package's meta, converted: variations, versions, dependencies, and why it cannot be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from stock_repositories import PIP, StockRepository

from ck_repo.errors import CKError, ConfigError, NotFoundError
from ck_repo.machine.survey import survey
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.plan import PythonPackage
from ck_repo.resolve.variations import Variant, choose
from ck_repo.session import Session
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load

if TYPE_CHECKING:
    from unit.stock.conftest import User

FETCH = {
    "PACKAGE_URL": "https://host.example/models",
    "PACKAGE_NAME": "net",
    "PACKAGE_WGET": "YES",
    "PACKAGE_SKIP_LINUX_MAKE": "YES",
}


def component(alias: str) -> Component:
    return read_component(load(Repositories(), "package", alias))


def chosen(alias: str, *tags: str) -> Variant:
    variant = choose(component(alias), tags)
    assert isinstance(variant, Variant), variant
    return variant


def url(variant: Variant) -> str:
    (step,) = variant.component.fields(variant.chosen).rows("install")
    return step.fields("download").needed("url")


def test_variation_changes_script_arguments(stock: StockRepository) -> None:
    variations = {
        "from-host": {"on_by_default": "yes"},
        "from-mirror": {"extra_env": {"PACKAGE_URL": "https://mirror.example/"}, "extra_tags": "near,fast"},
        "second": {
            "extra_customize": {"version": "2"},
            "extra_env": {"*PACKAGE_NAME": "net-$<<PACKAGE_URL>>$"},
            "comment": "x",
        },
    }
    stock.package("net", env=FETCH, variations=variations, customize={"version": "1"})
    assert url(chosen("net")) == "https://host.example/models/net"
    near = chosen("net", "near")
    assert (url(near), near.chosen, near.version) == ("https://mirror.example/net", ("from-host", "from-mirror"), "1")
    assert "fast" in near.tags
    assert chosen("net", "second").version == "2"


def test_default_yields_and_contradictions_are_rejected(stock: StockRepository) -> None:
    rows = {name: {"extra_env": {"PACKAGE_NAME": name}, "on_by_default": "yes" if name == "a" else "no"} for name in "abc"}
    stock.package("net", env=FETCH, variations=rows)
    assert chosen("net").chosen == ("a",)
    assert chosen("net", "b").chosen == ("b",)
    why = choose(component("net"), ("b", "c"))
    assert isinstance(why, str)
    assert "b and c exclude each other: both set PACKAGE_NAME" in why


def test_first_supported_variation_is_the_default(stock: StockRepository) -> None:
    env = {name: value for name, value in FETCH.items() if name != "PACKAGE_URL"}
    rows = {
        "old": {"extra_env": {"PACKAGE_URL": "ftp://host.example"}},
        "new": {"extra_env": {"PACKAGE_URL": "https://host.example"}},
    }
    stock.package("net", env=env, variations=rows)
    assert chosen("net").chosen == ("new",)
    assert "not https, http or file" in chosen("net", "old").obstacle


def test_supported_combinations_give_the_default(stock: StockRepository) -> None:
    rows = {name: {"extra_env": {f"_{name}": "1"}} for name in "abc"}
    stock.package("net", env=FETCH, variations=rows, supported_variation_combinations=[["a", "c"], ["b"]])
    assert chosen("net").chosen == ("a", "c")


def test_package_index_package_with_versions(stock: StockRepository, user: User) -> None:
    rows: dict[str, Any] = {name: {"extra_env": {"PACKAGE_VERSION": name}} for name in ("1.6.0", "1.8.1")}
    rows |= {"latest": {"on_by_default": "yes"}}
    env = {"PYTHON_PACKAGE_NAME": "their-runtime", "PIP_INSTALL_OPTIONS": "--ignore-installed"}
    deps = {
        "python": {"local": "yes", "tags": "compiler,python"},
        "numpy": {"tags": "lib,python-package,numpy", "version_from": [1, 16]},
        "cuda": {"tags": "lib,cudnn"},
    }
    stock.package("lib-their-runtime", PIP, env=env, tags="lib,python-package,their-runtime", deps=deps, variations=rows)
    found = component("lib-their-runtime")
    assert (set(found.versions), set(found.variations)) == ({"1.6.0", "1.8.1"}, {"latest"})
    choice = user.plan("lib,python-package,their-runtime,1.6.0")
    assert isinstance(choice, PythonPackage)
    assert choice.requirement == "their-runtime==1.6.0"
    variant = chosen("lib-their-runtime")
    assert [(row.key, row.version) for row in variant.deps] == [("numpy", ">=1.16")]
    assert any("cudnn" in text for text in found.translation(variant.chosen).remarks)


def test_conditional_dependencies(stock: StockRepository) -> None:
    deps = {
        "if": {"tags": "a", "enable_if_env": [{"KIND": ["x", "y"]}]},
        "unless": {"tags": "b", "disable_if_env": {"KIND": "x"}, "no_tags": "old"},
        "windows": {"tags": "c", "only_for_host_os_tags": ["windows"]},
        "more": {"tags": "d", "update_tags_if_env": {"extra": [{"KIND": ["x"]}]}, "version_to": [2]},
        "tool": {"tags": "compiler,lang-cpp"},
    }
    stock.package(
        "net", env=FETCH, deps=deps, variations={"x": {"extra_env": {"KIND": "x"}, "extra_deps": {"own": {"tags": "e"}}}}
    )
    assert {row.key: row.tags for row in chosen("net").deps} == {"unless": ("b", "-old"), "more": ("d",)}
    with_x = {row.key: (row.tags, row.version) for row in chosen("net", "x").deps}
    assert with_x == {"if": (("a",), ""), "more": (("d", "extra"), "<=2"), "own": (("e",), "")}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"script": ""}, r"runs a script of its own \(install.sh\)"),
        ({"script": "1" * 16}, r"runs a script of its repository \(1111"),
        ({"files": {"custom.py": "def setup(i): pass"}}, r"runs Python code of its repository"),
        ({"use_preprocess_scripts_from_another_entry": {"data_uoa": "1" * 16}}, "runs Python code of its repository"),
        ({"files": {"scripts.linux/post-install.sh": "make"}}, r"scripts.linux/post-install.sh"),
        ({"env": FETCH | {"PACKAGE_SKIP_LINUX_MAKE": "NO"}}, r"builds source code \(make\)"),
        ({"env": FETCH | {"PACKAGE_BUILD_TYPE": "cmake"}}, r"builds source code \(cmake\)"),
        ({"env": FETCH | {"PACKAGE_RUN": "YES"}}, "runs the program that it downloads"),
        ({"env": FETCH | {"PACKAGE_URL": "ftp://host.example"}}, "not https, http or file"),
        ({"env": FETCH | {"PACKAGE_NAME": "${ELSEWHERE}.tar"}}, "refers to a variable"),
        ({"env": FETCH | {"PACKAGE_GIT": "YES", "PACKAGE_URL": "http://host.example/a"}}, "not https or file"),
        ({"env": FETCH | {"PACKAGE_GIT": "YES", "PACKAGE_GIT_SUBMODULES": "YES"}}, "submodules"),
        ({"env": FETCH | {"PACKAGE_WGET": "NO"}}, "downloads and copies nothing"),
        ({"env": FETCH | {"PACKAGE_WGET_EXTRA": '-O "open'}}, "cannot be read"),
        ({"only_for_target_os_tags": ["windows"]}, "for other systems"),
        ({"script": PIP, "env": {"PYTHON_PACKAGE_NAME": "/opt/a.whl"}}, "not the name of a Python package"),
        ({"script": PIP, "env": {}}, "has no Python package"),
    ],
)
def test_unsupported_package_is_rejected_with_reason(
    stock: StockRepository, user: User, more: dict[str, Any], why: str
) -> None:
    stock.package("net", **{"env": FETCH, **more})
    with pytest.raises(NotFoundError, match=f"stock:package:net: .*{why}.*cannot be installed"):
        user.plan("net")


def test_pip_only_script_is_understood(stock: StockRepository, user: User) -> None:
    lines = [
        "#! /bin/bash", 'echo "hi"', "${PY} -m pip install shim ${PYTHON_PACKAGE_NAME} --prefix=${SITE}",
        'if [ "${?}" != "0" ]; then', "exit 1", "fi", "",
    ]  # fmt: skip
    script = "\n".join(lines)
    env = {"PYTHON_PACKAGE_NAME": "theirs"}
    stock.package("only-pip", "", env=env, files={"install.sh": script})
    stock.package("and-more", "", env=env, files={"install.sh": script + "make\n"})
    choice = user.plan("only-pip")
    assert isinstance(choice, PythonPackage)
    assert choice.requirement == "theirs"
    assert "also installs shim" in component("only-pip").translation().remarks[0]
    with pytest.raises(NotFoundError):
        user.plan("and-more")


def test_error_names_our_equivalent_package(stock: StockRepository, user: User) -> None:
    tags = "object-detection,dataset,coco,2017,val,full,original,jpg,coco-format"
    stock.package("their-coco", "", env={}, tags=tags)
    with pytest.raises(NotFoundError) as caught:
        user.plan("their-coco")
    assert "ck install package:dataset-coco-2017-val" in caught.value.hint


def test_unsupported_package_is_never_selected(stock: StockRepository, user: User) -> None:
    stock.package("blocked", "", tags="net")
    stock.package("good", env=FETCH, tags="net,and,more,tags")
    choice = user.plan("net")
    assert choice.name == "good"


def test_self_dependent_package_is_an_error(stock: StockRepository, user: User) -> None:
    stock.package("itself", env=FETCH, tags="net", deps={"self": {"tags": "net"}})
    with pytest.raises(CKError, match=r"circular dependencies: itself → itself"):
        user.plan("net")


def error_of(alias: str, *choices: tuple[str, ...]) -> str:
    """Why a package cannot be read, for each selection of tags; empty if it can."""
    try:
        found = component(alias)
    except ConfigError as error:
        return error.what
    for tags in choices or ((),):
        variant = choose(found, tags)
        assert isinstance(variant, Variant)
        assert isinstance(variant.obstacle, str)
        assert isinstance(variant.deps, tuple)
    return ""


@pytest.mark.parametrize("value", [5, "text", ["list"], {"a": 5}, {"a": {"b": 5}}, None, True, [5], {"a": [5]}])
@pytest.mark.parametrize(
    "key",
    [
        "customize", "install_env", "deps", "variations", "tags", "end_full_path", "end_full_path_universal", "soft_uoa",
        "process_script", "use_scripts_from_another_entry", "use_preprocess_scripts_from_another_entry",
        "only_for_host_os_tags", "supported_variation_combinations", "name", "version", "suggested_path",
    ],
)  # fmt: skip
def test_value_of_wrong_type_is_an_error_or_harmless(stock: StockRepository, key: str, value: Any) -> None:
    folder = stock.package("net", env=FETCH, **({key: value} if key not in ("customize", "install_env", "tags") else {}))
    if key in ("customize", "install_env", "tags"):
        content: dict[str, Any] = {"tags": ["net"], "customize": {"install_env": FETCH}, "process_script": "install"}
        content |= {key: value} if key != "install_env" else {"customize": {"install_env": value}}
        folder = stock.entry("package", "net", content)
    message = error_of("net")
    assert not message or str(folder / ".cm/meta.json") in message
    survey(Session())


@pytest.mark.parametrize(
    "key", ["extra_env", "extra_customize", "extra_tags", "extra_deps", "on_by_default", "version", "strange"]
)
@pytest.mark.parametrize("value", [5, "text", ["list"], {"a": {"b": []}}, None])
def test_variation_value_of_wrong_type(stock: StockRepository, key: str, value: Any) -> None:
    folder = stock.package("net", env=FETCH, variations={"v": {key: value}})
    message = error_of("net", (), ("v",))
    assert not message or str(folder / ".cm/meta.json") in message
    if key == "strange":
        assert component("net").remarks == ("variation v: the key strange is ignored",)
