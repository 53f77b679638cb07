"""The run, from the spec to results.json."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from object_detection import accuracy, damage, loadgen, loadgen_module, outputs, queries, summary, tuning
from object_detection.annotations import ImageList, read_images
from object_detection.asked import Board
from object_detection.backends import framework
from object_detection.backends.interface import as_loaded
from object_detection.contract.record import write
from object_detection.contract.results import Accuracy, Performance, Results
from object_detection.errors import HarnessError
from object_detection.image_cache import ImageCache
from object_detection.logs import ANSWERS
from object_detection.progress import tell
from object_detection.readings import Advisor, is_doubtful
from object_detection.spec import Spec, read_spec
from object_detection.sut.inline import InlineSUT
from object_detection.sut.library import SampleLibrary
from object_detection.sut.order import OrderedSUT
from object_detection.sut.pool import PoolSUT
from object_detection.sut.worker import Worker
from object_detection.tuning import Layout

_TUNING_SAMPLES = 16
_WORTH_TUNING = 1000  # images; for fewer, measuring accuracy takes less time than finding the fastest layout


def run(path: Path) -> None:
    """Carry out the spec and write results.json next to it."""
    spec = read_spec(path)
    remark = check_loadgen(spec)
    images = read_images(spec.dataset, spec.count)
    if "accuracy" in spec.modes:
        images.check_scored()
    backend = framework(spec.model.backend, spec.device, spec.backend_options)
    tell("loading the model", 0, None)
    board = Board(spec.folder, max(spec.sessions or 1, tuning.cores()))
    with board.slot(0).loading():  # before the images, so that errors of the model are reported at once
        model = as_loaded(spec.model, backend.load(spec.model, spec.device, spec.threads or 0))
    spec = replace(spec, model=model)
    library = SampleLibrary(ImageCache(spec, images))
    advisor = Advisor(spec, images, library)

    def worker(number: int, threads: int) -> Worker:
        slot = board.slot(number)
        with slot.loading():
            loaded = backend.load(model, spec.device, threads)
        check = outputs.OutputCheck(model, images.categories, library.label)
        return Worker(model, loaded, library, check, slot, advisor.advice)

    def workers(sessions: int, threads: int) -> list[Worker]:
        return [worker(number, threads) for number in range(sessions)]

    layout, team, rate, measured = choose_layout(spec, library, workers, len(images))
    results = Results(
        model=spec.model.name,
        dataset=spec.dataset.name,
        images=len(images),
        backend=spec.model.backend,
        backend_version=backend.version(),
        device=spec.device,
        batch_size=layout.batch_size,
        threads=team[0].threads or layout.threads,
        sessions=layout.sessions,
        scenario=spec.scenario,
        loadgen_version=loadgen_module.version(spec.loadgen_built),
        official=spec.official,
        tuning=measured,
        reference_faults=spec.reference_faults,
        backend_options=dict(spec.backend_options),
        remark=remark,
    )
    results, remarks = _run_modes(spec, team, layout, library, images, rate, results, advisor)
    board.remove()
    remarks = [text for text in (damage.remark(library.damaged), *remarks) if text]
    text = json.dumps(write(replace(results, remarks=tuple(remarks))), indent=2, sort_keys=True)
    (spec.folder / "results.json").write_text(text + "\n", encoding="utf-8")


def _run_modes(
    spec: Spec, team: Sequence[Worker], layout: Layout, library: SampleLibrary, images: ImageList, rate: float,
    results: Results, advisor: Advisor,
) -> tuple[Results, list[str]]:  # fmt: skip
    """Run the tests; return the results, and remarks about the detections."""
    outputs.remarks(worker.check for worker in team)  # drop those from the measurement of layouts
    odd: dict[str, str] = {}
    unanswered: list[str] = []
    for mode in spec.modes:
        if mode == "accuracy":
            results = replace(results, accuracy=run_accuracy(spec, team, layout, library, images, rate, unanswered))
        else:
            results = replace(results, performance=run_performance(spec, team, layout, library, images, rate))
        odd = {**outputs.remarks(worker.check for worker in team), **odd}
    advice = advisor.advice(team[0]) if is_doubtful(results.accuracy, bool(odd)) else ""
    return results, [*odd.values(), *unanswered, advice]


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


def choose_layout(
    spec: Spec, library: SampleLibrary, workers: tuning.MakeWorkers, count: int
) -> tuple[Layout, Sequence[Worker], float, dict[str, float]]:
    """Sessions, threads and batch: the user's values, else the fastest; SingleStream has one session.

    For performance, a layout is measured even if there is no choice, because its rate determines the length of a run. For
    accuracy alone, measuring is only useful with many images.
    """
    if spec.scenario == "singlestream":
        rows = [Layout(1, count, 1) for count in ([spec.threads] if spec.threads else tuning.widths())]
    else:
        rows = tuning.candidates(spec.sessions, spec.threads, spec.batch_size, spec.model.max_batch)
        if spec.scenario == "multistream":  # the latency of queries counts: sessions without a sample would be idle
            rows = [row for row in rows if row.sessions <= spec.loadgen.samples_per_query] or rows[:1]
    if "performance" not in spec.modes and (len(rows) == 1 or count < _WORTH_TUNING):
        plain = min(rows, key=lambda row: (row.sessions, row.batch_size, -row.threads))  # uses the least memory
        return plain, workers(plain.sessions, plain.threads), 1.0, {}
    samples = list(range(min(count, _TUNING_SAMPLES)))
    library.load(samples)
    try:
        return tuning.fastest(rows, workers, samples)
    finally:
        library.unload(samples)


def run_accuracy(
    spec: Spec, team: Sequence[Worker], layout: Layout, library: SampleLibrary, images: ImageList, rate: float,
    remarks: list[str],
) -> Accuracy:  # fmt: skip
    """LoadGen's accuracy test, in a separate folder, with scores; remarks are added to `remarks`."""
    _run_test(spec, "accuracy", team, layout, library, len(images), rate)
    tell("scoring", 0, None)
    folder = spec.folder / "accuracy"
    return accuracy.score(spec, images, folder / ANSWERS, folder / "accuracy.txt", remarks)


