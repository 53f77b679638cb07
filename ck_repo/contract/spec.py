"""spec.json: what the engine requests from the harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .record import optional, transient

VERSION = 1


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

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the input; None if each image keeps its own size."""
        if self.side:
            return self.side, self.side
        return (self.height, self.width) if self.height and self.width else None

    @property
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


# metadata of a field: spec.json has it under the same name, with the user's value
_OPTION: Mapping[str, Any] = {"option": True}


def _between(least: int, most: int) -> Mapping[str, Any]:
    """The bounds of an option, which are those of the command line (`ck_repo/run/options.py`)."""
    return {**_OPTION, "bounds": (least, most)}


@dataclass(frozen=True)
class Spec:
    """A run. Options that were added later have a default, so that older specs can be read.

    Attributes
    ----------
    modes
        ``accuracy``, ``performance`` or both, in this order.
    count
        Images to use, from the first; None for all.
    batch_size, threads, sessions
        None if the harness chooses.
    backend_options
        The selected options of the backend.
    reference_faults
        Whether known errors of the reference harness are reproduced; the model and the data set determine which.
    trace
        Whether to write the time of every sample of the performance run: ``yes``, ``no`` or ``auto``.
    cache
        Folder of preprocessed images.
    folder
        The run folder, where everything is written; it contains spec.json, which does not have this field.
    loadgen_built
        The LoadGen to import, if it is not that of the venv.
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
    backend_options: Mapping[str, str] = field(default_factory=dict, metadata=_OPTION)
    loadgen_built: Built | None = None
    version: int = VERSION
    folder: Path = transient(Path())


OPTIONS = tuple(each for each in fields(Spec) if "option" in each.metadata)
# an unknown key of these would be an ignored setting; other keys of a spec may be options of another harness
EXACT = (Model, Dataset, Preprocessed, LoadGenSettings, Built)
