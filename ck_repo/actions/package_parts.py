"""``--cluster=`` of `ck install package`: a prepared data set is made in parts by several machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import Option
from ck_repo.actions.machine_venv import VENV_FILES, given_venv_file
from ck_repo.actions.request import Request
from ck_repo.errors import UsageError

if TYPE_CHECKING:
    from ck_repo.resolve.plan import Choice
    from ck_repo.run.shards import Shard

_MAXIMUM = 1000
IN_PARTS = (
    Option("cluster", "for a prepared data set: machines that prepare it in parts", value="ssh:hosts.yaml"),
    Option("shards", "number of parts (default: one for each machine)", value="N"),
    Option("certificates", "the name of the cluster's certificates, of `ck create cluster:NAME`", value="NAME"),
    *VENV_FILES,
)


@contextmanager
def parts_of(
    request: Request, choice: Choice, python: Path | None, tags: str, version: str
) -> Iterator[tuple[Sequence[Path], Sequence[Shard]]]:
    """The folders of the parts that machines have made, and who made them; none without a cluster, or if nothing is to be made.

    Parameters
    ----------
    tags, version
        What the choice was resolved from.

    Raises
    ------
    UsageError
        If the package cannot be divided, or an option needs a cluster.
    """
    where = request.text("cluster")
    venv_file = given_venv_file(request, cluster=bool(where), venv=False)
    count = _count(request)
    if not where or choice.ready:
        yield (), ()
        return
    from ck_repo.campaign.cluster import connected, read_place
    from ck_repo.campaign.package_machines import Wanted, make_on_machines
    from ck_repo.campaign.parts_on_machines import PartsOnMachines
    from ck_repo.install.installer import is_divisible
    from ck_repo.resolve.plan import NewPackage
    from ck_repo.store.entry import tag_list
    from ck_repo.store.folders import tools_root
    from ck_repo.store.work import scratch_folder

    if not isinstance(choice, NewPackage) or not is_divisible(choice) or python is None:
        raise UsageError(
            f"{choice.name} cannot be made in parts: --cluster= is for packages whose recipe can be divided",
            hint="omit --cluster=; data sets with the tag `preprocessed` can be made in parts",
        )
    place = read_place(where)
    added = {key: tag_list(str(tags)) for key, tags in request.nested("dep_add_tags").items()}
    wanted = Wanted(tags, version, added)
    with scratch_folder(tools_root(), "parts") as folder:
        with connected(request.session, place, request.text("certificates"), every=True) as cluster:
            machines = PartsOnMachines(request.session, cluster, count, venv_file)
            found = make_on_machines(request.session, cluster, machines, choice, wanted, python, Path(folder))
        yield found


def _count(request: Request) -> int:
    """How many parts; 0 for one a machine."""
    text = request.text("shards")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAXIMUM):
        raise UsageError(f"--shards={text} is not a number from 1 to {_MAXIMUM}", hint="for example --shards=4")
    if not request.text("cluster"):
        raise UsageError("--shards= is for the machines of a cluster", hint="add --cluster=")
    return int(text)
