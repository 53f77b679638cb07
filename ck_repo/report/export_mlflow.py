"""Export experiments as runs of MLflow, with its own client."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ck_repo import progress
from ck_repo.errors import CKError, StorageError
from ck_repo.report.flat import flat_row
from ck_repo.report.subject import Subject
from ck_repo.store.plain_file import flaw

_FIGURES = ("figure", "mAP", "p99_ms", "accuracy.", "performance.")  # prefixes of columns with measurements
_FILES = (
    "spec.json", "results.json", "lock.json", "machine.jsonl", "accuracy/accuracy.txt", "performance/mlperf_log_summary.txt",
    "performance/mlperf_log_detail.txt", "performance/queries.json",
)  # fmt: skip
_LONGEST = 500  # maximum characters of a parameter on servers


def log_runs(subjects: Sequence[Subject], address: str, experiment: str) -> list[str]:
    """Log experiments to a tracking folder or a server; those that exist there, by their UID, are skipped.

    Returns
    -------
    list of str
        The ids of the runs.

    Raises
    ------
    StorageError
        If the folder or the server refuses the runs.
    """
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # the user requested a folder
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        client = MlflowClient(tracking_uri=address)
        known = client.get_experiment_by_name(experiment)
        identity = known.experiment_id if known else client.create_experiment(experiment)
        with progress.task("logging to MLflow", len(subjects), "runs") as task:
            done = []
            for number, subject in enumerate(subjects, 1):
                done.append(_log(client, identity, subject))
                task.advance_to(number)
        return done
    except MlflowException as error:
        raise StorageError(
            f"MLflow at {address} refuses the runs: {str(error).splitlines()[0]}",
            hint="--to= expects a folder, or a server's URL",
        ) from None


def _log(client: Any, identity: str, subject: Subject) -> str:
    from mlflow.entities import Metric, Param, RunTag

    uid = subject.entry.uid
    there = client.search_runs([identity], filter_string=f"tags.`ck.uid` = '{uid}'", max_results=1)
    if there:
        return str(there[0].info.run_id)
    run = client.create_run(identity, run_name=subject.name, tags={"ck.uid": uid})
    try:
        params, metrics = [], []
        for name, value in flat_row(subject).items():
            if value is None or value == "":
                continue
            if isinstance(value, int | float) and not isinstance(value, bool) and name.startswith(_FIGURES):
                metrics.append(Metric(_plain(name), float(value), run.info.start_time, 0))
            else:
                params.append(Param(_plain(name), str(value)[:_LONGEST]))
        tags = [RunTag("ck.repository", subject.entry.repository), RunTag("ck.recorded", str(subject.meta.get("recorded", "")))]
        for start in range(0, len(params), 100):
            client.log_batch(run.info.run_id, params=params[start : start + 100])
        client.log_batch(run.info.run_id, metrics=metrics, tags=tags)
        for name in _FILES:
            if not flaw(subject.folder, name):
                client.log_artifact(run.info.run_id, str(subject.folder / name), os.path.dirname(name) or None)
    except (CKError, OSError):
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _plain(name: str) -> str:
    """A name with the characters that MLflow allows."""
    return "".join(sign if sign.isalnum() or sign in "_-. /" else "-" for sign in name)
