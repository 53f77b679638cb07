"""Start the engine: instead of stock CK's process, or as a child process for programs that need the answer."""

import json
import os
import subprocess
import sys
import tempfile

from . import engine, handover

# Keys of a request that are not options.
_NOT_OPTIONS = {"action", "cid", "cids", "xcids", "module_uoa", "data_uoa", "repo_uoa", "out", "unparsed", "con_encoding"}


def prepared(ck):
    """The engine's Python, after everything is set up."""
    python = engine.python(handover.checkout(ck))
    handover.take_over(ck)
    return python


def words(request):
    """The command line of a request, for the engine.

    >>> words({"action": "run", "module_uoa": "program", "data_uoa": "object-detection", "count": 4, "env": {"A": "1"}})
    ['run', 'program:object-detection', '--count=4', '@@@{"env": {"A": "1"}}']
    """
    target = ":".join(filter(None, [request.get("module_uoa", ""), request.get("data_uoa", "")]))
    options, nested = [], {}
    if request.get("repo_uoa"):
        if request.get("data_uoa"):
            target = request["repo_uoa"] + ":" + target
        else:
            options.append("--repo_uoa=" + request["repo_uoa"])
    for key, value in request.items():
        if key in _NOT_OPTIONS:
            continue
        if isinstance(value, (dict, list)):
            nested[key] = value
        else:
            text = ("yes" if value else "no") if isinstance(value, bool) else value
            options.append(f"--{key}={text}")
    if nested:
        options.append("@@@" + json.dumps(nested))
    rest = request.get("unparsed") or []
    return [request["action"], target, *request.get("cids", []), *options, *(["--", *rest] if rest else [])]


def replace_process(ck):
    """Replace this process by the engine, with the words as typed."""
    typed = sys.argv[1:]
    try:
        python = prepared(ck)
    except engine.EngineError as error:
        if "--out=json" in typed:
            print(json.dumps({"return": error.code, "error": str(error)}))
        print(f"ck: error: {error}", file=sys.stderr)
        sys.exit(error.code)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(python[0], [*python, "-m", "ck_repo", *typed])


def ask(ck, python, typed, out):
    """Run the engine for a program: its output is printed, and its answer is returned."""
    position = typed.index("--") if "--" in typed else len(typed)
    form = "--out=con" if out == "con" else "--out=none"
    command = [*python, "-m", "ck_repo", *typed[:position], form, *typed[position:]]
    with tempfile.TemporaryDirectory() as folder:
        file_name = os.path.join(folder, "answer.json")
        done = subprocess.run(
            command,
            env=dict(os.environ, CK_ANSWER_FILE=file_name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if out == "con" else subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if done.stdout:
            ck.out(done.stdout.rstrip("\n"))
        try:
            with open(file_name, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return {"return": done.returncode or 1, "error": f"the engine ended with status {done.returncode}"}
