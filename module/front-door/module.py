"""`ck open front-door` and `ck close front-door`: pass stock CK's commands to this repository's engine, or stop that."""

import sys
from importlib import util
from os.path import abspath, dirname, join

cfg, work, ck = {}, {}, None  # stock CK sets them


def _front_door():
    folder = dirname(abspath(__file__))
    spec = util.spec_from_file_location("front_door", join(folder, "__init__.py"), submodule_search_locations=[folder])
    sys.modules[spec.name] = package = util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


def init(i):
    """Nothing to prepare."""
    return {"return": 0}


def open(i):
    """Create the engine's environment and copy the modules to `local`."""
    return _front_door().opening(ck)


def find(i):
    """Stop a module of stock CK at an entry of this repository, which the engine handles."""
    return _front_door().stopped(ck)


def close(i):
    """Remove the modules from `local`, and the engine's environment."""
    return _front_door().closing(ck, i.get("out", ""))
