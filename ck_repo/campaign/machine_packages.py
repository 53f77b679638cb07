"""The Python packages in the venvs of a cluster's machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ck_repo.campaign.cluster import Cluster, Machine
from ck_repo.campaign.venv_packages import Packages, packages_in
from ck_repo.environment.venv import chosen_name, find_venv
from ck_repo.errors import CKError
from ck_repo.session import Session


def reported_packages(
    cluster: Cluster, machines: Sequence[Machine], venvs: Iterable[str]
) -> dict[str, dict[str, Packages | None]]:
    """What the venvs of machines have now.

    Parameters
    ----------
    venvs
        Values of the option `venv`.

    Returns
    -------
    dict
        The packages by the machine's name and by the value of the option, None without such a venv. A machine whose worker does
        not answer is missing.
    """
    workers = {worker: machine.name for machine in machines for worker in machine.workers}
    addresses: dict[str, str] = {}
    for worker, address in cluster.addresses().items():
        if name := workers.get(worker):
            addresses.setdefault(name, address)
    answers = cluster.ask(list(addresses.values()), packages_there, sorted(set(venvs)))
    return {
        name: {venv: Packages(*found) if found else None for venv, found in answers[address].items()}
        for name, address in addresses.items()
        if isinstance(answers.get(address), Mapping)
    }


def packages_there(venvs: Sequence[str]) -> dict[str, Any]:
    """On a worker: the version of Python and those of the packages in each venv, as plain data; None without a usable venv."""
    found: dict[str, Any] = {}
    for name in venvs:
        try:
            venv = find_venv(Session(), chosen_name(name))
            packages = packages_in(venv.python, venv.version) if venv else None
        except CKError:
            packages = None
        found[name] = packages and (packages.python, dict(packages.versions))
    return found