def run_performance(
    spec: Spec, team: Sequence[Worker], layout: Layout, library: SampleLibrary, images: ImageList, rate: float
) -> Performance:
    """LoadGen's performance test, in a separate folder, with results."""
    folder = spec.folder / "performance"
    seconds, asked = _run_test(spec, "performance", team, layout, library, len(images), rate)
    found = summary.performance(folder, spec.scenario)
    if _too_short(spec, found):  # the machine became faster after the layouts were measured
        assert found.samples_per_second is not None
        tell("performance, once more: it was faster than measured, so the run was too short", 0, None)
        seconds, asked = _run_test(spec, "performance", team, layout, library, len(images), found.samples_per_second)
        found = replace(summary.performance(folder, spec.scenario), repeated=True)
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


def _run_test(
    spec: Spec, mode: str, team: Sequence[Worker], layout: Layout, library: SampleLibrary, count: int, rate: float
) -> tuple[float, int]:
    """Run LoadGen with the sessions, with logs in the mode's folder. Returns the duration in s, and the number of queries."""
    folder = spec.folder / mode
    folder.mkdir(exist_ok=True)
    (folder / queries.QUERIES).unlink(missing_ok=True)  # from a run that was too short, and is repeated
    sut: InlineSUT | PoolSUT
    if spec.scenario == "singlestream":
        sut = InlineSUT(team[0], spec.folder)
    else:
        sut = PoolSUT(team, layout.batch_size, spec.folder, spread=spec.scenario == "multistream")
    settings = loadgen.settings_for(spec.scenario, mode, spec.loadgen, rate)
    ordered = OrderedSUT(sut, library)
    trace = mode == "performance" and queries.is_traced(
        spec.trace,
        spec.official,
        loadgen.expected_samples(settings, spec.scenario, spec.loadgen, rate),
        rate,
    )
    begun = time.monotonic()
    try:
        loadgen.run(spec.scenario, mode, settings, spec.loadgen, ordered, library, count, folder, trace=trace)
    finally:
        sut.close()
    seconds = time.monotonic() - begun
    ordered.write(folder / "samples.json")
    if trace:
        queries.write_queries(folder, keep=spec.trace == "yes")
    return seconds, ordered.queries


def _too_short(spec: Spec, found: Performance) -> bool:
    """Whether an Offline run ended before its minimum duration; compliance tests with few samples always do."""
    short = any("Min duration satisfied : NO" in reason for reason in found.reasons)
    return short and spec.scenario == "offline" and not spec.loadgen.audit
