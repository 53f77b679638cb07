"""Stock CK's functions for files: JSON, YAML and text. Failures are answers with ``return`` and ``error``."""

from __future__ import annotations

import fnmatch
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from ck_repo.kernel.answer import Answer

_NOT_FOUND = 16
_SPECIAL = (".cm", ".git", ".svn")


def _answered(function: Callable[[Mapping[str, Any]], Answer]) -> Callable[[Mapping[str, Any]], Answer]:
    """An error with a file as an answer; 16 if it does not exist."""

    @wraps(function)
    def answer(i: Mapping[str, Any]) -> Answer:
        try:
            return {"return": 0, **function(i)}
        except FileNotFoundError as error:
            return {"return": _NOT_FOUND, "error": f"{function.__name__}: {error.filename} does not exist"}
        except (OSError, ValueError, TypeError, RecursionError) as error:
            return {"return": 1, "error": f"{function.__name__}: {type(error).__name__}: {error}"}
        except KeyError as error:
            return {"return": 1, "error": f"{function.__name__} needs the key {error}"}

    return answer


def _yes(i: Mapping[str, Any], key: str) -> bool:
    return str(i.get(key, "")).lower() == "yes"


@_answered
def load_json_file(i: Mapping[str, Any]) -> Answer:
    """Read ``json_file`` into ``dict``."""
    return {"dict": json.loads(Path(i["json_file"]).read_text(encoding="utf-8"))}


@_answered
def save_json_to_file(i: Mapping[str, Any]) -> Answer:
    """Write ``dict`` to ``json_file``, keys sorted with ``sort_keys``; ``safe`` omits values that are not JSON."""
    content = {key: value for key, value in i["dict"].items() if _is_json(value)} if _yes(i, "safe") else i["dict"]
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=_yes(i, "sort_keys"))
    Path(i["json_file"]).write_text(text + "\n", encoding="utf-8")
    return {}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


@_answered
def load_yaml_file(i: Mapping[str, Any]) -> Answer:
    """Read ``yaml_file`` into ``dict``."""
    import yaml

    try:
        return {"dict": yaml.safe_load(Path(i["yaml_file"]).read_text(encoding="utf-8"))}
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


@_answered
def save_yaml_to_file(i: Mapping[str, Any]) -> Answer:
    """Write ``dict`` to ``yaml_file``."""
    import yaml

    try:
        Path(i["yaml_file"]).write_text(yaml.safe_dump(i["dict"], allow_unicode=True), encoding="utf-8")
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    return {}


@_answered
def load_text_file(i: Mapping[str, Any]) -> Answer:
    """Read ``text_file``: ``bin``, and unless ``keep_as_bin`` ``string``, with ``split_to_list`` ``lst``.

    With ``convert_to_dict`` also ``dict``: of each line the text before and after the first ``str_split`` (default: a colon),
    with ``remove_quotes`` without surrounding quotes.
    """
    path = Path(i["text_file"])
    content = path.read_bytes()
    found: Answer = {"bin": content}
    if not _yes(i, "keep_as_bin"):
        text = content.decode(i.get("encoding") or "utf-8").replace("\r", "")
        found["string"] = text
        if _yes(i, "split_to_list") or _yes(i, "convert_to_dict"):
            found["lst"] = text.split("\n")
        if _yes(i, "convert_to_dict"):
            found["dict"] = _pairs(found["lst"], i.get("str_split") or ":", quotes=not _yes(i, "remove_quotes"))
    if _yes(i, "delete_after_read"):
        path.unlink()
    return found


def _pairs(lines: list[str], separator: str, *, quotes: bool) -> dict[str, str]:
    pairs = (line.strip().partition(separator) for line in lines if line.strip().find(separator) > 0)
    values = {key.strip(): value.strip() for key, _, value in pairs}
    return values if quotes else {key: value.removeprefix('"').removesuffix('"') for key, value in values.items()}


@_answered
def save_text_file(i: Mapping[str, Any]) -> Answer:
    """Write ``string`` to ``text_file`` without carriage returns; ``append`` adds it at the end."""
    text = i["string"] if isinstance(i["string"], str) else bytes(i["string"]).decode("utf-8")
    with open(i["text_file"], "a" if _yes(i, "append") else "w", encoding="utf-8", newline="") as file:
        file.write(text.replace("\r", ""))
    return {}


@_answered
def gen_tmp_file(i: Mapping[str, Any]) -> Answer:
    """A name for a temporary file, with ``prefix`` and ``suffix``; with ``remove_dir`` without its folder."""
    file, name = tempfile.mkstemp(suffix=i.get("suffix", ""), prefix=i.get("prefix", ""))
    os.close(file)
    os.remove(name)
    return {"file_name": os.path.basename(name) if _yes(i, "remove_dir") else name}


@_answered
def list_all_files(i: Mapping[str, Any]) -> Answer:
    """The files below ``path`` as ``list``, by their names relative to it, with their ``size`` in bytes.

    ``pattern`` filters names, ``limit`` is their maximum number; ``all`` includes files in .cm, .git and .svn.
    """
    root = Path(i["path"])
    if not root.is_dir():
        raise FileNotFoundError(2, "folder not found", str(root))
    everything = _yes(i, "all")
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if everything or name not in _SPECIAL)
        for name in fnmatch.filter(sorted(files), i.get("pattern") or "*"):
            path = Path(folder, name)
            if path.is_file():
                found[str(path.relative_to(root))] = {"size": path.stat().st_size}
    limit = int(i["limit"]) if str(i.get("limit", "")) not in ("", "-1") else None
    chosen = dict(list(found.items())[:limit])
    return {"list": chosen, "number": str(len(chosen))}
