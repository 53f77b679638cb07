"""The run, from the spec to results.json."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

from object_detection import (
    accuracy,
    calibration,
    damage,
    loadgen,
    loadgen_module,
    placement,
    queries,
    scorer,
    summary,
    tuning,
)
from object_detection.annotations import ImageList, read_images
from object_detection.asked import Board
from object_detection.backends import framework
from object_detection.backends.interface import as_loaded
from object_detection.contract.record import write
from object_detection.contract.results import Accuracy, Performance, Results
from object_detection.contract.spec import AccuracyPart, MeasuredLayout
from object_detection.contract.timings import Timings
from object_detection.errors import HarnessError
from object_detection.image_cache import ImageCache
from object_detection.layouts import Layout, slots
from object_detection.loadgen import SUT
from object_detection.logs import ANSWERS
from object_detection.processes.choice import check_processes, choose_team
from object_detection.progress import report
from object_detection.readings import Advisor, is_doubtful
from object_detection.spec import Spec, read_spec
from object_detection.sut.library import Library, SampleLibrary
from object_detection.sut.order import OrderedSUT
from object_detection.sut.parts import AnsweredSUT, NoImages, PartLibrary, PartSUT, read_parts, write_part
from object_detection.sut.sessions import Sessions, seats
from object_detection.sut.team import Team
from object_detection.sut.worker import Worker

_REPEATS = 2  # of an Offline run that was too short: a rate that a very short run showed may be too low again
_SHORTEST = 0.3  # s; a shorter accuracy run says little about the speed of the machine
_MARGIN = 1.3  # by which the performance run may be faster than the accuracy run, which also loads the images


def run(path: Path) -> None:
    """Do what the spec asks for and write results.json beside it."""
    timings, calibrated = Timings(), None
    spec = read_spec(path)
    remark = check_loadgen(spec)
    check_processes(spec)
    with timings.part("annotations"):
        images = read_images(spec.dataset, spec.count)
        if "accuracy" in spec.modes:
            images.check_scored()
            scorer.chosen(spec.scorer, spec.official)  # a scorer that is missing is reported before the test
    with timings.part("model"):
        backend = framework(spec.model.backend, spec.device, spec.backend_options)
        report("loading the model", 0, None)
        board = Board(spec.folder, slots(spec))
        with board.slot(0).loading():  # before the images: errors of the model come at once
            model = as_loaded(spec.model, backend.load(spec.model, spec.device, spec.threads or 0))
    spec = replace(spec, model=model)
    if spec.calibration:
        with timings.part("calibration"):
            ranges, calibrated = calibration.calibrate(spec, spec.calibration, backend)
            backend = framework(spec.model.backend, spec.device, spec.backend_options, ranges)
    with timings.part("images"):
        library = SampleLibrary(ImageCache(spec, images))
    advisor = Advisor(spec, images, library)
    topology, max_sessions = placement.read_topology(), placement.max_sessions(spec.model.path)

    sessions = Sessions(spec, backend, board, library, images.categories, advisor.advice)

    def workers(count: int, threads: int) -> list[Worker]:
        return sessions.load(seats(spec, backend, topology, count, threads), threads)

    with timings.part("layout"):
        chosen = tuning.choose_layout(spec, library, workers, len(images), backend.version(), max_sessions)
        layout, measured = chosen.layout, bool(chosen.team)
        team, chosen = choose_team(sessions, images, topology, chosen)
        if not measured:
            prepare(spec, team, library, min(layout.batch_size, len(images)))
    results = replace(_described(spec, len(images), backend.version(), chosen, team, remark), calibration=calibrated)
    if spec.part:
        with timings.part("accuracy"):
            remarks = _run_part(spec, spec.part, team, layout, library, len(images), chosen.rate)
    else:
        results, remarks = _run_modes(spec, team, library, images, chosen.rate, results, advisor, timings)
    team.end()
    board.remove()
    remarks = [text for text in (damage.remark(library.damaged), *remarks) if text]
    results = replace(results, remarks=tuple(remarks), timings=timings.parts)
    text = json.dumps(write(results), indent=2, sort_keys=True)
    (spec.folder / "results.json").write_text(text + "\n", encoding="utf-8")


def prepare(spec: Spec, team: Team, library: SampleLibrary, batch: int) -> None:
    """Run a first batch in every session, which takes longer than others and belongs to no measurement.

    An accuracy run comes before the performance run, and does the same.
    """
    if "accuracy" not in spec.modes:
        first = list(range(batch))
        library.load(first)
        team.prepare(first)
        library.unload(first)


def _described(spec: Spec, images: int, version: str, chosen: tuning.Choice, team: Team, remark: str) -> Results:
    """What is run and how: results without metrics."""
    layout = chosen.layout
    return Results(
        model=spec.model.name,
        dataset=spec.dataset.name,
        images=images,
        backend=spec.model.backend,
        backend_version=version,
        device=spec.device,
        batch_size=layout.batch_size,
        threads=team.threads or layout.threads,
        sessions=layout.sessions,
        processes=team.processes,
        scenario=spec.scenario,
        loadgen_version=loadgen_module.version(spec.loadgen_built),
        official=spec.official,
        tuning=chosen.rates,
        layout=chosen.measured,
        layout_source=chosen.source,
        reference_faults=spec.reference_faults,
        backend_options=dict(spec.backend_options),
        remark=remark,
    )


def _run_part(
    spec: Spec, part: AccuracyPart, team: Team, layout: Layout, library: SampleLibrary, count: int, rate: float
) -> list[str]:
    """Answer a part of the accuracy run; the remarks about its detections."""
    team.remarks()  # those of the measurement of layouts are dropped
    mine = PartLibrary(library, part, layout.batch_size)
    sut = team.sut()
    try:
        _test(spec, "accuracy", PartSUT(sut, mine), mine, count, rate)
    finally:
        sut.close()
    remarks = list(team.remarks().values())
    write_part(spec.folder, part, sorted(mine.samples), [text for text in (damage.remark(library.damaged), *remarks) if text])
    return remarks


def _run_modes(
    spec: Spec, team: Team, library: SampleLibrary, images: ImageList, rate: float, results: Results, advisor: Advisor,
    timings: Timings,
) -> tuple[Results, list[str]]:  # fmt: skip
    """Run the tests; return the results, and remarks about the detections."""
    team.remarks()  # drop those from the measurement of layouts
    odd: dict[str, str] = {}
    unanswered: list[str] = []
    for mode in spec.modes:
        if mode == "accuracy":
            with timings.part("accuracy"):
                if spec.answers:
                    unanswered += _merge_answers(spec, len(images), rate)
                else:
                    seconds, _ = _run_test(spec, mode, team, library, len(images), rate)
                    rate = rate_after(rate, len(images), seconds) if spec.scenario == "offline" else rate
            with timings.part("scoring"):
                results = replace(results, accuracy=score(spec, images, unanswered))
        else:
            with timings.part("performance"):
                found = run_performance(spec, team, library, images, rate)
            results = replace(results, performance=found, layout=_with_rate(results.layout, found, spec))
        odd = {**team.remarks(), **odd}
    advice = team.advice(advisor) if is_doubtful(results.accuracy, bool(odd)) else ""
    return results, [*odd.values(), *unanswered, advice]


def _merge_answers(spec: Spec, count: int, rate: float) -> list[str]:
    """The accuracy test with the answers of parts, and their remarks."""
    answers = read_parts(spec.answers, count)
    _test(spec, "accuracy", AnsweredSUT(answers.by_sample), NoImages(), count, rate)
    return list(answers.remarks)


def rate_after(rate: float, images: int, seconds: float) -> float:
    """The rate from which the length of an Offline run follows, after an accuracy run with the same sessions.

    Layouts are measured in turns of a fraction of a second, in which a shared machine may be several times as fast as in
    the minutes after them; the run would then last several times its minimum duration.

    Parameters
    ----------
    rate
        The highest of the measurement, samples/s.
    images, seconds
        The number of images of the accuracy run, and how long it took.

    Returns
    -------
    float
        Samples/s, at most `rate`.
    """
    return min(rate, _MARGIN * images / seconds) if seconds >= _SHORTEST else rate


def _with_rate(layout: MeasuredLayout | None, found: Performance, spec: Spec) -> MeasuredLayout | None:
    """A measured layout with the rate of an Offline run, from which the length of the next one follows.

    It is nearer to the present speed of the machine than the short measurement, which may have been made in another phase.
    """
    if layout is None or not found.samples_per_second or spec.loadgen.audit:
        return layout
    return replace(layout, samples_per_second=found.samples_per_second)


def check_loadgen(spec: Spec) -> str:
    """Remarks on the installed LoadGen: other versions than the round's load other samples."""
    have, wanted = loadgen_module.version(spec.loadgen_built), spec.loadgen.version
    of_round = spec.loadgen_built is not None and spec.loadgen_built.version == spec.loadgen.version_of_round
    if have == wanted or (of_round and loadgen_module.OF_V1_0):
        return ""
    text = f"LoadGen {have} is installed; {wanted} loads the sample set of the round"
    if spec.official:
        raise HarnessError(text, f"`ck install package --tags=lib,python-package,mlperf,loadgen,{wanted}`")
    return text


