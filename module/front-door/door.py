"""Decide which actions of stock CK the engine carries out, and pass the commands on.

Stock CK 2.6.4 loads this file by its path (through the `module.py` of each module), in its own Python, so it only uses the
standard library. The engine runs in a separate Python environment (`engine.py`).
"""

import json
import os
import re
import sys

from . import engine, handover, start

# Stock CK's own hooks for creating and copying entries are kept.
_KEPT = {"program": {"add", "cp", "copy"}, "package": {"add"}, "soft": {"add"}, "experiment": {"add"}, "dataset": {"add"}}
# Keys that identify an entry of stock CK; entries of this project have none of them.
_STOCK_KEYS = {
    "program": {"run_cmds", "process_in_tmp", "program"},
    "package": {"customize", "process_script", "soft_uoa"},
    "soft": {"customize", "auto_detect", "soft_name"},
    "env": {"setup", "soft_uoa"},
    "experiment": {"pipeline", "subview_uoa", "choices_order"},
}
_VERSION = re.compile(r"v?\d+(\.\d+)+([a-z]+\d*)?(\.post\d+|\.dev\d+)?")  # a tag that the engine interprets as a version


def opened(ck, module, folder):
    """Answer `--help` when stock CK has loaded a module, because stock CK would answer it before it calls the action."""
    call = _Call()
    asked = call.typed and call.depth == 1 and call.request.get("help") == "yes"
    if asked and call.request.get("action") in _actions(folder) and handover.checkout(ck):
        start.replace_process(ck)
    return {"return": 0}


def carry_out(ck, module, folder, request):
    """Carry out an action in the engine, or in stock CK's own module.

    Parameters
    ----------
    ck
        The kernel of stock CK.
    module
        The module's name.
    folder
        The folder of the module's entry.
    request
        The parsed request of stock CK, or the dictionary given to `ck.kernel.access`.

    Returns
    -------
    The answer as stock CK's dictionary. For a command line, the engine replaces this process.
    """
    call = _Call()
    if call.depth > 1 or not handover.checkout(ck) or not _is_for_engine(ck, module, folder, request, call.typed):
        return handover.pass_on(ck, module, folder, request)
    if call.typed:
        start.replace_process(ck)
    try:
        python = start.prepared(ck)
    except engine.EngineError as error:
        return {"return": error.code, "error": str(error)}
    return start.ask(ck, python, start.words(request), str(request.get("out", "")))


def stopped(ck):
    """Carry out a request that a module of stock CK started with an entry of this repository.

    This happens before the modules are in `local`. Programs, packages and soft detectors refer to `front-door:engine`, which
    stock CK looks up before it does anything.
    """
    call = _Call()
    module = str(call.request.get("module_uoa", ""))
    folder = os.path.join(handover.checkout(ck), "module", module)
    if os.path.isdir(folder) and _is_for_engine(ck, module, folder, call.request, call.typed):
        if call.typed:
            start.replace_process(ck)
        answer = opening(ck)
        return answer if answer["return"] > 0 else {"return": 1, "error": "the engine is set up now: repeat the command"}
    return {"return": 1, "error": f"only the engine of {handover.checkout(ck)} can do that: see docs/front-door.md there"}


def opening(ck):
    """Set up everything for the engine."""
    if not handover.checkout(ck):
        return {"return": 16, "error": f"the repository {handover.REPOSITORY} is not registered"}
    try:
        start.prepared(ck)
    except engine.EngineError as error:
        return {"return": error.code, "error": str(error)}
    return {"return": 0}


def closing(ck, out):
    """Undo it: stock CK's own modules are used again."""
    removed = engine.remove(handover.checkout(ck))
    modules = handover.give_back(ck)
    if out == "con":
        ck.out("stock CK answers again for %s" % (", ".join(modules) or "all of its modules"))
    return {"return": 0, "modules": modules, "removed": removed}


class _Call:
    """How the current action was called.

    Attributes
    ----------
    depth
        Number of nested actions of stock CK; more than one means that a module of stock CK is the caller.
    typed
        Whether it comes from the command line.
    request
        The request of the outermost action.
    """

    def __init__(self):
        self.depth, self.typed, self.request = 0, False, {}
        frame = sys._getframe(1)
        while frame:
            code = frame.f_code
            if code.co_filename.replace("\\", "/").endswith("ck/kernel.py"):
                if code.co_name == "perform_action":
                    self.depth += 1
                    self.request = frame.f_locals.get("i", {})
                elif code.co_name == "cli":
                    self.typed = True
            frame = frame.f_back


def _actions(folder):
    with open(os.path.join(folder, ".cm", "meta.json"), encoding="utf-8") as file:
        return json.load(file)["handed_over"]


def _is_for_engine(ck, module, folder, request, typed):
    """Whether the engine carries an action out, rather than stock CK's own module or kernel."""
    action = request["action"]
    if action not in _actions(folder):
        known = handover.stock_module(ck, module)
        return not (known or action in ck.cfg["common_actions"])  # the engine lists similar actions
    if not typed and action in ck.cfg["common_actions"]:
        return False  # programs that list or load entries get them in stock CK's form
    if action in _KEPT.get(module, ()):
        return not handover.stock_module(ck, module)
    return (action in ck.cfg["common_actions"] and module != "env") or not _only_stock_entries(ck, module, request)


def _only_stock_entries(ck, module, request):
    """Whether only stock CK's own module knows the requested entries: none of them belongs to this project."""
    marks = _STOCK_KEYS.get(module)
    tags, name = str(request.get("tags", "")), request.get("data_uoa", "")
    if not marks or "*" in name or not (tags or name) or (module in ("env", "experiment") and not name):
        return False
    if tags and not name and _is_own(ck, module, tags, request.get("repo_uoa", "")):
        return False
    if tags and module == "package":
        query = {"action": "search_in_variations", "module_uoa": "misc", "query_module_uoa": module, "tags": tags}
    else:
        query = {"action": "search", "module_uoa": module, "tags": tags, "add_meta": "yes", "common_func": "yes"}
    found = ck.access(dict(query, data_uoa=name, repo_uoa=request.get("repo_uoa", "")))
    metas = [each.get("meta", {}) for each in found.get("lst", [])]
    return bool(metas) and all(marks & set(meta) for meta in metas)


def _is_own(ck, module, tags, repository):
    """Whether an entry of this project has the tags.

    Versions among the tags are ignored: entries of this project take a version from the tags, while packages of stock CK list
    versions as variations.
    """
    own = ck.load_repo_info_from_cache({"repo_uoa": handover.REPOSITORY})
    if repository and repository not in (own.get("data_uoa"), own.get("data_uid")):
        return False
    wanted = {tag.strip() for tag in tags.split(",")} - {""}
    refused = {tag[1:] for tag in wanted if tag.startswith("-")}
    needed = {tag for tag in wanted if not tag.startswith("-") and not _VERSION.fullmatch(tag)}
    query = {"action": "search", "module_uoa": module, "repo_uoa": handover.REPOSITORY, "add_meta": "yes", "common_func": "yes"}
    metas = [each.get("meta", {}) for each in ck.access(query).get("lst", [])] if needed else []
    tags_of_each = [{*meta.get("tags", []), *meta.get("variations", {})} for meta in metas]
    return any(needed <= have and not refused & have for have in tags_of_each)
