"""Translate the variables of stock CK's shared install scripts to our steps."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from itertools import count
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ck_repo.stock.scripts import OWN_STEPS

Step = dict[str, dict[str, object]]
_SYSTEM = "linux"  # name of this system in folder names of stock CK's repositories
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_FETCHED, _CLONED = ("http", "https", "file"), ("https", "file")


RUNS = "its recipe runs"  # prefix of the obstacles of recipes that run programs


class Obstacle(Exception):
    """Why our steps cannot replace a stock recipe."""


def runs(what: str) -> Obstacle:
    """The obstacle of a recipe that runs a program of its repository, which is not supported even with --trust."""
    return Obstacle(f"{RUNS} {what}")


def download_steps(env: Mapping[str, str], folder: Path) -> list[Step]:
    """The steps of the script download-and-install-package for these variables.

    Raises
    ------
    Obstacle
        If it runs or builds something.
    """
    _refuse_running(env, folder)
    steps: list[Step] = []
    if _yes(env, "PACKAGE_GIT"):
        steps.append(_git(env))
    elif _yes(env, "PACKAGE_WGET"):
        steps.append(_download(env, _joined(env, "PACKAGE_URL", "PACKAGE_NAME")))
    for number in count(1):
        if not env.get(f"PACKAGE_URL{number}"):
            break
        steps.append(_download(env, _joined(env, f"PACKAGE_URL{number}", f"PACKAGE_NAME{number}"), str(number)))
    if _yes(env, "PACKAGE_COPY"):
        names = [name for name in ("copy", f"copy.{_SYSTEM}") if (folder / name).is_dir()]
        steps += [{"copy": {"folder": name, "to": env.get("PACKAGE_SUB_DIR1", "")}} for name in names]
    if _yes(env, "PACKAGE_PATCH"):
        steps += _patches(env, folder)
    if _yes(env, "PACKAGE_RENAME_DIR"):
        steps.append({"move": {"file": env.get("PACKAGE_RENAME_DIR1", ""), "to": env.get("PACKAGE_RENAME_DIR2", "")}})
    if not steps:
        raise Obstacle("its recipe downloads and copies nothing")
    return steps


def detection_model_steps(env: Mapping[str, str], folder: Path, promised: str, labelmap: str) -> list[Step]:
    """The steps of the script install-package-tensorflowmodel-object-detection: weights, label map and pipeline in one folder.

    Parameters
    ----------
    promised
        The file that the package promises.
    labelmap
        Key of the dependency with the label map; empty if there is none.
    """
    url = _joined(env, "PACKAGE_URL", "PACKAGE_NAME")
    if _yes(env, "PACKAGE_UNZIP") and _yes(env, "PACKAGE_UNTAR"):
        steps: list[Step] = [{"download": _fetched(env, url) | {"unpack": True, "strip": 1}}]
    else:
        steps = [{"download": _fetched(env, url) | {"to": _file_name(url)}}]
    graph = env.get("FROZEN_GRAPH", "")
    if promised == "graph.pb" and graph not in ("", promised):
        steps.append({"move": {"file": graph, "to": promised}})
    if env.get("LABELMAP_FILE") and labelmap:
        steps.append({"copy": {"from": labelmap, "file": env["LABELMAP_FILE"]}})
    own = [env.get("PIPELINE_CONFIG", ""), "custom_hooks.py", "custom_tensorRT.py"]
    return steps + [{"copy": {"file": name}} for name in own if name and (folder / name).is_file()]


def mobilenet_steps(env: Mapping[str, str], shared: str) -> list[Step]:
    """The steps of the script install-package-tensorflowmodel-mobilenet-py: weights, and the modules that build the network.

    Parameters
    ----------
    shared
        The script's entry, relative to the root of the repository.
    """
    inside = any(env.get(f"PACKAGE_NAME_{kind}") for kind in ("V2_QUANT", "MOBILENET_V3", "EDGETPU"))
    fetched = _fetched(env, _joined(env, "PACKAGE_URL", "PACKAGE_NAME")) | {"unpack": True}
    names = _MODULES_OF_MOBILENET.get(env.get("MODEL_MOBILENET_VERSION", ""), ())
    modules: list[Step] = [{"copy": {"root": f"{shared}/{name}"}} for name in ("mobilenet-model.py", *names)]
    return [{"download": fetched | ({"strip": 1} if inside else {})}, *modules]


_MODULES_OF_MOBILENET = {
    "1": ("mobilenet_v1.py",),
    "2": ("mobilenet_v2.py", "mobilenet.py", "conv_blocks.py"),
    "3": ("mobilenet_v3.py", "mobilenet.py", "conv_blocks.py"),
}


def caffe_model_steps(env: Mapping[str, str]) -> list[Step]:
    """The steps of the scripts download-caffemodel and download-deephimodel: one file with its digest, or an archive."""
    url = _plain(env, "MODEL_URL")
    name = env.get("MODEL_FILE") or _file_name(url)
    algorithm = env.get("MODEL_HASH_CALCULATOR", "").removesuffix("sum")
    known = {algorithm: env["MODEL_HASH_REF"].lower()} if algorithm in _DIGESTS and env.get("MODEL_HASH_REF") else {}
    return [{"download": {"url": _checked(url), **known, **({"unpack": True} if env.get("MODEL_ARCHIVE") else {"to": name})}}]


_DIGESTS = ("sha256", "sha1", "md5")


def _yes(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").upper() == "YES"


def _refuse_running(env: Mapping[str, str], folder: Path) -> None:
    for name in OWN_STEPS:
        path = folder / f"scripts.{_SYSTEM}" / f"{name}.sh"
        if path.is_file():
            raise runs(f"a script of its own ({path.relative_to(folder)})")
    if env.get("SUBSTITUTE_ORIGINAL_PACKAGE_DIR"):
        raise runs("the scripts of another package")
    if _yes(env, "PACKAGE_RUN") or env.get("PACKAGE_RUN_EXTRA_LINUX"):
        raise runs("the program that it downloads")
    build = env.get("PACKAGE_BUILD_TYPE", "").lower()
    if build in ("cmake", "configure") or _yes(env, "PACKAGE_AUTOGEN"):
        raise Obstacle(f"its recipe builds source code ({build or 'autogen'})")
    if not _yes(env, "PACKAGE_SKIP_LINUX_MAKE"):
        raise Obstacle("its recipe builds source code (make)")
    if _yes(env, "PACKAGE_UN7ZIP"):
        raise Obstacle("its recipe unpacks a 7z archive, which is not supported")
    if env.get("PACKAGE_WGET_HEADER"):
        raise Obstacle("its publisher requires accepting a licence with a cookie")
    if _yes(env, "PACKAGE_GIT") and (
        _yes(env, "PACKAGE_GIT_SUBMODULES") or "--recursive" in env.get("PACKAGE_GIT_CLONE_FLAGS", "")
    ):
        raise Obstacle("its recipe clones git submodules, which is not supported")


def _download(env: Mapping[str, str], url: str, number: str = "") -> Step:
    fetched = _fetched(env, url, number)
    extra = shlex.split(env.get("PACKAGE_WGET_EXTRA", "")) if not number else []
    name = extra[extra.index("-O") + 1] if "-O" in extra[:-1] else _file_name(url)
    if any(_is_packed(env, flag, number, name) for flag in ("PACKAGE_UNZIP", "PACKAGE_UNTAR", "PACKAGE_UNXTAR")):
        strip = re.search(r"--strip(?:-components)?[= ](\d+)", env.get("PACKAGE_UNTAR_EXTRA", ""))
        return {"download": fetched | {"unpack": True} | ({"strip": int(strip[1])} if strip else {})}
    if any(_is_packed(env, flag, number, name) for flag in ("PACKAGE_UNGZIP", "PACKAGE_UNBZIP")):
        return {"download": fetched | {"decompress": True, "to": str(PurePosixPath(name).with_suffix(""))}}
    return {"download": fetched | {"to": name}}


def _is_packed(env: Mapping[str, str], flag: str, number: str, name: str) -> bool:
    """Whether a flag says that a file is packed.

    A flag with the number of the file is for that file; one without is for the first file, and for numbered files with a
    matching suffix.
    """
    if number and env.get(flag + number):
        return _yes(env, flag + number)
    return _yes(env, flag) and (not number or name.lower().endswith(_SUFFIXES[flag]))


_SUFFIXES = {
    "PACKAGE_UNZIP": (".zip",),
    "PACKAGE_UNTAR": (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"),
    "PACKAGE_UNXTAR": (".tar.xz", ".txz"),
    "PACKAGE_UNGZIP": (".gz",),
    "PACKAGE_UNBZIP": (".bz2",),
}


def _fetched(env: Mapping[str, str], url: str, number: str = "") -> dict[str, object]:
    known = {
        name: env[f"PACKAGE_{name.upper()}{number}"].lower() for name in _DIGESTS if env.get(f"PACKAGE_{name.upper()}{number}")
    }
    return {"url": url, **known}


def _git(env: Mapping[str, str]) -> Step:
    url = _plain(env, "PACKAGE_URL")
    if urlsplit(url).scheme not in _CLONED:
        raise Obstacle(f"its git repository {url} is not https or file")
    flags = shlex.split(env.get("PACKAGE_GIT_CLONE_FLAGS", ""))
    branch = flags[flags.index("-b") + 1] if "-b" in flags[:-1] else ""
    name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
    checkout = env.get("PACKAGE_GIT_CHECKOUT") or branch
    if checkout.startswith("-"):
        raise Obstacle(f"{checkout!r} is not the name of a commit, tag or branch")
    return {"git": {"url": url.rstrip("/"), "checkout": checkout, "to": env.get("PACKAGE_SUB_DIR") or name}}


def _patches(env: Mapping[str, str], folder: Path) -> list[Step]:
    if env.get("PACKAGE_PATCH_LIST"):
        raise Obstacle("its recipe chooses its patches by a shell expression")
    names = sorted(path.name for path in (folder / f"patch.{_SYSTEM}").glob("*") if path.is_file())
    return [{"patch": {"file": f"patch.{_SYSTEM}/{name}", "to": env.get("PACKAGE_SUB_DIR", "")}} for name in names]


def _joined(env: Mapping[str, str], url: str, name: str) -> str:
    base, last = _plain(env, url), _plain(env, name, needed=False)
    return _checked(f"{base.rstrip('/')}/{last}" if last else base)


def _checked(url: str) -> str:
    if urlsplit(url).scheme not in _FETCHED:
        raise Obstacle(f"its URL {url!r} is not https, http or file")
    return url


def _plain(env: Mapping[str, str], name: str, *, needed: bool = True) -> str:
    """A variable with references to others replaced."""
    text = _VARIABLE.sub(lambda match: env.get(match[1], match[0]), env.get(name, "").strip())
    if "$" in text:
        raise Obstacle(f"its {name} {text!r} refers to a variable that only an install script has")
    if needed and not text:
        raise Obstacle(f"its recipe has no {name}")
    return text


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
