"""Read spec.json, the engine's request."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from object_detection.bounds import check_bounds
from object_detection.contract.record import FieldError, read
from object_detection.contract.spec import (
    EXACT,
    OPTIONS,
    VERSION,
    Built,
    Dataset,
    LoadGenSettings,
    Model,
    Preprocessed,
    Spec,
)
from object_detection.errors import HarnessError

__all__ = ["OPTIONS", "Built", "Dataset", "LoadGenSettings", "Model", "Preprocessed", "Spec", "read_spec"]


def read_spec(path: Path) -> Spec:
    """Read spec.json.

    Raises
    ------
    HarnessError
        If a value is missing, has the wrong type or is out of bounds; the message has the key.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content.get("version") != VERSION:
            raise HarnessError(f"{path} has version {content.get('version')}; this harness reads version {VERSION}")
        check_bounds(content, {each.name: each.metadata["bounds"] for each in OPTIONS if "bounds" in each.metadata})
        return replace(read(Spec, content, exact=EXACT), folder=path.parent)
    except FieldError as error:
        raise HarnessError(f"{path} is not a run's spec: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"{path} is not a run's spec: {type(error).__name__} {error}") from error
