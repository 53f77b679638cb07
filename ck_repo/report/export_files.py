"""Export one run in formats of other tools: detections as COCO results, times as a Chrome trace."""

from __future__ import annotations

import json

from ck_repo.errors import NotFoundError
from ck_repo.report.machine_log import read_machine_log
from ck_repo.report.objects import read_objects
from ck_repo.report.subject import Subject
from ck_repo.session import Session


def coco_results(session: Session, subject: Subject) -> str:
    """The detections of a run in COCO's format of results, for `COCO.loadRes` and FiftyOne."""
    truth, found = read_objects(session, subject)
    images, kinds = truth.images, truth.named_categories
    rows = [
        {
            "image_id": images[int(image)].named,
            "category_id": kinds.get(int(category), int(category)),
            "bbox": box,
            "score": score,
        }
        for image, category, box, score in zip(
            found.image, found.category, found.box.tolist(), found.score.tolist(), strict=True
        )
    ]
    return json.dumps(rows) + "\n"


def chrome_trace(subject: Subject) -> str:
    """The samples of a performance run in Chrome's trace format, which Perfetto opens.

    LoadGen's own trace is not valid JSON. Here a sample is an asynchronous event; pending queries and the machine's load are
    counters.

    Raises
    ------
    NotFoundError
        If the times were not recorded.
    """
    found = subject.queries
    if found is None:
        raise NotFoundError(
            f"{subject.name} has no times of single queries",
            hint="`ck run … --trace=yes` records them in official and long runs, too",
        )
    events: list[dict[str, object]] = [{"name": "process_name", "ph": "M", "pid": 1, "args": {"name": subject.name}}]
    steps: list[tuple[int, int]] = []
    for number, (query, sample, start, issue, latency) in enumerate(
        zip(found.query, found.sample, found.start_ns, found.issue_ns, found.latency_ns, strict=True)
    ):
        about = {"pid": 1, "id": number, "cat": "sample", "name": f"sample {sample}"}
        details = {"query": query, "sample": sample, "issue_delay_ns": issue, "latency_ns": latency}
        events.append({**about, "ph": "b", "ts": start / 1e3, "args": details})
        events.append({**about, "ph": "e", "ts": (start + latency) / 1e3})
        steps += [(start, 1), (start + latency, -1)]
    depth = 0
    for at, step in sorted(steps):
        depth += step
        events.append({"name": "pending", "ph": "C", "pid": 1, "ts": at / 1e3, "args": {"samples": depth}})
    if found.began is not None:
        for look in read_machine_log(subject.folder):
            values = {"busy": look.busy, "MHz": look.mhz, "°C": look.celsius}
            for name, value in values.items():
                if value is not None and look.at >= found.began:
                    events.append(
                        {"name": name, "ph": "C", "pid": 1, "ts": (look.at - found.began) * 1e6, "args": {name: value}}
                    )
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, ensure_ascii=False) + "\n"
