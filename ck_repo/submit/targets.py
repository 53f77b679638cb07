"""Find the highest valid target: by short runs and bisection, then confirmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ck_repo import progress
from ck_repo.contract.record import write
from ck_repo.errors import CKError, InterruptedByUser, RunError
from ck_repo.experiments.figures import TRIAL
from ck_repo.experiments.meta import RecordedLoadGen
from ck_repo.experiments.reasons import explained
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.scenario import Scenario
from ck_repo.rounds.user_conf import with_setting
from ck_repo.run.options import MEASURED, RunOptions
from ck_repo.run.pipeline import execute
from ck_repo.run.prepare import prepare
from ck_repo.run.spec import rules_of
from ck_repo.session import Session
from ck_repo.store.atomic import storage_errors, write_text
from ck_repo.store.search import load
from ck_repo.submit.search_memory import Run, SearchMemory

_CLOSE = 0.02  # the search ends when the highest valid and the lowest invalid target are within it, relative
_MOST = 12  # runs of a search
_CONFIRM = 3.0  # how much longer the confirming run is
_QUERIES = 800  # that LoadGen needs for its verdict on a 99th percentile
_BACK, _FAR_BACK = 0.97, 0.7  # of the target, when the confirming run is not valid: by how far its latency is over the bound
_CONFIRMATIONS = 8  # before it is given up
_LOWER = 0.9  # what p99 has to come down to when the rate is halved, for it to be due to the rate


@dataclass(frozen=True)
class Target:
    """What was found.

    Attributes
    ----------
    key
        Its name in user.conf: ``target_qps``, ``target_latency`` (ms) or ``samples_per_query``.
    tries
        (target, whether it was valid, the latency in ms that decided) of every run.
    percentile
        Of which latency `tries` has the values: ``p90``, ``p99``.
    """

    key: str
    value: float
    confirmed: dict[str, Any]
    tries: list[tuple[float, bool, float | None]]
    percentile: str


class NoTargetError(RunError):
    """The search has ended, and no target holds."""


def find_target(options: RunOptions, scenario: Scenario, bound_ms: float | None, run: Run, best: Best | None = None) -> Target:
    """The highest valid target of a scenario.

    Offline and SingleStream have no bound: what a run measures is the target. Server and MultiStream are searched: up from a
    start that holds, doubling, then by bisection, until the gap is within 2 % (one sample for MultiStream) or 12 runs are done.
    Short runs are judged by the 99th percentile alone, as v1.0 has it; LoadGen's own verdict asks for more queries than they
    have. What was found is confirmed by a run that is long enough for that verdict, too; if that is not VALID the target goes
    down by 3 to 30 %, by how far the latency is over the bound, eight times at most.

    Parameters
    ----------
    options
        Of a short run: model, backend, seconds and so on.
    scenario
        The rules of the scenario that `options` names.
    bound_ms
        The rules' latency bound, for Server and MultiStream.
    best
        Is told of every run of a search.

    Raises
    ------
    NoTargetError
        If not even the smallest target is valid.
    """
    options = replace(options, mode="performance")
    first = run(replace(options, scenario="offline"))
    # the layout is measured once; every further run has it
    options = replace(options, **{key: first[key] for key in MEASURED})
    rate = float(first["performance"]["samples_per_second"])
    if scenario.one_query:
        return Target(scenario.target, _rounded(rate), first, [(rate, True, None)], scenario.percentile_name)
    if scenario.target == "target_latency":
        unmeasured: dict[str, Any] = dict.fromkeys(MEASURED)
        single = run(replace(options, **unmeasured))
        latency = float(single["performance"]["latency_ms"][scenario.percentile_name])
        return Target(scenario.target, _rounded(latency), single, [(latency, True, latency)], scenario.percentile_name)
    return _search(options, scenario, rate, bound_ms, run, best or Best())


@dataclass
class Best:
    """The highest target of a search that held so far; 0 if none did."""

    value: float = 0.0
    confirmed: bool = False

    def consider(self, target: float, valid: bool, confirming: bool) -> None:
        """A run is over; when a longer one is not valid, what is below its target is all that is left."""
        if valid and (confirming or target > self.value):
            self.value, self.confirmed = target, confirming
        elif confirming and not valid and self.value >= target:
            self.value, self.confirmed = 0.0, False


def find_and_write(session: Session, options: RunOptions, bound_ms: float | None, path: Path) -> tuple[Target, str]:
    """Find the target of a scenario of the benchmark, and write it into a user.conf; what else is in the file stays.

    When the search is interrupted or a run fails, the best target so far is written, and the same call goes on later.

    Parameters
    ----------
    bound_ms
        The user's latency bound; the round's if None.

    Returns
    -------
    target, line
        The line is that of user.conf.

    Raises
    ------
    StorageError
        If the file cannot be written: before the search, or after it with the line.
    """
    program = load(session.repositories, "program", "object-detection")
    before = read_text(path) if path.exists() else ""  # first: what is wrong with the file is told before the search
    refuse_unwritable(path)
    plan = prepare(session, program, options)
    rules = rules_of(plan)
    scenario = rules.scenario(options.scenario)
    bound = scenario.bound_ms and (bound_ms or scenario.bound_ms)
    used = {key: choice.key for key, choice in sorted(plan.choices.items())}
    memory = SearchMemory([plan.program.digest, used, options.as_data(), bound])

    def run(wanted: RunOptions) -> dict[str, Any]:
        return write(execute(session, prepare(session, program, wanted), tags=[TRIAL]).results)

    def line_of(key: str, value: float) -> str:
        return f"{rules.benchmark}.{scenario.name}.{key} = {value:g}"

    best = Best()
    try:
        found = find_target(options, scenario, bound, memory.remembered(run), best)
    except NoTargetError:
        memory.forget()
        raise
    except (KeyboardInterrupt, CKError) as error:
        if best.value:
            _write_line(path, before, line_of(scenario.target, best.value), "the best target so far (not confirmed)")
        if isinstance(error, KeyboardInterrupt):
            raise InterruptedByUser("the search was interrupted", hint="the same command continues it") from None
        raise
    line = line_of(found.key, found.value)
    _write_line(path, before, line, "the target")
    memory.forget()
    return found, line


def refuse_unwritable(path: Path) -> None:
    """Raise if a file cannot be made, before the work whose result it is to take."""
    with storage_errors(f"writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass


def _write_line(path: Path, before: str, line: str, what: str) -> None:
    """Write a line into a user.conf; where that is impossible the line is in the error."""
    try:
        write_text(path, with_setting(before, line))
    except CKError as error:
        error.what = f"{what} is {line}\n{error.what}"
        error.hint = "write the line into a user.conf yourself"
        raise
    progress.say(f"{what} is in {path}: {line}")


def _search(options: RunOptions, scenario: Scenario, rate: float, bound_ms: float | None, run: Run, best: Best) -> Target:
    key, tail = scenario.target, scenario.percentile_name
    whole = key == "samples_per_query"
    tries: list[tuple[float, bool, float | None]] = []
    outcome: dict[float, dict[str, Any]] = {}
    limits = RecordedLoadGen(target_latency_ms=bound_ms)

    def holds(target: float, confirming: bool = False) -> bool:
        seconds = options.seconds or 10.0
        if confirming:
            known = outcome.get(target, {}).get("performance", {}).get("latency_ms", {}).get(tail) or bound_ms or 0.0
            seconds = max(_CONFIRM * seconds, _QUERIES * (known / 1e3 if whole else 1 / target))
        asked = replace(options, target_latency=bound_ms, seconds=seconds)
        asked = replace(asked, samples_per_query=int(target)) if whole else replace(asked, target_qps=target)
        found = run(asked)
        latency = found["performance"].get("latency_ms", {}).get(tail)
        valid = latency is not None and (bound_ms is None or latency <= bound_ms)
        valid = valid and (not confirming or bool(found["performance"].get("valid")))
        tries.append((target, valid, latency))
        best.consider(target, valid, confirming)
        outcome[target] = found
        text = "-" if latency is None else f"{latency:.3f}"
        within = latency is not None and bound_ms is not None and latency <= bound_ms
        reasons = explained(
            found["performance"].get("reasons") or [], found["performance"].get("latency_ms", {}), limits, scenario
        ) or ["not VALID"]
        why = f" ({reasons[0]})" if within and not valid else ""
        progress.say(f"{key} {target:g}: {'valid' if valid else 'not valid'}, {tail} {text} of {bound_ms or 0:g} ms{why}")
        return valid

    # a query's samples are dealt among the sessions, so as many as fit into the bound at the full rate is where to begin
    start = max(1.0, float(int(rate * (bound_ms or 0) / 1e3 / 2))) if whole else rate / 2
    progress.say(
        f"searching {key} for a {tail} latency of {bound_ms or 0:g} ms: up to {_MOST} runs of {options.seconds or 10.0:g} s, "
        "then longer ones to confirm"
    )
    low, high = _bracket(start, scenario, holds, tries, bound_ms or 0.0)
    while len(tries) < _MOST and not _close(low, high, whole):
        middle = float((int(low) + int(high)) // 2) if whole else _rounded((low + high) / 2)
        if holds(middle):
            low = middle
        else:
            high = middle
    for _ in range(_CONFIRMATIONS):
        if holds(low, confirming=True):
            return Target(key, low, outcome[low], tries, tail)
        over = (bound_ms or 0.0) / (tries[-1][2] or bound_ms or 1.0)
        factor = max(_FAR_BACK, min(_BACK, over))
        lower = float(min(int(low * factor), int(low) - 1)) if whole else _rounded(low * factor)
        if lower <= 0:
            break
        low = lower
    raise NoTargetError(
        f"no {key} holds in a longer run: the last, {tries[-1][0]:g}, had a {tail} latency of {tries[-1][2] or 0:.3f} ms, "
        f"and the bound is {bound_ms or 0:g} ms",
        hint="give it a quieter machine, or another bound with --target-latency=",
    )


def _bracket(
    start: float,
    scenario: Scenario,
    holds: Callable[[float], bool],
    tries: list[tuple[float, bool, float | None]],
    bound_ms: float,
) -> tuple[float, float]:
    """A target that holds and one that does not."""
    whole, tail = scenario.target == "samples_per_query", scenario.percentile_name
    if holds(start):
        low = start
        while len(tries) < _MOST:
            if not holds(low * 2):
                return low, low * 2
            low *= 2
        return low, low
    high = start
    while len(tries) < _MOST:
        lower = float(int(high) // 2) if whole else high / 2
        if lower < (1 if whole else 1e-3):
            break
        before = tries[-1][2]
        if holds(lower):
            return lower, high
        high, after = lower, tries[-1][2]
        if before and after and after > _LOWER * before and len(tries) > 3:  # it is not for the queue that they wait
            break
    raise NoTargetError(
        f"not even {high:g} holds: the {tail} latency was {tries[-1][2] or 0:.3f} ms, and the bound is {bound_ms:g} ms",
        hint="the system is too slow for this bound: name another with --target-latency=, for the open division",
    )


def _close(low: float, high: float, whole: bool) -> bool:
    return high - low <= (1 if whole else _CLOSE * high)


def _rounded(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}")
