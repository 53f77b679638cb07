"""Entries of `local:module` with which this repository replaces modules of stock CK.

Stock CK searches modules in the repository `local`, then inside its package, then in the others. Its package has modules
`program`, `package`, `soft`, `env` …, so those of this repository would never be used. The first command that reaches the
engine therefore copies them to `local` and reports it. They return requests that are not for the engine to stock CK, and all of
them if this repository is no longer registered.
"""

import json
import os
import shutil
import sys
import tempfile

from .engine import EngineError, Lock

REPOSITORY = "4b0c8a3d5e6f7a91"  # UID of this repository, as in .ckr.json
_MODULE_UID = "032630d041b4fd8a"  # of the module `module`, in every CK
_OWNER = "front_door"  # key of the entries that were created here
_META = os.path.join(".cm", "meta.json")
_CODE = "front-door"


def checkout(ck):
    """The folder of this repository; empty if it is not registered or does not exist."""
    found = ck.find_path_to_repo({"repo_uoa": REPOSITORY})
    path = found.get("path", "")
    return os.path.realpath(path) if found["return"] == 0 and os.path.isfile(os.path.join(path, "setup.py")) else ""


def take_over(ck):
    """Copy this repository's modules to `local`, if they are missing or outdated."""
    root = os.path.join(ck.work["dir_local_repo"], "module")
    if not _outdated(ck, root):
        return
    new = []
    try:
        os.makedirs(root, exist_ok=True)
        with Lock(os.path.join(root, ".front-door.lock")):
            for name, source, meta in _outdated(ck, root):  # another process may have copied them first
                if name != _CODE and not os.path.isdir(os.path.join(root, name)):
                    new.append(name)
                _write(root, name, meta, source)
    except OSError as error:
        raise EngineError(f"{error.filename or root} cannot be written: {error.strerror}") from None
    if new:
        print(f"ck: the engine now handles {', '.join(new)} (`ck close front-door` undoes it)", file=sys.stderr)


def _outdated(ck, root):
    """The modules to copy: the name, the folder here and the meta there of each."""
    sources, found = os.path.join(checkout(ck), "module"), []
    for name in [_CODE, *names(sources)]:
        source, folder = os.path.join(sources, name), os.path.join(root, name)
        present = _read(os.path.join(folder, _META))
        if os.path.isdir(folder) and _OWNER not in present:
            continue  # the user's own module of that name
        meta = _meta(ck, sources, name)
        if meta != present or not _same_files(source, folder):
            found.append((name, source, meta))
    return found


def give_back(ck):
    """Remove the entries again; return the names of their modules."""
    root = os.path.join(ck.work["dir_local_repo"], "module")
    gone = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        meta = _read(os.path.join(root, name, _META))
        if _OWNER in meta:
            shutil.rmtree(os.path.join(root, name))
            for alias in ("alias-a-" + name, "alias-u-" + meta[_OWNER]):
                path = os.path.join(root, ".cm", alias)
                if os.path.exists(path):
                    os.remove(path)
            gone.append(name)
    return [name for name in gone if name != _CODE]


def names(source):
    """The modules that this repository handles."""
    return sorted(name for name in os.listdir(source) if "handed_over" in _read(os.path.join(source, name, _META)))


def stock_module(ck, name):
    """The folder and meta of another module of that name; None if there is none."""
    ck.reload_repo_cache({})
    for repository in [*ck.paths_repos, *ck.paths_repos_all]:
        found = ck.find_path_to_entry({"path": os.path.join(repository["path"], "module"), "data_uoa": name})
        if found["return"] == 0:
            meta = _read(os.path.join(found["path"], _META))
            if "handed_over" not in meta:
                return found["path"], found["data_uid"], meta
    return None


def pass_on(ck, name, folder, request):
    """Let stock CK's own module, or its kernel, carry an action out."""
    action = request["action"]
    found = stock_module(ck, name)
    if found and action in found[2].get("actions", {}):
        folder, uid, meta = found
        loaded = ck.load_module_from_path({"path": folder, "module_code_name": "module", "cfg": meta, "data_uoa": name})
        if loaded["return"] > 0:
            return loaded
        code = loaded["code"]
        code.work.update(self_module_uid=uid, self_module_uoa=name, self_module_alias=name, path=folder)
        return getattr(code, meta.get("actions_redirect", {}).get(action) or action)(request)
    if action in ck.cfg["common_actions"]:
        if request.get("module_uoa") == name:  # the UID finds the module's entries under either of its names
            request["module_uoa"] = _read(os.path.join(folder, _META)).get("entries_of", name)
        return getattr(ck, ck.cfg["actions_redirect"].get(action) or action)(request)
    error = f'action "{action}" not found in module "{name}"'
    if not checkout(ck):
        error += f"; its repository is not registered any more: pull it again, or `ck rm local:module:{name}`"
    return {"return": 1, "error": error}


def _meta(ck, source, name):
    """The meta of an entry in `local`: this repository's, with the actions of stock CK's own module."""
    own = _read(os.path.join(source, name, _META))
    found = stock_module(ck, name) if name != _CODE else None
    theirs = found[2] if found else {}
    meta = {key: value for key, value in theirs.items() if key not in ("actions_redirect", "module_name", "module_version")}
    meta.update(own)
    meta["actions"] = dict(theirs.get("actions", {}), **own["actions"])
    meta[_OWNER] = _read(os.path.join(source, name, ".cm", "info.json"))["backup_data_uid"]
    return meta


def _same_files(one, other):
    def content(folder):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py"):
                with open(os.path.join(folder, name), "rb") as file:
                    yield name, file.read()

    return os.path.isdir(other) and list(content(one)) == list(content(other))


def _write(root, name, meta, source):
    """Write an entry under a temporary name and rename it; its alias files are written last."""
    aliases = os.path.join(root, ".cm")
    os.makedirs(aliases, exist_ok=True)
    _alias(os.path.join(os.path.dirname(root), ".cm"), "module", _MODULE_UID)
    beside = tempfile.mkdtemp(prefix=".new-", dir=root)
    os.chmod(beside, 0o755)
    for file_name in os.listdir(source):
        if file_name.endswith(".py"):
            shutil.copy2(os.path.join(source, file_name), beside)
    shutil.copytree(os.path.join(source, ".cm"), os.path.join(beside, ".cm"))
    with open(os.path.join(beside, _META), "w", encoding="utf-8") as file:
        json.dump(meta, file, indent=2, sort_keys=True)
    place = os.path.join(root, name)
    shutil.rmtree(place, ignore_errors=True)
    os.rename(beside, place)
    _alias(aliases, name, meta[_OWNER])


def _alias(folder, name, uid):
    os.makedirs(folder, exist_ok=True)
    for file_name, content in (("alias-a-" + name, uid), ("alias-u-" + uid, name)):
        with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
            file.write(content + "\n")


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}