def score(spec: Spec, images: ImageList, remarks: list[str]) -> Accuracy:
    """Score the log of the accuracy test.

    Parameters
    ----------
    remarks
        Gets a remark about categories that the model never detects.

    Raises
    ------
    HarnessError
        If the log has invalid detections, or mAP is undefined for its images.
    """
    report("scoring", 0, None)
    folder = spec.folder / "accuracy"
    return accuracy.score(spec, images, folder / ANSWERS, folder / "accuracy.txt", remarks)


def run_performance(spec: Spec, team: Team, library: SampleLibrary, images: ImageList, rate: float) -> Performance:
    """Run LoadGen's performance test in the folder ``performance``, and read its results.

    An Offline run that ends before the minimum duration, because the machine was faster than measured, is repeated.

    Parameters
    ----------
    rate
        Expected samples/s of all sessions, from which Offline's number of samples follows.

    Returns
    -------
    Performance
        LoadGen's figures. The rules that its verdict does not contain are applied: MultiStream's bound of v1.0 and the required
        number of queries.
    """
    folder = spec.folder / "performance"
    seconds, asked = _run_test(spec, "performance", team, library, len(images), rate)
    found = replace(summary.performance(folder, spec.scenario), profile=team.profile())
    for _ in range(_REPEATS):
        if not _too_short(spec, found):
            break
        assert found.samples_per_second is not None  # the machine has become faster since the layouts were measured
        report("performance test again: the machine was faster than measured, so the test ended early", 0, None)
        seconds, asked = _run_test(spec, "performance", team, library, len(images), found.samples_per_second)
        found = replace(summary.performance(folder, spec.scenario), repeated=True, profile=team.profile())
    bound, tail = spec.loadgen.target_latency_ms, f"p{100 * spec.loadgen.percentile:g}"
    if spec.scenario == "multistream" and spec.loadgen.early_stopping:
        found = replace(found, issuing="back to back")
    elif spec.scenario == "multistream" and bound is not None:  # LoadGen's VALID ignores it, but the rules of v1.0 do not
        fixed = f"one query in each interval of {1e3 / (spec.loadgen.target_qps or 1):g} ms"
        found = replace(
            found,
            within_target_latency=found.latency_ms.get(tail, float("inf")) <= bound,
            issuing=fixed if loadgen_module.OF_V1_0 else f"back to back; v1.0 has {fixed}",
        )
    if not spec.loadgen.early_stopping and summary.early_stopping_alone(folder):
        found = replace(found, reasons=(*found.reasons, "the rules of the round have no early stopping; a longer run meets it"))
    count = found.queries or asked  # LoadGen of v1.0 only reports the number of prepared queries
    found = replace(found, queries=count, duration_s=round(seconds, 3))
    required = spec.loadgen.required_query_count
    if spec.scenario != "offline" and count < required:
        reason = f"{count} queries: the rules require {required}"
        return replace(found, valid=False, reasons=(*found.reasons, reason))
    return found


