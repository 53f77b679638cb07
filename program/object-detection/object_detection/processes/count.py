"""In how many processes the sessions of a run are."""

from __future__ import annotations

import math
import os

from object_detection.errors import HarnessError
from object_detection.layouts import Layout, cores
from object_detection.loadgen import server_rate
from object_detection.spec import Spec

# s for which a sample and a batch hold Python's lock in one process, from runs of a framework that answers at once in batches
# of 1, 4 and 32; docs/performance.md and `benchmarks/alone.py` have the measurement
_SAMPLE, _BATCH = 9e-6, 29e-6
_SHARE = 0.5  # of the lock that one process is given: with more, sessions wait for each other
_SCENARIOS = ("offline", "server")  # those with a queue: the others issue the next query when the one before is answered


def check_processes(spec: Spec) -> None:
    """Refuse several processes where there cannot be any.

    Raises
    ------
    HarnessError
        If the spec asks for them in a scenario without a queue, or the system cannot pass memory to other processes.
    """
    if (spec.processes or 1) == 1:
        return
    if spec.scenario not in _SCENARIOS:
        raise HarnessError(
            f"{spec.processes} processes are for {' and '.join(_SCENARIOS)}: in {spec.scenario} few samples are under way at "
            "once, and another process would only add latency",
            "leave out --processes=",
        )
    if os.name != "posix":
        raise HarnessError("several processes need memory and connections that this system cannot pass on", "use --processes=1")


def processes_for(spec: Spec, layout: Layout, rate: float) -> int:
    """How many processes a layout needs: what the spec says, else as many as leave each half of its lock free.

    Parameters
    ----------
    rate
        Samples/s of the layout in one process.
    """
    if spec.scenario not in _SCENARIOS or os.name != "posix" or spec.answers:
        return 1
    if spec.processes:
        return min(spec.processes, layout.sessions)
    if spec.scenario == "server":
        rate = min(rate, server_rate(spec.loadgen, rate))
    share = rate * (_SAMPLE + _BATCH / layout.batch_size)
    return max(1, min(math.ceil(share / _SHARE), layout.sessions, cores()))
