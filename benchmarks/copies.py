"""Copy an experiment many times, each with figures, a backend and a date of its own: ``copies.py EXPERIMENT COUNT``."""

from __future__ import annotations

import copy
import random
import sys

from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load
from ck_repo.store.writing import create_entry

BACKENDS = ("onnxruntime", "openvino", "tensorflow", "torch", "tflite")


def main() -> None:
    repositories = Repositories()
    source = load(repositories, "experiment", sys.argv[1]).meta()
    chance = random.Random(1)
    for number in range(int(sys.argv[2])):
        meta = copy.deepcopy(source)
        results = meta["results"]
        results["backend"] = chance.choice(BACKENDS)
        results["accuracy"]["mAP"] = round(chance.uniform(0.1, 0.4), 5)
        results["performance"] = {**(results.get("performance") or {}), "samples_per_second": chance.uniform(10, 500)}
        meta["recorded"] = f"2026-{1 + number % 12:02}-{1 + number % 28:02}T00:00:{number % 60:02}Z"
        create_entry(repositories.writable(), "experiment", f"copy-{number:04}", meta)


if __name__ == "__main__":
    main()
