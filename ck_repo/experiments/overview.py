"""An experiment as a line of a list: what was measured, and the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ck_repo.contract.results import Results
from ck_repo.errors import CKError
from ck_repo.experiments.experiment_table import summary_line
from ck_repo.experiments.figures import figures
from ck_repo.experiments.meta import ExperimentMeta, read_meta
from ck_repo.stock.experiment import is_stock_experiment, read_stock_experiment, summary
from ck_repo.store.entry import META, Entry
from ck_repo.store.installed import Installed

_EIGHT_BITS = frozenset({"int8", "uint8"})
HEADER = (
    "experiment", "model", "data set", "images", "backend", "precision", "scenario", "mAP", "performance", "recorded",
)  # fmt: skip
SPARE = ("precision", "images", "backend", "data set", "recorded")  # columns that a narrow list drops, in this order


@dataclass(frozen=True)
class Overview:
    """A line of `ck ls experiment`.

    Attributes
    ----------
    mAP_value, value
        The metrics as numbers, for sorting; None if missing.
    error
        Why the experiment cannot be read; empty if it can.
    """

    experiment: str
    model: str = ""
    dataset: str = ""
    images: int | None = None
    backend: str = ""
    precision: str = ""
    scenario: str = ""
    mAP: str = "-"
    performance: str = "-"
    recorded: str = ""
    mAP_value: float | None = None
    value: float | None = None
    error: str = ""

    def cells(self) -> tuple[str, ...]:
        """The cells in the order of `HEADER`."""
        images = "" if self.images is None else str(self.images)
        return (
            self.experiment, self.model, self.dataset, images, self.backend, self.precision, self.scenario, self.mAP,
            self.performance, self.recorded[:16].replace("T", " "),
        )  # fmt: skip

    def as_data(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


SORTED_BY = {
    "experiment": "experiment", "model": "model", "dataset": "dataset", "images": "images", "backend": "backend",
    "precision": "precision", "scenario": "scenario", "mAP": "mAP_value", "performance": "value", "recorded": "recorded",
}  # fmt: skip


def overview(entry: Entry) -> Overview:
    """The line of an experiment, of ours or of stock CK; for an unreadable one it has the reason."""
    try:
        content = entry.meta()
        if is_stock_experiment(entry, content):
            found = read_stock_experiment(entry, content)
            points, figure = summary(found)
            name = f"stock CK: {','.join(found.tags)}"
            return Overview(entry.alias, name, scenario=points, performance=figure, recorded=found.recorded)
        meta = read_meta(content, entry.path / META)
    except CKError as error:
        return Overview(entry.alias, error=error.what)
    model, scenario, accuracy, performance, recorded = summary_line(meta)
    results, measured = meta.results or Results(), figures(meta)
    return Overview(
        entry.alias, model, results.dataset, results.images, results.backend, precision(meta), scenario, accuracy, performance,
        recorded, measured.mAP, measured.value,
    )  # fmt: skip


def precision(meta: ExperimentMeta) -> str:
    """The precision of the model's weights, from its meta or its tags; empty for a published result."""
    if meta.published:
        return ""
    model = meta.model or Installed()
    return precision_of(model.model or {}, model.tags)


def precision_of(model: Mapping[str, Any], tags: Iterable[str]) -> str:
    """The precision of a model's weights, from the section `model` of its meta or from its tags; otherwise ``fp32``."""
    return str(model.get("precision") or ("int8" if _EIGHT_BITS & {*tags} else "fp32"))


def ordered(rows: list[Overview], key: str = "", limit: int | None = None) -> list[Overview]:
    """Sort the list.

    Parameters
    ----------
    key
        A key of `SORTED_BY`; with a dash before it in descending order. Without one the oldest come first.
    limit
        Maximum number: the first ones, or without a key the latest.
    """
    by_age = sorted(rows, key=lambda row: (row.recorded, row.experiment))
    if not key:
        return by_age[-limit:] if limit else by_age
    name = SORTED_BY[key.removeprefix("-")]
    having = [row for row in by_age if getattr(row, name) not in (None, "")]
    lacking = [row for row in by_age if getattr(row, name) in (None, "")]
    found = [*sorted(having, key=lambda row: getattr(row, name), reverse=key.startswith("-")), *lacking]
    return found[:limit] if limit else found
