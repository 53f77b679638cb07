"""Write the entries of `module/` from the engine's actions: ``python module/make_modules.py``. A test compares them."""

from __future__ import annotations

import json
from pathlib import Path

from ck_repo.actions import catalogue
from ck_repo.store.modules import module_uid, other_names

FOLDER = Path(__file__).parent
FRONT_DOOR = "front-door"
_MODULE_UID = module_uid("module")
_CODE = '''\
"""Loaded by stock CK for `ck <action> {name}`; `front-door` decides whether stock CK or the engine handles it."""

import sys
from importlib import util
from os.path import abspath, dirname, join

cfg, work, ck = {{}}, {{}}, None  # stock CK sets them


def _front_door():
    folder = join(dirname(dirname(abspath(__file__))), "front-door")
    spec = util.spec_from_file_location("front_door", join(folder, "__init__.py"), submodule_search_locations=[folder])
    sys.modules[spec.name] = package = util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


def init(i):
    """Answer `--help`, which stock CK would answer before it asks for an action."""
    return _front_door().opened(ck, i["data_uoa"], i["path"])


def __getattr__(action):
    """Any action of the module."""
    if action.startswith("__"):
        raise AttributeError(action)
    return lambda i: _front_door().carry_out(ck, work["self_module_uoa"], work["path"], i)
'''


def files() -> dict[str, str]:
    """The content of every file that is written, by its path in `module/`."""
    result: dict[str, str] = {}
    for module in catalogue.module_names():
        if module == "repo":
            continue  # pulling and registering is done by stock CK itself
        for name in (module, *other_names(module)):
            result |= _entry(name, _meta(module))
            result[f"{name}/module.py"] = _CODE.format(name=name)
    actions = {
        "close": "let stock CK handle its modules again",
        "find": "looked up by stock CK's modules for entries of this repository",
        "open": "let the engine handle the modules",
    }
    meta = {
        "actions": {name: {"desc": text} for name, text in actions.items()},
        "desc": "stock CK as a front end of the engine",
    }
    return result | _entry(FRONT_DOOR, meta)


def _meta(module: str) -> dict[str, object]:
    actions = {
        word: {"desc": row.summary}
        for name, row in catalogue.actions_of(module).items()
        for word in (name, *catalogue.spellings(name, module))
    }
    return {
        "actions": actions,
        "default_action_name": "unknown",  # the engine lists similar actions
        "desc": catalogue.module_summary(module),
        "entries_of": module_uid(module),  # the module of the entries, if this is another name of it
        "handed_over": sorted(actions),
    }


def _entry(name: str, meta: dict[str, object]) -> dict[str, str]:
    uid = module_uid(name)
    info = {"backup_data_uid": uid, "backup_module_uid": _MODULE_UID, "backup_module_uoa": "module", "data_name": name}
    found = {f"{name}/.cm/{file}.json": _json(content) for file, content in (("meta", meta), ("info", info))}
    return found | {f".cm/alias-a-{name}": uid + "\n", f".cm/alias-u-{uid}": name + "\n"}


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(text, encoding="utf-8")
