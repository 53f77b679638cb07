"""spec.json: what the engine requests from the harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from .record import FieldError, optional, transient

VERSION = 1
_LAYOUT: Mapping[str, tuple[int, int]] = {
    "sessions": (1, 4096), "threads": (0, 4096), "batch_size": (1, 10**5), "processes": (1, 4096)
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """The model file and its interface; `ck_repo.models.interface` of the engine describes each field.

    Attributes
    ----------
    max_batch
        The maximum batch size; None for any.
    side
        Height and width of a square input; 0 if it is not square, or of any size.
    """

    name: str
    path: Path
    backend: str
    input: str
    max_batch: int | None
    side: int
    scaling: str
    layout: str
    dtype: str
    boxes: str
    scores: str
    classes: str
    count: str
    box_order: str
    score_above: float | None
    classes_are: str
    class_offset: int = 0
    height: int | None = optional()
    width: int | None = optional()
    resize: str = optional("stretch")
    fill: int = optional(114)
    placed: str = optional("centre")
    colour: str = optional("rgb")
    mean: tuple[float, ...] = optional(())
    std: tuple[float, ...] = optional(())
    objectness: str = optional("")
    image: str = optional("")
    size_input: str = optional("")
    transposed: bool = optional(False)
    box_units: str = optional("unit")
    clip: bool = optional(False)
    scores_are: str = optional("given")
    background: str = optional("none")
    labels_per_box: str = optional("best")
    nms: str = optional("none")
    nms_iou: float = optional(0.5)
    nms_candidates: int | None = optional()
    max_detections: int | None = optional()

    @cached_property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the input; None if each image keeps its own size."""
        if self.side:
            return self.side, self.side
        return (self.height, self.width) if self.height and self.width else None

    @cached_property
    def is_plain(self) -> bool:
        """Whether the outputs are detections: corners from 0 to 1, each with a score and a class."""
        return (
            bool(self.classes)
            and self.box_order in ("yxyx", "xyxy")
            and self.box_units == "unit"
            and (self.resize == "stretch" or (self.resize == "keep" and not self.size))
            and self.nms == "none"
            and self.max_detections is None
            and not (self.image or self.clip)
        )


@dataclass(frozen=True)
class Preprocessed:
    """Prepared images of a data set: the file, and how they were made; see the recipe of the data set.

    Attributes
    ----------
    kind
        ``resized``: an array with one input for each image. ``decoded``: images in their own sizes, resized when loaded.
    library
        The library that decoded and resized them: ``opencv`` or ``pillow``.
    """

    file: Path
    kind: str
    side: int
    library: str


@dataclass(frozen=True)
class Dataset:
    """Images and their annotations.

    Attributes
    ----------
    digest
        Digest of the content.
    only_annotated
        Whether images without annotations are skipped.
    inside
        Whether images are only searched below the image folder, whatever paths the annotations have.
    """

    name: str
    images: Path
    annotations: Path
    digest: str
    only_annotated: bool = False
    preprocessed: Preprocessed | None = None
    inside: bool = False


@dataclass(frozen=True)
class LoadGenSettings:
    """Settings of LoadGen. Times in ms, rates in 1/s, percentiles as 0–1.

    Attributes
    ----------
    min_query_count
        LoadGen's own minimum count; it changes the order of the samples.
    target_qps
        For MultiStream the number of intervals in a second, which LoadGen of v1.0 keeps.
    max_async_queries
        For MultiStream, the maximum number of queries in progress.
    required_query_count
        The minimum count of the rules, which a run is compared with at its end.
    early_stopping
        Whether the round requires LoadGen's early stopping to be met, and uses its estimates as the result.
    audit
        For a compliance test: additional settings of the performance run, by the names of TestSettings, and
        ``accuracy_log_sampling_target``: the approximate number of answers to log.
    """

    qsl_rng_seed: int
    sample_index_rng_seed: int
    schedule_rng_seed: int
    performance_sample_count: int
    percentile: float
    min_duration_ms: int
    min_query_count: int
    required_query_count: int
    target_qps: float | None
    target_latency_ms: float | None
    samples_per_query: int
    version: str
    version_of_round: str = "1.0"
    audit: Mapping[str, Any] = field(default_factory=dict)
    max_async_queries: int = 1
    early_stopping: bool = False


@dataclass(frozen=True)
class Built:
    """A LoadGen that a recipe built from source: the folder to import it from."""

    folder: Path
    version: str


