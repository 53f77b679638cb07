"""In how many processes the sessions of a run are: what the spec says, else as many as a measurement finds to be faster."""

from __future__ import annotations

import math
import os
from dataclasses import replace

from object_detection.annotations import ImageList
from object_detection.errors import HarnessError
from object_detection.layouts import cores
from object_detection.loadgen import server_rate
from object_detection.placement import Topology
from object_detection.processes.team import ProcessTeam
from object_detection.progress import report
from object_detection.spec import Spec
from object_detection.sut.sessions import Sessions, seats
from object_detection.sut.team import OwnTeam, Team
from object_detection.tuning import TUNING_SAMPLES, Choice

# s for which a sample and a batch hold Python's lock in one process, from runs of a framework that answers at once in batches
# of 1, 4 and 32; docs/performance.md and `benchmarks/alone.py` have the measurement
_SAMPLE, _BATCH = 9e-6, 29e-6
_SHARE = 0.5  # of the lock that a process is given: with more, sessions wait for each other
# of the lock, at a rate in one process that it may have bounded: 256 sessions took 0.23 to 0.39 when they reached 0.41 to 0.69
# of what they could (`benchmarks/scale.py`)
_SUSPECT = 0.2
_ROUNDS = 2
_FASTER = 1.05  # ratio that makes up for the memory of further processes
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
            f"{spec.processes} processes are for {' and '.join(_SCENARIOS)}: in {spec.scenario} few samples are in flight at "
            "once, and another process would only add latency",
            "omit --processes=",
        )
    if os.name != "posix":
        raise HarnessError("several processes need memory and connections that this system cannot pass on", "use --processes=1")


def processes_to_try(spec: Spec, chosen: Choice) -> int:
    """In how many processes the sessions should be, or whether to measure that: 1 if one process is enough.

    That is so unless the rate, which was measured in one process, takes a large part of its lock. More processes are as many
    as get at most half of a lock each, one a session, and one a core.
    """
    layout, rate = chosen.layout, chosen.rate
    if spec.scenario not in _SCENARIOS or os.name != "posix" or spec.answers:
        return 1
    if spec.processes or not chosen.team:
        kept = chosen.measured.processes if chosen.measured else 1
        return min(spec.processes or kept, layout.sessions)
    if spec.scenario == "server":
        rate = min(rate, server_rate(spec.loadgen, rate))
    share = rate * (_SAMPLE + _BATCH / layout.batch_size)
    if share < _SUSPECT:
        return 1
    return max(1, min(max(2, math.ceil(share / _SHARE)), layout.sessions, cores()))


def choose_team(sessions: Sessions, images: ImageList, topology: Topology, chosen: Choice) -> tuple[Team, Choice]:
    """The sessions of a layout, loaded, in one process or more.

    If the spec does not say how many, and the rate makes it likely that one process bounds it, both are measured in turns.

    Parameters
    ----------
    sessions
        What they have in common.
    topology
        Of the machine.
    chosen
        The layout, with the rate that was measured in this process, if one was.

    Returns
    -------
    team, chosen
        Ready for `prepare`, and the choice with the processes and their rate.
    """
    spec, layout = sessions.spec, chosen.layout
    own = seats(spec, sessions.backend, topology, layout.sessions, layout.threads)
    processes = processes_to_try(spec, chosen)
    if processes == 1:
        return OwnTeam(spec, chosen.team or sessions.load(own, layout.threads), layout.batch_size), replace(chosen, team=())
    here = OwnTeam(spec, chosen.team, layout.batch_size) if chosen.team and not spec.processes else None
    measured, chosen = bool(chosen.team), replace(chosen, team=())
    there = ProcessTeam(sessions, images, own, layout, processes)
    if not measured:
        return there, chosen
    samples = list(range(min(len(images), TUNING_SAMPLES)))
    sessions.library.load(samples)
    there.prepare(samples[: layout.batch_size])
    report(f"measuring {processes} processes", 0, None)
    turns = [(here.rate(samples) if here else 0.0, there.rate(samples)) for _ in range(_ROUNDS)]
    sessions.library.unload(samples)
    ours, theirs = zip(*turns, strict=True)
    if here and sum(theirs) < _FASTER * sum(ours):
        there.end()
        return here, chosen
    assert chosen.measured
    rate = max(theirs)
    rates = {**chosen.rates, f"{layout} in {processes} processes": round(sum(theirs) / len(theirs), 2)}
    found = replace(chosen.measured, processes=processes, samples_per_second=rate)
    return there, replace(chosen, rate=rate, rates=rates, measured=found)