def _run_test(spec: Spec, mode: str, team: Team, library: SampleLibrary, count: int, rate: float) -> tuple[float, int]:
    """Let LoadGen drive the sessions; the logs go into the mode's folder. Returns its duration, s, and how often it asked."""
    sut = team.sut()
    try:
        return _test(spec, mode, sut, library, count, rate)
    finally:
        sut.close()


def _test(spec: Spec, mode: str, sut: SUT, library: Library, count: int, rate: float) -> tuple[float, int]:
    """Let LoadGen drive a system under test; see `_run_test`."""
    folder = spec.folder / mode
    folder.mkdir(exist_ok=True)
    (folder / queries.QUERIES).unlink(missing_ok=True)  # of a run that was too short, and is repeated
    settings = loadgen.settings_for(spec.scenario, mode, spec.loadgen, rate)
    ordered = OrderedSUT(sut, library)
    trace = mode == "performance" and queries.is_traced(
        spec.trace,
        spec.official,
        loadgen.expected_samples(settings, spec.scenario, spec.loadgen, rate),
        rate,
    )
    began = time.monotonic()
    loadgen.run(spec.scenario, mode, settings, spec.loadgen, ordered, library, count, folder, trace=trace)
    seconds = time.monotonic() - began
    ordered.write(folder / "samples.json")
    if trace:
        queries.write_queries(folder, keep=spec.trace == "yes")
    return seconds, ordered.queries


def _too_short(spec: Spec, found: Performance) -> bool:
    """Whether an Offline run ended before its minimum duration; compliance tests with few samples always do."""
    short = any("Min duration satisfied : NO" in reason for reason in found.reasons)
    return short and spec.scenario == "offline" and not spec.loadgen.audit
