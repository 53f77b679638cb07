"""The shared install scripts of stock repositories, identified by their entries; and the effect of a package's own script."""

from __future__ import annotations

import re
from pathlib import Path

PIP, DOWNLOAD = "pip", "download"
DETECTION_MODEL, MOBILENET, CAFFE_MODEL = "detection-model", "mobilenet", "caffe-model"

# UID and alias of each entry whose script is replaced by our own steps; the scripts are never run
SHARED = {
    "cd9ccc74060b3d18": DOWNLOAD,
    "download-and-install-package": DOWNLOAD,
    "e8363e22e84dedba": PIP,
    "install-python-package": PIP,
    "e4d8d3d2c4c67902": PIP,
    "lib-python-scipy": PIP,
    "c412930408fb8271": DETECTION_MODEL,
    "install-package-tensorflowmodel-object-detection": DETECTION_MODEL,
    "6b1b2b254718b69a": MOBILENET,
    "install-package-tensorflowmodel-mobilenet-py": MOBILENET,
    "download-caffemodel": CAFFE_MODEL,
    "download-deephimodel": CAFFE_MODEL,
}
OWN_STEPS = ("pre-download", "install", "post-install", "post-install2")  # scripts that the shared download script calls

_PIP = re.compile(r"-m pip install (?P<words>.*PYTHON_PACKAGE_NAME.*)")
# commands around pip that do not affect the result
_AROUND_PIP = re.compile(
    r"(echo|export|mkdir|ln|rm|cd|if|then|else|fi|exit|return|\[)\b|\[|[A-Z_]+=|.*-m pip (uninstall|install --help)|.*\bgrep\b"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


def pip_script(path: Path) -> tuple[str, ...] | None:
    """The packages that a pip script installs in addition to ``PYTHON_PACKAGE_NAME``; None if it does anything else."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return None
    found: tuple[str, ...] | None = None
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if match := _PIP.search(line):
            found = (*(found or ()), *(word for word in match["words"].split() if _WORD.fullmatch(word)))
        elif not _AROUND_PIP.match(line):
            return None
    return found
