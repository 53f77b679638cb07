"""Find the highest valid target: bisection with short runs, then confirmation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ck_repo import progress
from ck_repo.contract.results import Performance, Results
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

_CLOSE = 0.02  # the search ends when the highest valid and the lowest invalid target differ by less, relative
_MAX_RUNS = 12  # maximum runs of a search
_CONFIRM = 3.0  # factor for the duration of the confirmation run
_QUERIES = 800  # queries that LoadGen needs for its verdict on a 99th percentile
_BACK, _FAR_BACK = 0.97, 0.7  # reduction of the target after an invalid confirmation run, which depends on the excess latency
_CONFIRMATIONS = 8  # maximum number of reductions
_LOWER = 0.9  # ratio of p99 at half the rate below which the latency is caused by the rate


@dataclass(frozen=True)
class Target:
    """The result of a search.

    Attributes
    ----------
    key
        Its name in user.conf: ``target_qps``, ``target_latency`` (ms) or ``samples_per_query``.
    tries
        (target, whether it was valid, the deciding latency in ms) of every run.
    percentile
        The percentile of the latencies in `tries`: ``p90``, ``p99``.
    """

    key: str
    value: float
    confirmed: Results
    tries: list[tuple[float, bool, float | None]]
    percentile: str


class NoTargetError(RunError):
    """The search has ended without a valid target."""


def find_target(options: RunOptions, scenario: Scenario, bound_ms: float | None, run: Run, best: Best | None = None) -> Target:
    """The highest valid target of a scenario.

    Offline and SingleStream have no bound: the measured result is the target. Server and MultiStream are searched: the target
    is doubled from a valid start, then bisected, until the gap is within 2 % (one sample for MultiStream) or 12 runs are done.
    Short runs are judged by the 99th percentile alone, as in v1.0, because LoadGen's own verdict requires more queries. The
    result is confirmed by a run that is long enough for that verdict, too. If that is not VALID, the target is reduced by 3 to
    30 %, depending on the excess latency, at most eight times.

    Parameters
    ----------
    options
        Options of a short run: model, backend, seconds and so on.
    scenario
        The rules of the scenario of `options`.
    bound_ms
        The latency bound of the rules, for Server and MultiStream.
    best
        Called with every run of a search.

    Raises
    ------
    NoTargetError
        If even the lowest target is not valid.
    """
    options = replace(options, mode="performance")
    first = run(replace(options, scenario="offline"))
    # the layout is measured once, and used for all other runs
    options = replace(options, **{key: getattr(first, key) for key in MEASURED})
    rate = _rate(first)
    if scenario.one_query:
        return Target(scenario.target, _rounded(rate), first, [(rate, True, None)], scenario.percentile_name)
    if scenario.target == "target_latency":
        unmeasured: Mapping[str, Any] = dict.fromkeys(MEASURED)
        single = run(replace(options, **unmeasured))
        latency = _latency(single, scenario.percentile_name)
        return Target(scenario.target, _rounded(latency), single, [(latency, True, latency)], scenario.percentile_name)
    return _search(options, scenario, rate, bound_ms, run, best or Best())


@dataclass
class Best:
    """The highest valid target so far; 0 without one."""

    value: float = 0.0
    confirmed: bool = False

    def consider(self, target: float, valid: bool, confirming: bool) -> None:
        """Record a run; if a longer one is not valid, only targets below its own remain.

        Parameters
        ----------
        target
            Its target: queries/s, or samples of a query.
        confirming
            Whether it was as long as the rules require.
        """
        if valid and (confirming or target > self.value):
            self.value, self.confirmed = target, confirming
        elif confirming and not valid and self.value >= target:
            self.value, self.confirmed = 0.0, False


def find_and_write(session: Session, options: RunOptions, bound_ms: float | None, path: Path) -> tuple[Target, str]:
    """Find the target of a scenario of the benchmark, and write it into a user.conf; the rest of the file is kept.

    If the search is interrupted or a run fails, the best target so far is written, and the same call continues later.

    Parameters
    ----------
    bound_ms
        The user's latency bound; the round's if None.

    Returns
    -------
    target, line
        The line as in user.conf.

    Raises
    ------
    StorageError
        If the file cannot be written: before the search, or after it with the line.
    """
    program = load(session.repositories, "program", "object-detection")
    before = read_text(path) if path.exists() else ""  # first, so that errors of the file are reported before the search
    refuse_unwritable(path)
    plan = prepare(session, program, options)
    rules = rules_of(plan)
    scenario = rules.scenario(options.scenario)
    bound = scenario.bound_ms and (bound_ms or scenario.bound_ms)
    used = {key: choice.key for key, choice in sorted(plan.choices.items())}
    memory = SearchMemory([plan.program.digest, used, options.as_data(), bound])

    def run(wanted: RunOptions) -> Results:
        return execute(session, prepare(session, program, wanted), tags=[TRIAL]).results

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
    """Raise if a file cannot be created, before the work for its content starts."""
    with storage_errors(f"writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass


def _write_line(path: Path, before: str, line: str, what: str) -> None:
    """Write a line into a user.conf; if that is impossible, the error has the line."""
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
    outcome: dict[float, Results] = {}
    limits = RecordedLoadGen(target_latency_ms=bound_ms)

    def holds(target: float, confirming: bool = False) -> bool:
        seconds = options.seconds or 10.0
        if confirming:
            known = (_performance(outcome[target]).latency_ms.get(tail) if target in outcome else None) or bound_ms or 0.0
            seconds = max(_CONFIRM * seconds, _QUERIES * (known / 1e3 if whole else 1 / target))
        asked = replace(options, target_latency=bound_ms, seconds=seconds)
        asked = replace(asked, samples_per_query=int(target)) if whole else replace(asked, target_qps=target)
        found = run(asked)
        performance = _performance(found)
        latency = performance.latency_ms.get(tail)
        valid = latency is not None and (bound_ms is None or latency <= bound_ms)
        valid = valid and (not confirming or performance.valid)
        tries.append((target, valid, latency))
        best.consider(target, valid, confirming)
        outcome[target] = found
        text = "-" if latency is None else f"{latency:.3f}"
        within = latency is not None and bound_ms is not None and latency <= bound_ms
        reasons = explained(performance.reasons, performance.latency_ms, limits, scenario) or ["not VALID"]
        why = f" ({reasons[0]})" if within and not valid else ""
        progress.say(f"{key} {target:g}: {'valid' if valid else 'not valid'}, {tail} {text} of {bound_ms or 0:g} ms{why}")
        return valid

    # the samples of a query are distributed over the sessions: start with the number that the bound allows at the full rate
    start = max(1.0, float(int(rate * (bound_ms or 0) / 1e3 / 2))) if whole else rate / 2
    seconds = options.seconds or 10.0
    progress.say(
        f"searching {key} for a {tail} latency of {bound_ms or 0:g} ms: up to {_MAX_RUNS} runs of {seconds:g} s, "
        "then longer ones to confirm"
    )
    low, high = _bracket(start, scenario, holds, tries, bound_ms or 0.0)
    while len(tries) < _MAX_RUNS and not _close(low, high, whole):
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
        f"no {key} is valid in a longer run: the last, {tries[-1][0]:g}, had a {tail} latency of {tries[-1][2] or 0:.3f} ms, "
        f"and the bound is {bound_ms or 0:g} ms",
        hint="use a quieter machine, or another bound with --target-latency=",
    )


def _bracket(
    start: float,
    scenario: Scenario,
    holds: Callable[[float], bool],
    tries: list[tuple[float, bool, float | None]],
    bound_ms: float,
) -> tuple[float, float]:
    """A valid and an invalid target."""
    whole, tail = scenario.target == "samples_per_query", scenario.percentile_name
    if holds(start):
        low = start
        while len(tries) < _MAX_RUNS:
            if not holds(low * 2):
                return low, low * 2
            low *= 2
        return low, low
    high = start
    while len(tries) < _MAX_RUNS:
        lower = float(int(high) // 2) if whole else high / 2
        if lower < (1 if whole else 1e-3):
            break
        before = tries[-1][2]
        if holds(lower):
            return lower, high
        high, after = lower, tries[-1][2]
        if before and after and after > _LOWER * before and len(tries) > 3:  # queueing is not the cause
            break
    raise NoTargetError(
        f"even {high:g} is not valid: the {tail} latency was {tries[-1][2] or 0:.3f} ms, and the bound is {bound_ms:g} ms",
        hint="the system is too slow for this bound: use another with --target-latency=, for the open division",
    )


def _performance(results: Results) -> Performance:
    if results.performance is None:
        raise RunError("the run has no performance metrics", hint="the harness of the program must write them to results.json")
    return results.performance


def _rate(results: Results) -> float:
    rate = _performance(results).samples_per_second
    if rate is None:
        raise RunError("the Offline run has no samples/s", hint="the harness of the program must write samples_per_second")
    return float(rate)


def _latency(results: Results, percentile: str) -> float:
    latency = _performance(results).latency_ms.get(percentile)
    if latency is None:
        raise RunError(
            f"the run has no {percentile} latency", hint=f"the harness of the program must write latency_ms.{percentile}"
        )
    return float(latency)


def _close(low: float, high: float, whole: bool) -> bool:
    return high - low <= (1 if whole else _CLOSE * high)


def _rounded(value: float) -> float:
    """Round to four digits: more would be noise."""
    return float(f"{value:.4g}")
