"""results.json: the harness's report of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .record import optional, other_keys
from .spec import MeasuredLayout
from .timings import Part


@dataclass(frozen=True)
class Accuracy:
    """COCO's metrics, 0–1 (-1 where no object has the size); see https://cocodataset.org/#detection-eval.

    Attributes
    ----------
    detections, images
        How many were scored.
    scorer
        What computed the figures, with its version.
    """

    mAP: float
    AP50: float | None = optional()
    AP75: float | None = optional()
    AP_small: float | None = optional()
    AP_medium: float | None = optional()
    AP_large: float | None = optional()
    AR1: float | None = optional()
    AR10: float | None = optional()
    AR100: float | None = optional()
    AR_small: float | None = optional()
    AR_medium: float | None = optional()
    AR_large: float | None = optional()
    detections: int | None = optional()
    images: int | None = optional()
    scorer: str = optional("")
    others: Mapping[str, Any] = other_keys()


@dataclass(frozen=True)
class Profile:
    """Where the time of a sample of the performance run went, from the first sample to the last: means, µs a sample.

    Attributes
    ----------
    queue_us
        From its query until a session took it. In Offline all samples are in one query. The others are time of a session, and
        together all of it.
    batch_us, framework_us, packing_us
        Its input put into a batch; the framework's run; outputs checked and made into an answer.
    loadgen_us
        The answer handed to LoadGen, or to the process that has it.
    harness_us
        What else the harness did.
    idle_us
        The session waited for samples; in SingleStream, LoadGen between two queries.
    samples, batches, sessions
        How many.
    """

    samples: int
    batches: int
    sessions: int
    queue_us: float
    batch_us: float
    framework_us: float
    packing_us: float
    loadgen_us: float
    harness_us: float
    idle_us: float


@dataclass(frozen=True)
class Performance:
    """The metrics of a performance run. Those that the scenario does not have are None.

    Attributes
    ----------
    valid
        Whether LoadGen considers the run VALID and it has the queries that the rules require.
    reasons
        Why it is not.
    latency_ms
        ``mean`` and percentiles (``p50`` to ``p99_9``), ms.
    queries_per_second, scheduled_queries_per_second, target_qps
        For Server: completed, scheduled and requested rate, in 1/s.
    early_stopping_met, early_stopping_latency_ms
        Result of LoadGen's early stopping, and its estimates of percentiles in ms, if there were enough queries for one.
    issuing
        For MultiStream: how its queries were issued.
    within_target_latency
        For MultiStream: whether the percentile of the latency is within the limit of the rules.
    errors
        Events that LoadGen marks as errors.
    repeated
        Whether the run was repeated because it was too short.
    duration_s
        How long it took, s.
    profile
        Where the time of a sample went, if that was measured.
    """

    valid: bool
    latency_ms: Mapping[str, float] = optional({})
    samples_per_second: float | None = optional()
    queries_per_second: float | None = optional()
    scheduled_queries_per_second: float | None = optional()
    target_qps: float | None = optional()
    samples_per_query: int | None = optional()
    early_stopping_met: bool | None = optional()
    early_stopping_latency_ms: Mapping[str, float] = optional({})
    queries: int | None = optional()
    errors: int | None = optional()
    reasons: tuple[str, ...] = optional(())
    repeated: bool = optional(False)
    within_target_latency: bool | None = optional()
    issuing: str = optional("")
    duration_s: float | None = optional()
    profile: Profile | None = optional()
    others: Mapping[str, Any] = other_keys()


@dataclass(frozen=True)
class Calibrated:
    """The images that 8-bit arithmetic was calibrated with; ``calibration.json`` of the run has their names, and the ranges.

    Attributes
    ----------
    source
        ``data set`` for images of the run's data set, or ``files``.
    sha256
        Digest of their names and inputs.
    """

    images: int
    source: str
    sha256: str


@dataclass(frozen=True)
class Results:
    """What was run, and its results. The harness of another program may omit what it does not measure.

    Attributes
    ----------
    images
        The number of images of the data set that the run used.
    batch_size, threads, sessions
        The layout that was used: maximum images in a batch, threads of a session (0 for the framework's default), sessions.
    processes
        In how many processes the sessions were.
    official
        Whether counts and durations were those of the rules.
    tuning
        Samples/s of each layout that was measured.
    layout, layout_source
        What was measured, now or by an earlier run, and where the layout came from: ``measured`` now, ``kept`` from an earlier
        run, ``given`` by options, or ``unmeasured``, the one of the least memory.
    reference_faults
        Whether known errors of the reference were reproduced.
    backend_options
        What was chosen of the options that the backend declares.
    calibration
        What an option of the backend was calibrated with.
    timings
        How long the parts of the run took, from the loading of the model to the last test.
    remark, remarks
        Remarks on LoadGen, and on images and detections.
    accuracy, performance
        None if not measured.
    """

    model: str = optional("")
    dataset: str = optional("")
    images: int | None = optional()
    backend: str = optional("")
    backend_version: str = optional("")
    device: str = optional("")
    batch_size: int | None = optional()
    threads: int | None = optional()
    sessions: int | None = optional()
    processes: int = optional(1)
    scenario: str = optional("")
    loadgen_version: str = optional("")
    official: bool | None = optional()
    tuning: Mapping[str, float] | None = optional()
    layout: MeasuredLayout | None = optional()
    layout_source: str = optional("")
    reference_faults: bool = optional(False)
    backend_options: Mapping[str, str] = optional({})
    calibration: Calibrated | None = optional()
    timings: tuple[Part, ...] = optional(())
    remark: str = optional("")
    remarks: tuple[str, ...] = optional(())
    accuracy: Accuracy | None = optional()
    performance: Performance | None = optional()
    others: Mapping[str, Any] = other_keys()