@dataclass(frozen=True)
class MeasuredLayout:
    """The sessions, threads and batch that a short measurement found to be the fastest.

    Attributes
    ----------
    threads
        Of a session; 0 for the framework's own number.
    samples_per_second
        From which the length of a run follows: the highest rate of the measurement, or that of the last Offline run.
    backend_version
        The framework's version; the harness measures again with another one.
    measured
        The time of the measurement, in UTC, as ISO 8601 writes it.
    processes
        In how many processes the sessions were fastest.

    Raises
    ------
    FieldError
        If a number is out of its bounds.
    """

    sessions: int
    threads: int
    batch_size: int
    samples_per_second: float
    backend_version: str
    measured: str
    processes: int = optional(1)

    def __post_init__(self) -> None:
        for name, (minimum, maximum) in _LAYOUT.items():
            if not minimum <= getattr(self, name) <= maximum:
                raise FieldError(name, getattr(self, name), f"an integer from {minimum} to {maximum}")
        if not 0 < self.samples_per_second <= 1e9:
            raise FieldError("samples_per_second", self.samples_per_second, "above 0 and at most 1e9")


@dataclass(frozen=True)
class Calibration:
    """The images whose values give the ranges of 8-bit arithmetic.

    Attributes
    ----------
    count
        Of the data set, from the first, if there are no files.
    files
        Other images.
    """

    count: int = 0
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class AccuracyPart:
    """A part of an accuracy run: of its batches in order, number `index` and every `count`-th after it."""

    index: int
    count: int


_OPTION: Mapping[str, Any] = {"option": True}  # of a field: spec.json has it under the same name, as the user gave it


def _between(minimum: int, maximum: int) -> Mapping[str, Any]:
    """The bounds of an option, which are those of the command line (`ck_repo/run/options.py`)."""
    return {**_OPTION, "bounds": (minimum, maximum)}


@dataclass(frozen=True)
class Spec:
    """A run. Options that were added later have a default, so that older specs can be read.

    Attributes
    ----------
    modes
        ``accuracy``, ``performance`` or both, in this order.
    count
        Images to use, from the first; None for all.
    batch_size, threads, sessions, processes
        None if the harness chooses.
    backend_options
        The selected options of the backend.
    reference_faults
        Whether known errors of the reference harness are reproduced; the model and the data set determine which.
    trace
        Whether the time of every sample of the performance run is written: ``yes``, ``no`` or ``auto``.
    scorer
        What computes mAP: ``pycocotools``, ``faster-coco-eval`` or ``auto``.
    profile
        Whether the time that samples spend in each stage of the performance run is measured.
    cache
        Folder of preprocessed images.
    folder
        The run folder, where everything is written; it contains spec.json, which does not have this field.
    loadgen_built
        The LoadGen to import, if it is not that of the venv.
    layout
        What an earlier run measured for the same things on this machine; None lets the harness measure.
    part
        What of the accuracy run is answered, if not all; the answers are written, and nothing is scored.
    answers
        Folders of parts, whose answers the accuracy run takes instead of the model's.
    calibration
        What an option of the backend is calibrated with, if one needs that.
    """

    model: Model
    dataset: Dataset
    device: str = field(metadata=_OPTION)
    scenario: str = field(metadata=_OPTION)
    modes: tuple[str, ...]
    count: int | None = field(metadata=_between(1, 10**9))
    batch_size: int | None = field(metadata=_between(1, 10**5))
    threads: int | None = field(metadata=_between(1, 4096))
    sessions: int | None = field(metadata=_between(1, 4096))
    official: bool = field(metadata=_OPTION)
    loadgen: LoadGenSettings
    cache: Path
    reference_faults: bool = field(default=False, metadata=_OPTION)
    trace: str = field(default="auto", metadata=_OPTION)
    scorer: str = field(default="auto", metadata=_OPTION)
    profile: bool = field(default=False, metadata=_OPTION)
    processes: int | None = field(default=None, metadata=_between(1, 4096))
    backend_options: Mapping[str, str] = field(default_factory=dict, metadata=_OPTION)
    loadgen_built: Built | None = None
    layout: MeasuredLayout | None = None
    part: AccuracyPart | None = optional()
    answers: tuple[Path, ...] = optional(())
    calibration: Calibration | None = optional()
    version: int = VERSION
    folder: Path = transient(Path())


OPTIONS = tuple(each for each in fields(Spec) if "option" in each.metadata)
# an unknown key of these would be a setting that is not used; other keys of a spec may be options of another harness
EXACT = (Model, Dataset, Preprocessed, LoadGenSettings, Built, MeasuredLayout, AccuracyPart, Calibration)
