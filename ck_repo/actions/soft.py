"""Register software, models and data sets that are on the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ck_repo.actions.declare import TAGS, Actions, Answer, Option, action
from ck_repo.actions.entry_selection import matching
from ck_repo.actions.package import VENV
from ck_repo.actions.request import Request
from ck_repo.contract.record import write
from ck_repo.errors import UsageError
from ck_repo.models.interface import FIELDS
from ck_repo.store.entry import Entry, tag_list
from ck_repo.table import table_lines

if TYPE_CHECKING:
    from ck_repo.store.installed import InstalledDataset

ACTIONS: Actions = {}


@action(
    ACTIONS,
    "detect",
    "register files on disk without copying them; without --full_path: Python interpreters, or a Python package of the venv",
    example="ck detect soft:model.onnx --full_path=ssd.onnx --extra_tags=ssd-mobilenet,mine",
    options=[
        TAGS,
        Option("full_path", "the file; for a data set its folder, or any of its images", value="FILE"),
        Option("extra_tags", "tags for selecting it", value="a,b"),
        Option("profile", "for a model: the named interface to use, if several match", value="NAME"),
        Option("annotations", "for a data set: its annotations, if they are not where its format expects them", value="FILE"),
        Option("categories", "for a data set: a file with the names of its categories, one in each line", value="FILE"),
        Option("name", "a name for selecting it", value="NAME"),
        Option("dataset", "for a model: tags of its data set", value="a,b"),
        Option("try", "for a model: run ten images, draw the detections, and print the path of the image", kind="flag"),
        VENV,
        *(Option(row.name, f"interface of a model: {row.help}", value=row.value, choices=row.choices) for row in FIELDS),
    ],
)
def detect(request: Request) -> Answer:
    """Examine a file or folder, and write an env entry that refers to it."""
    from ck_repo.machine import register
    from ck_repo.machine.detector import detector
    from ck_repo.run.networks import networks_of
    from ck_repo.stock.environment import read_env

    soft = detector(request.session, matching(request))
    if soft.meta().get("detect") == "python-package":
        return _python_package(request, soft)
    if not request.text("full_path"):
        if soft.meta().get("detect") != "python":
            raise UsageError(
                f"no path was given: `ck detect {soft.cid}` needs --full_path=", hint="disks are not searched: give the file"
            )
        return _pythons()
    named = ("profile", "annotations", "dataset", "categories", "name", *(row.name for row in FIELDS))
    options = {name: request.text(name) for name in named}
    found = register.detect(soft, Path(request.text("full_path")), options, networks_of(request.session, request.text("venv")))
    entry = register.register(request.session, found, tag_list(request.text("extra_tags")))
    env = read_env(entry)
    lines = [f"registered {env.name} as env:{entry.alias}", f"tags: {','.join(env.tags)}", f"file: {env.file}"]
    if env.dataset and "2017" in env.tags and "full" not in env.tags:
        lines += [
            f"it has {env.dataset.count} of the set's 5000 images: the round's models only use it if its tags or name",
            "are given with --dataset=, or automatically if it was registered with --extra_tags=full;",
            "your own models use it automatically",
        ]
    if env.dataset:
        lines += [described(env.dataset), *(f"remark: {text}" for text in env.dataset.remarks)]
    if env.model:
        lines += [f"profile: {env.model['profile']}", *(f"input: {row}" for row in env.model["signature"]["inputs"])]
        lines += [f"`ck show model:{entry.alias}` shows its interface"]
    data: dict[str, object] = {"env": write(env), "env_uid": entry.uid, "path": str(entry.path), "tags": list(env.tags)}
    if request.flag("try") and env.model:
        from ck_repo.run.trial import try_model

        picture, detections = try_model(request.session, entry, request.text("dataset"), request.text("venv"))
        data |= {"picture": str(picture), "detections": detections}
        lines += [f"{detections} detections on ten images: {picture}"]
    return Answer(data, lines)


def described(dataset: InstalledDataset) -> str:
    """The statistics of a data set."""
    crowds = f" ({dataset.crowds} of them crowds)" if dataset.crowds else ""
    return f"{dataset.count} images, {dataset.boxes} boxes{crowds}, {dataset.categories} categories"


def _python_package(request: Request, soft: Entry) -> Answer:
    """Report a Python package of the venv. It gets no entry: the packages of a venv are read each time."""
    from ck_repo.environment.venv import chosen_name, find_venv
    from ck_repo.machine.register import python_package

    name = chosen_name(request.text("venv"))
    venv = find_venv(request.session, name)
    package, version = python_package(soft, name, venv.packages if venv else None)
    return Answer(
        {"name": package, "version": version, "venv": name, "tags": sorted(soft.tags())},
        [f"{package} {version} is in venv:{name}"],
    )


def _pythons() -> Answer:
    from ck_repo.machine.interpreter import interpreters

    rows = [(row.version, row.implementation, str(row.path)) for row in interpreters()]
    data = [{"version": version, "implementation": kind, "path": path} for version, kind, path in rows]
    return Answer({"lst": data}, table_lines(("version", "kind", "path"), rows))
