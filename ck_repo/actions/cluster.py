"""Clusters: certificates."""

from __future__ import annotations

import shlex

from ck_repo.actions.declare import Actions, Answer, action
from ck_repo.actions.entry_data import row_of
from ck_repo.actions.request import Request

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "create",
    "create certificates for the connections of a campaign's machines",
    example="ck create cluster",
)
def create(request: Request) -> Answer:
    """Create certificates, and show how to start a scheduler and workers with them."""
    from ck_repo.campaign.certificates import CERTIFICATE, certificates, create_certificates, worker_words
    from ck_repo.campaign.remote import MEASUREMENT

    entry = create_certificates(request.session, request.entry)
    files = certificates(request.session, entry.alias)
    words = shlex.join(worker_words(files))
    return Answer(
        {**row_of(entry), "files": files},
        [
            f"created {entry.cid}: {entry.path}",
            "copy this folder to every machine of the cluster; everyone who has it can run code on the cluster",
            "",
            "on one machine:",
            f"  dask scheduler --protocol tls --port 8786 --no-dashboard {words}",
            "on each machine that runs benchmarks:",
            f"  dask worker tls://HOST:8786 --name $(hostname) --nthreads 1 --resources {MEASUREMENT}=1 --memory-limit 0 "
            f"--no-dashboard {words}",
            "here:",
            "  ck sweep program:object-detection --cluster=tls://HOST:8786 --over…",
            "",
            "--cluster=ssh:hosts.yaml and --cluster=slurm:profile.yaml start scheduler and workers (docs/many-machines.md)",
            "",
            f"`openssl x509 -in {files[CERTIFICATE]} -noout -enddate` shows when they expire",
        ],
    )
