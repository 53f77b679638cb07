"""The type of what stock CK's functions return."""

from __future__ import annotations

from typing import Any

Answer = dict[str, Any]  # with the key ``return``, which is 0, or the status of an error with the text ``error``
