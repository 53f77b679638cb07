"""The front end: stock CK 2.6.4 passes its commands to this repository's engine."""

from .door import carry_out, closing, opened, opening, stopped

__all__ = ["carry_out", "closing", "opened", "opening", "stopped"]
