"""``python -m object_detection.datasets REQUEST ANSWER``: read and check a data set, or write it in COCO's format.

The request is a JSON object: ``format``, ``path`` and optionally ``annotations``, ``names`` and ``inside``; ``coco`` is the
file to write, ``"check": false`` opens no images, and with ``"digests": true`` the answer has their SHA-256. The answer is the
description of the data set, or ``error`` and ``hint``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from object_detection.datasets.check import check, located
from object_detection.datasets.formats import find
from object_detection.datasets.source import Request
from object_detection.errors import HarnessError


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out a request."""
    asked = Request.parse(request)
    try:
        source = find(request["format"], asked)
        digests = bool(request.get("digests"))
        found: Mapping[str, Any] = check(source, digests=digests) if request.get("check", True) else located(source)
        if request.get("coco"):
            source.truth.write_coco(Path(request["coco"]))
        return dict(found)
    except HarnessError as error:
        return {"error": error.what, "hint": error.hint}
    except OSError as error:
        return {"error": f"{error.filename or asked.path} cannot be read: {error.strerror}", "hint": ""}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(answer(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
