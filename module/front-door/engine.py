"""The engine's Python environment: created on first use, and again when the engine's dependencies change.

The engine itself runs from the checkout that stock CK pulled, so `ck pull` updates it; the environment has the packages in
`pyproject.toml`, and the path of the checkout.
"""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys

_OLDEST = (3, 10)
_TAIL = 15  # lines of pip's log in an error
_MARK = "complete"  # written last: an environment without it is created again
_LONGEST_WAIT = 900  # s, for pip


class EngineError(Exception):
    """The engine's environment cannot be created."""

    code = 6


def python(checkout):
    """The command that starts the engine's Python; the environment is created if necessary."""
    folder = os.path.join(_home(), _key(checkout))
    if not _is_complete(folder, checkout):
        _make(folder, checkout)
    return [os.path.join(folder, "bin", "python"), "-I"]


def remove(checkout):
    """Remove every environment of a checkout; return their folders."""
    home, gone = _home(), []
    for name in os.listdir(home) if os.path.isdir(home) else []:
        path = os.path.join(home, name)
        if _made_for(path) == checkout:
            shutil.rmtree(path, ignore_errors=True)
            gone.append(path)
    return gone


def requirements(checkout):
    """The engine's dependencies: `dependencies` in pyproject.toml.

    Python 3.10 has no TOML parser. The array has one string in each line, which is also a Python literal.
    """
    path = os.path.join(checkout, "pyproject.toml")
    with open(path, encoding="utf-8") as file:
        found = re.search(r"^dependencies = (\[$.*?^\])$", file.read(), re.MULTILINE | re.DOTALL)
    if not found:
        raise EngineError(
            f"{path} has no list `dependencies` that starts and ends on lines of its own; pull the repository again"
        )
    return ast.literal_eval(found.group(1))


def _home():
    tools = os.environ.get("CK_TOOLS") or os.path.join("~", "CK-TOOLS")
    return os.path.join(os.path.abspath(os.path.expanduser(tools)), "front-door")


def _key(checkout):
    said = "\n".join([checkout, os.path.basename(_base_python()), *requirements(checkout)])
    return hashlib.sha256(said.encode("utf-8")).hexdigest()[:16]


def _base_python():
    """A Python for the engine: that of this process if it is new enough, else the first in PATH."""
    if sys.version_info >= _OLDEST:
        base = os.path.join(sys.base_prefix, "bin", _python_name())  # not that of a venv, which may be removed
        return base if os.path.exists(base) else sys.executable
    for minor in range(13, _OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise EngineError(
        f"the engine needs Python {_OLDEST[0]}.{_OLDEST[1]} or newer, and this is {sys.version.split()[0]}\n"
        + "install one in PATH (for example python3.11), and try again"
    )


def _python_name():
    return f"python{sys.version_info[0]}.{sys.version_info[1]}"


def _make(folder, checkout):
    """Create the environment in its place, because environments cannot be moved."""
    os.makedirs(_home(), exist_ok=True)
    with Lock(folder + ".lock"):
        if _is_complete(folder, checkout):
            return  # another process created it first
        print(f"ck: creating a Python environment for the engine in {folder} (once)", file=sys.stderr)
        sys.stderr.flush()
        shutil.rmtree(folder, ignore_errors=True)
        log = folder + ".log"
        inside = os.path.join(folder, "bin", "python")
        _step([_base_python(), "-m", "venv", folder], log, "install the `venv` module of this Python (python3-venv)")
        pip = [inside, "-m", "pip", "--disable-pip-version-check", "install", *requirements(checkout)]
        _step(
            pip, log, "pip needs a package index or a folder of wheels: set PIP_INDEX_URL, or PIP_FIND_LINKS and PIP_NO_INDEX=1"
        )
        _point_to(checkout, inside, folder)


def _step(command, log, hint):
    with open(log, "ab") as file:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=_LONGEST_WAIT, check=False
            )
            status = f"ended with status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            status = f"took longer than {_LONGEST_WAIT} s"
    if status:
        with open(log, encoding="utf-8", errors="replace") as file:
            tail = file.read().splitlines()[-_TAIL:]
        raise EngineError(
            "the engine's environment cannot be created: `{}` {}\nthe log ends with:\n  ".format(" ".join(command[:4]), status)
            + "\n  ".join(tail)
            + f"\ncomplete log: {log}\n{hint}"
        )


def _point_to(checkout, inside, folder):
    ask = [inside, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(ask, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    with open(os.path.join(packages, "checkout.pth"), "w", encoding="utf-8") as file:
        file.write(checkout + "\n")
    with open(os.path.join(folder, _MARK), "w", encoding="utf-8") as file:
        file.write(checkout + "\n")


def _is_complete(folder, checkout):
    return _made_for(folder) == checkout and os.path.exists(os.path.join(folder, "bin", "python"))


def _made_for(folder):
    """The checkout of a complete environment; empty otherwise."""
    try:
        with open(os.path.join(folder, _MARK), encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


class Lock:
    """A lock across processes, which ends with its holder."""

    def __init__(self, path):
        self._path = path

    def __enter__(self):
        import fcntl

        self._file = open(self._path, "w", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *error):
        self._file.close()
