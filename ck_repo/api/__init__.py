"""The typed Python interface: run, show, find and compare benchmarks.

>>> from ck_repo import api
>>> done = api.run(scenario="singlestream", count=50, seconds=2)  # doctest: +SKIP
>>> done.accuracy.mAP, done.performance.valid  # doctest: +SKIP
(0.8316, True)
"""

from ck_repo.api.benchmark import run
from ck_repo.api.comparison import Comparison, Property, compare
from ck_repo.api.experiment import Accuracy, Experiment, Experiments, Performance
from ck_repo.api.lookup import find, show
from ck_repo.api.progress import Progress
from ck_repo.errors import CKError

__all__ = [
    "Accuracy", "CKError", "Comparison", "Experiment", "Experiments", "Performance", "Progress", "Property", "compare", "find",
    "run", "show",
]  # fmt: skip
