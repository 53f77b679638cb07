"""``--bundle=`` and ``--lock=``: what the machines of a cluster make their venv from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import Option
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError

if TYPE_CHECKING:
    from ck_repo.campaign.venv_file import VenvFile

VENV_FILES = (
    Option("bundle", "a bundle from which machines of the cluster create the venv, without the network", value="FILE"),
    Option("lock", "a lock from which machines of the cluster create the venv", value="FILE"),
)


def given_venv_file(request: Request, *, cluster: bool, venv: bool) -> VenvFile | None:
    """The bundle or lock of a request.

    Parameters
    ----------
    cluster
        Whether machines of a cluster are used.
    venv
        Whether the runs name a venv.
    """
    from ck_repo.campaign.venv_file import read_venv_file

    given = [kind for kind in ("bundle", "lock") if request.text(kind)]
    if not given:
        return None
    if len(given) > 1:
        raise UsageError("--bundle= and --lock= exclude each other", hint="omit one of them")
    if not cluster:
        raise UsageError(
            f"--{given[0]}= is for the machines of a cluster",
            hint=f"name them with --cluster=; or create a venv for --venv=NAME: `ck create venv:NAME --{given[0]}=FILE`",
        )
    if venv:
        raise UsageError(f"--{given[0]}= and --venv= exclude each other", hint="omit one of them")
    return read_venv_file(given[0], Path(request.text(given[0])))
