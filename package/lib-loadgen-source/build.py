"""Build LoadGen's Python module from its source, for the Python that runs this.

The pybind11 submodule of the source is too old for today's Python versions, so the headers of the installed pybind11 are put
where the source looks for them. The source itself is not changed. `samples.h` is included before it and draws the samples as
the compilers of the published logs did.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11

_HEADERS = Path("third_party/pybind/include")  # beside the folder of LoadGen, as its setup.py has it
# today's compilers no longer bring these in with other headers, and the source names no such include
_FLAGS = f"-include cstdint -include limits -include {shlex.quote(str(Path(__file__).resolve().with_name('samples.h')))}"
_LEFT_BY_THE_BUILD = ("build", "generated", "*.egg-info")


def main() -> int:
    """Build what the first argument holds into the folder that the second names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder with LoadGen's setup.py")
    parser.add_argument("output", type=Path, help="folder for the module")
    arguments = parser.parse_args()
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "").split()[:1] or ["c++", "g++", "clang++"])):
        sys.exit("there is no C++ compiler here: install g++ or clang, or name one in CXX")
    build(arguments.source, arguments.output)
    return 0


def build(source: Path, output: Path) -> None:
    """Compile, install into `output`, and import what came out."""
    print(json.dumps({"progress": "compiling LoadGen", "done": 0, "total": None}), flush=True)
    headers = source.parent / _HEADERS
    shutil.copytree(pybind11.get_include(), headers, dirs_exist_ok=True)
    command = [
        sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--no-input", "--disable-pip-version-check",
        "--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--target", str(output), str(source),
    ]  # fmt: skip
    environment = os.environ | {"CXXFLAGS": f"{os.environ.get('CXXFLAGS', '')} {_FLAGS}".strip()}
    if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
        sys.exit("LoadGen cannot be built: what the compiler or pip says is above")
    shutil.rmtree(source.parent / _HEADERS.parts[0])
    for pattern in _LEFT_BY_THE_BUILD:
        for path in source.glob(pattern):
            shutil.rmtree(path)
    check = [sys.executable, "-B", "-c", "import mlperf_loadgen; mlperf_loadgen.TestSettings()"]
    if subprocess.run(check, env=os.environ | {"PYTHONPATH": str(output)}, stdin=subprocess.DEVNULL, check=False).returncode:
        sys.exit("LoadGen was built, and cannot be imported")


if __name__ == "__main__":
    sys.exit(main())
