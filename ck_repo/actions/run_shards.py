"""``--shards=`` of `ck run`: how an accuracy run is divided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ck_repo.actions.machine_venv import given_venv_file
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError

if TYPE_CHECKING:
    from ck_repo.run.options import RunOptions
    from ck_repo.run.shards import Answering

_MACHINES = "machines"
_MAXIMUM = 1000


def read_shards(request: Request, options: RunOptions) -> int | None:
    """How many shards are asked for: 0 for one a machine, None for none.

    Raises
    ------
    UsageError
        If the number is invalid, or the run cannot be divided.
    """
    text, cluster = request.text("shards"), request.text("cluster")
    given_venv_file(request, cluster=bool(cluster), venv=False)
    if not text:
        if cluster:
            raise UsageError(
                "--cluster= of `ck run` is for the shards of an accuracy run",
                hint="add --shards=machines, or use `ck sweep` for runs on machines of a cluster",
            )
        return None
    if text != _MACHINES and not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAXIMUM):
        raise UsageError(f"--shards={text} is not a number from 1 to {_MAXIMUM}, or `machines`", hint="for example --shards=4")
    if text == _MACHINES and not cluster:
        raise UsageError("--shards=machines needs machines", hint="name them with --cluster=, or write --shards=N")
    if "accuracy" not in options.modes:
        raise UsageError(
            "--shards= divides accuracy runs, and this is a performance run, which is never divided",
            hint="omit it, or add --mode=accuracy",
        )
    if options.official and cluster:
        raise UsageError(
            "the accuracy of an official run has to be measured on one system, not on several machines",
            hint="omit --cluster=; --shards=N divides it among processes of this machine",
        )
    return 0 if text == _MACHINES else int(text)


@contextmanager
def answering(request: Request, shards: int | None) -> Iterator[Answering | None]:
    """What answers the shards while the body runs; None if the run is not divided."""
    if shards is None:
        yield None
        return
    if not request.text("cluster"):
        from ck_repo.run.shards import ShardsHere

        yield ShardsHere(shards)
        return
    from ck_repo.campaign.cluster import connected, read_place
    from ck_repo.campaign.parts_on_machines import PartsOnMachines
    from ck_repo.campaign.shard_machines import ShardsOnMachines

    place = read_place(request.text("cluster"))
    venv_file = given_venv_file(request, cluster=True, venv=False)  # --venv= is that of this machine
    with connected(request.session, place, request.text("certificates"), every=True) as cluster:
        yield ShardsOnMachines(request.session, PartsOnMachines(request.session, cluster, shards, venv_file))
