"""The known networks and families of exports: the benchmark's own, and those of packages in a venv."""

from __future__ import annotations

from collections.abc import Mapping

from ck_repo.environment.venv import chosen_name, find_venv
from ck_repo.machine.python_packages import site_packages
from ck_repo.models.declared import own_folder
from ck_repo.models.networks import Network, read_networks
from ck_repo.session import Session


def networks_of(session: Session, venv_name: str = "") -> Mapping[str, Network]:
    """The benchmark's own networks, and those that packages in the venv declare, if there is a venv."""
    venv = find_venv(session, chosen_name(venv_name))
    return read_networks([own_folder(), site_packages(venv.python) if venv else None])
