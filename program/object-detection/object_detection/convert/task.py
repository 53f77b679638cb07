"""The arguments and errors of conversions."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from object_detection.errors import errors_as_command


@dataclass(frozen=True)
class Task:
    """A conversion.

    Attributes
    ----------
    source
        The model file.
    model
        The interface of the source: the `model` section of its package.
    output
        The folder to write into.
    """

    source: Path
    model: Mapping[str, Any]
    output: Path

    def write_interface(self, **changes: object) -> None:
        """Write how the interface of the result differs from that of the source."""
        (self.output / "model.json").write_text(json.dumps(changes, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main(convert: Callable[[Task], None]) -> None:
    """Run a conversion from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--model", type=json.loads, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    with errors_as_command():
        convert(Task(given.source, given.model, given.output))
