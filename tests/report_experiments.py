"""Experiments with generated images, detections and times, as a run leaves them."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coco_sets

from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find
from ck_repo.store.writing import create_entry

MALICIOUS = '</script><img src=x onerror="window.hacked=1"><b>{{7*7}}\''


@dataclass
class Made:
    """The content of a test experiment; by default an Offline run over 12 images."""

    name: str = "made"
    scenario: str = "offline"
    images: int = 12
    seed: int = 1
    label: str = "made model"
    recorded: str = "2026-01-02T03:04:05Z"
    figures: dict[str, Any] = field(default_factory=lambda: {"samples_per_second": 50.0})
    valid: bool = True
    traced: bool = True
    commit: str = "0" * 40
    tags: tuple[str, ...] = ()
    categories: dict[int, str] = field(default_factory=dict)
    file_names: dict[int, str] = field(default_factory=dict)


def detections(content: dict[str, Any], seed: int) -> dict[int, list[tuple[float, ...]]]:
    """A box near most objects, some with another class, and spurious boxes."""
    chance = random.Random(seed)
    found: dict[int, list[tuple[float, ...]]] = {}
    for index, image in enumerate(content["images"]):
        rows: list[tuple[float, ...]] = []
        for mark in (row for row in content["annotations"] if row["image_id"] == image["id"]):
            if chance.random() < 0.2:
                continue
            x, y, w, h = (value + chance.uniform(-1, 1) for value in mark["bbox"])
            kind = mark["category_id"] if chance.random() < 0.8 else chance.choice(coco_sets.CATEGORIES)
            rows.append((y / image["height"], x / image["width"], (y + h) / image["height"], (x + w) / image["width"],
                         chance.random(), kind))  # fmt: skip
        rows += [(0.1, 0.1, 0.4, 0.5, chance.random() / 2, chance.choice(coco_sets.CATEGORIES)) for _ in range(3)]
        found[index] = rows
    return found


def columns(scenario: str, count: int, seed: int) -> dict[str, Any]:
    """Times of that many samples."""
    chance = random.Random(seed)
    latency = [int(chance.gammavariate(4, 2e6)) + 1_000_000 for _ in range(count)]
    start = [0.0] * count if scenario == "offline" else [20_000.0 * number for number in range(count)]
    if scenario == "offline":
        latency = [20_000_000 * (number + 1) + value for number, value in enumerate(latency)]
    query = [0] * count if scenario == "offline" else list(range(count))
    return {"version": 1, "began": 1_700_000_000.0, "query": query, "sample": [number % 12 for number in range(count)],
            "start_us": start, "issue_ns": [100] * count, "latency_ns": latency}  # fmt: skip


def make(folder: Path, made: Made) -> Entry:
    """Write an experiment, with its data set below `folder`."""
    home = folder / f"data-{made.images}"
    if not home.exists():
        content = coco_sets.write_coco(home, made.images, drawn=True)
        for category in content["categories"]:
            category["name"] = made.categories.get(category["id"], category["name"])
        for at, name in made.file_names.items():
            old = home / "val2017" / content["images"][at]["file_name"]
            old.rename(home / "val2017" / name)
            content["images"][at]["file_name"] = name
        (home / "annotations/instances_val2017.json").write_text(json.dumps(content))
    content = json.loads((home / "annotations/instances_val2017.json").read_text())
    found = detections(content, made.seed)
    times = columns(made.scenario, 400, made.seed)
    ordered = sorted(times["latency_ns"])
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p97": 0.97, "p99": 0.99, "p99_9": 0.999}
    logged = {name: ordered[int(len(ordered) * share)] / 1e6 for name, share in shares.items()}
    performance = {
        "valid": made.valid, "duration_s": 10.0, "queries": 400, "latency_ms": logged, **made.figures,
        **({} if made.valid else {"reasons": ["Min duration satisfied : NO"]}),
    }  # fmt: skip
    meta = {
        "tags": ["experiment", *made.tags],
        "recorded": made.recorded,
        "program": {"alias": "object-detection"},
        "options": {"scenario": made.scenario},
        "repositories": {"ours": {"git": True, "commit": made.commit, "changed": False}},
        "platform": {"cpu": "a CPU", "cores_usable": 2, "memory": 2**33, "os": "an OS", "governor": "performance"},
        "venv": {"name": "v", "template": "t", "python": "3.11.1", "packages": {"numpy": "2.0"}},
        "model": {"model": {"benchmark": "ssd-mobilenet", "precision": "fp32"}},
        "results": {
            "model": made.label, "dataset": "made set", "images": made.images, "backend": "onnxruntime",
            "backend_version": "1.2", "device": "cpu", "scenario": made.scenario, "sessions": 1, "threads": 2, "batch_size": 1,
            "loadgen_version": "4.1.30", "accuracy": {"mAP": score_of(content, found), "detections": 1},
            "performance": performance,
        },
        "spec": {
            "model": {"classes_are": "coco", "side": 300},
            "dataset": {"name": "made set", "annotations": str(home / "annotations/instances_val2017.json"),
                        "images": str(home / "val2017"), "digest": _digest(home)},
            "loadgen": {"percentile": 0.9, "target_latency_ms": 15.0, "min_duration_ms": 10000},
        },
    }  # fmt: skip
    _register(home)
    entry = create_entry(Repositories().writable(), "experiment", made.name, meta)
    log = entry.path / "accuracy/mlperf_log_accuracy.json"
    log.parent.mkdir()
    rows = [
        {"seq_id": at, "qsl_idx": at, "data": b"".join(struct.pack("<7f", at, *row) for row in boxes).hex().upper()}
        for at, boxes in found.items()
    ]
    log.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    if made.traced:
        (entry.path / "performance").mkdir()
        (entry.path / "performance/queries.json").write_text(json.dumps(times))
    looks = [{"at": 1_699_999_995 + second, "busy": 0.5, "mhz": 2000.0 + second, "celsius": 50.5} for second in range(20)]
    (entry.path / "machine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in looks))
    return entry


def _digest(home: Path) -> str:
    """Replaces the digest of a data set."""
    return hashlib.sha256(home.name.encode()).hexdigest()


def _register(home: Path) -> None:
    """Register a data set, once."""
    digest = _digest(home)
    repositories = Repositories()
    if any(entry.meta().get("digest") == digest for entry in find(repositories, "env")):
        return
    parts = {"images": str(home / "val2017"), "annotations": str(home / "annotations/instances_val2017.json")}
    meta = {"tags": ["dataset"], "source": "registered", "path": str(home), "digest": digest, "dataset": parts}
    create_entry(repositories.writable(), "env", home.name, meta)


def as_results(content: dict[str, Any], found: dict[int, list[tuple[float, ...]]]) -> list[dict[str, Any]]:
    """Detections in COCO's format, as the accuracy log rounds them."""
    rows = []
    for index, boxes in found.items():
        image = content["images"][index]
        for box in boxes:
            top, left, bottom, right, score, kind = struct.unpack("<6f", struct.pack("<6f", *box))
            x, y = left * image["width"], top * image["height"]
            rows.append({"image_id": image["id"], "category_id": int(kind), "score": score,
                         "bbox": [x, y, right * image["width"] - x, bottom * image["height"] - y]})  # fmt: skip
    return rows


def coco_eval(content: dict[str, Any], results: list[dict[str, Any]]) -> Any:
    """pycocotools' own evaluation."""
    import contextlib
    import io

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(content))
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(json.loads(json.dumps(results))), iouType="bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge


def score_of(content: dict[str, Any], found: dict[int, list[tuple[float, ...]]]) -> float:
    return float(coco_eval(content, as_results(content, found)).stats[0])
