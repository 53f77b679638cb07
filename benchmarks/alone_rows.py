"""What the harness itself costs, without a framework: the rows that alone.py measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = tuple[str, Callable[[], tuple[str, str]]]


def alone_rows(in_venv: Callable[..., dict[str, Any]], quick: bool) -> list[Row]:
    """Names of rows, and what measures each.

    Parameters
    ----------
    in_venv
        Runs a script of this folder in the venv of the benchmark; returns what it prints.
    quick
        Whether one short round is enough.
    """
    pairs, samples = (1, 2_000) if quick else (9, 20_000)

    def trace() -> tuple[str, str]:
        """The share of a core that LoadGen's trace takes where runs are traced at most, and of a SingleStream query's time."""
        found = in_venv("alone.py", "trace", pairs, samples)
        maximum = found["most"]
        shares = {key: found[key]["cpu"] * maximum / 1e6 for key in ("offline", "singlestream")}
        late = found["singlestream"]["latency"] * maximum / 1e6
        text = (
            f"Offline {found['offline']['cpu']:.1f} µs of CPU a sample, SingleStream {found['singlestream']['cpu']:.1f} µs a "
            f"query and {found['singlestream']['latency']:.1f} µs of latency; at {maximum:g} samples/s "
            f"{shares['offline']:.2%}, {shares['singlestream']:.2%} and {late:.2%}"
        )
        return text, f"at most 2 %: {'met' if max(late, *shares.values()) <= 0.02 else 'MISSED'}"

    def offline(batch: int) -> Callable[[], tuple[str, str]]:
        """Samples/s of one session that answers at once, compared with a system under test in Python that does nothing."""

        def measure() -> tuple[str, str]:
            found = in_venv("alone.py", "offline", pairs, samples, batch)
            text = (
                f"{found['ours']:,.0f} over {found['bare']:,.0f} samples/s = {found['ratio']:.2f}; {found['cpu']:.1f} µs of CPU"
            )
            return text, f"at least 0.5: {'met' if found['ratio'] >= 0.5 else 'MISSED'}"

        return measure

    def single() -> tuple[str, str]:
        """What the harness adds to the median latency of a query."""
        found = in_venv("alone.py", "singlestream", pairs, samples)
        text = f"{found['added']:.1f} µs ({found['ours']:.1f} over {found['bare']:.1f})"
        return text, f"at most 10 µs: {'met' if found['added'] <= 10 else 'MISSED'}"

    def memory() -> tuple[str, str]:
        """Growth of memory during a long run, compared with that of LoadGen itself."""
        found = in_venv("alone.py", "memory", 1, samples if quick else 1_000_000)
        added = found["ours"] - found["bare"]
        text = f"{found['ours']:.1f} over {found['bare']:.1f} bytes a query"
        return text, f"at most 1 byte more: {'met' if added <= 1 else 'MISSED'}"

    return [
        ("LoadGen's trace (--trace=auto)", trace),
        *((f"the harness alone, batch {batch}", offline(batch)) for batch in (1, 4, 32)),
        ("the harness alone, SingleStream", single),
        ("the harness alone, memory", memory),
    ]
