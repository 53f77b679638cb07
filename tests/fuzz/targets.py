"""Every parser with its inputs. A parser returns or raises an error of ck's own family; anything else is a failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fuzz import documents as docs
from fuzz.inputs import as_file, damaged_bytes, damaged_json
from hypothesis import strategies as st
from object_detection.datasets.__main__ import answer
from object_detection.datasets.header import read_header
from object_detection.datasets.names_file import read_yaml
from object_detection.errors import HarnessError

from ck_repo.cli import words
from ck_repo.cli.checking import checked_options
from ck_repo.environment.lockfile import lock_of_experiment, parse_lock, read_lock
from ck_repo.environment.template import read_template
from ck_repo.experiments.compare import side_by_side
from ck_repo.experiments.detections import agreement
from ck_repo.experiments.experiment_table import experiment_lines, summary_line
from ck_repo.experiments.figures import figures
from ck_repo.experiments.meta import read_experiment, read_meta
from ck_repo.experiments.published import _rows_of, read_table
from ck_repo.install.git_source import read_commit
from ck_repo.install.source import read_source, source_of, with_local_mirrors
from ck_repo.machine.register import problem
from ck_repo.models.model_file import inspect_model
from ck_repo.reproduce.nearest_run import match
from ck_repo.reproduce.verdict import USUAL, judge, verdict_lines
from ck_repo.resolve.component import read_component
from ck_repo.resolve.variations import choose, offered
from ck_repo.resolve.versions import satisfies
from ck_repo.rounds.check.power import read_samples as read_power
from ck_repo.rounds.check.tree import check_tree
from ck_repo.rounds.logs import read_accuracy, read_detail, read_summary
from ck_repo.rounds.round import load_round
from ck_repo.rounds.submission import find_results, read_result
from ck_repo.rounds.truncate import truncate_log
from ck_repo.rounds.user_conf import parse_conf, targets_of, with_setting
from ck_repo.run.recorded_options import options_of
from ck_repo.run.spellings import from_cmd_key, from_environment, from_extra_ops
from ck_repo.stock.environment import read_env
from ck_repo.store.archive import unpack_entries
from ck_repo.store.entry import Entry, read_uid
from ck_repo.store.fields import Fields
from ck_repo.store.index import ModuleIndex
from ck_repo.store.query import TagQuery
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import check_name, read_repository
from ck_repo.store.search import find, load
from ck_repo.store.unpack import unpack

Target = tuple[st.SearchStrategy[Any], Callable[[Any, Path], object]]


def _entry(folder: Path, meta: object, module: str = "experiment", alias: str = "a") -> Entry:
    path = folder / module / alias
    (path / ".cm").mkdir(parents=True, exist_ok=True)
    (path / ".cm" / "meta.json").write_bytes(meta if isinstance(meta, bytes) else as_file(meta))
    return Entry("local", module, alias, "a" * 16, path)


def _file(content: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


_RUN = read_meta(docs.RUN, "run")


def _experiment(meta: Any, folder: Path) -> None:
    entry = _entry(folder, meta)
    content = read_experiment(entry)
    summary_line(content)
    "\n".join(experiment_lines("a", content)).encode(errors="backslashreplace")
    figures(content)
    side_by_side([entry, _entry(folder, docs.RUN, alias="b")])
    side_by_side([_entry(folder, docs.IMPORTED, alias="c"), entry])
    lock_of_experiment(entry.path, content.data)


def _verdict(meta: Any, folder: Path) -> None:
    entry, other = _entry(folder, meta), _entry(folder, docs.RUN, alias="b")
    verdict = judge((entry.path, read_experiment(entry)), [(other.path, _RUN)] * 3, [], USUAL)
    verdict_lines(verdict)
    json.dumps(verdict.as_data(), default=str)
    judge((other.path, _RUN), [(entry.path, read_experiment(entry))], [], USUAL)


def _samples(content: bytes, folder: Path) -> None:
    one, other = _file(content, folder, "one.json"), _file(docs.LOGGED, folder, "other.json")
    agreement(one, other)
    agreement(other, one)


def _lock(content: Any, folder: Path) -> None:
    path = _file(as_file(content), folder, "lock.json")
    lock = read_lock(path)
    lock.as_data()
    for row in lock.components:
        for download in row.downloads:
            source_of(download, "lock")
    options_of(lock, _entry(folder, docs.RUN))


def _old_lock(content: Any, folder: Path) -> None:
    parse_lock(content if isinstance(content, dict) else {}, "lock").as_data()


def _component(meta: Any, folder: Path) -> None:
    component = read_component(_entry(folder, meta, "package"))
    choose(component, {"model", "small"})
    offered(component, {"s"})
    component.fields(tuple(component.variations)[:1])


def _source(content: Any, folder: Path) -> None:
    source = with_local_mirrors(read_source(Fields(content, "recipe")))
    assert source.urls
    _ = source.pinned


def _url(url: str, folder: Path) -> None:
    read_commit(url)
    _source({"url": url}, folder)


def _env(meta: Any, folder: Path) -> None:
    env = read_env(_entry(folder, meta, "env"))
    problem(env)
    TagQuery.parse("model,-x").matches(env.tags)


def _search(meta: Any, folder: Path) -> None:
    entry = _entry(folder / "CK" / "local", meta, "dataset")
    (entry.path.parent / ".cm").mkdir(exist_ok=True)
    (entry.path.parent / ".cm" / "alias-a-a").write_text("a" * 16 + "\n")
    find(Repositories(), "dataset", tags="model")
    find(Repositories(), "dataset", "*", text="mo")
    index = ModuleIndex(entry.path.parent)
    index.tags()
    index.problems()
    index.close()
    load(Repositories(), "dataset", "a" * 16).tags()


def _repository(content: Any, folder: Path) -> None:
    repository = folder / "CK" / "r"
    repository.mkdir(parents=True, exist_ok=True)
    _file(as_file(content), repository, ".ckr.json")
    Repositories().all()
    read_repository(repository)


def _name(name: str, folder: Path) -> None:
    entry = _entry(folder / "CK" / "local", {"tags": ["x"]}, "dataset")
    find(Repositories(), "dataset", name)
    check_name(name)
    path = entry.path.with_name(name)
    path.mkdir(exist_ok=True)
    path.rmdir()


def _uid(content: bytes, folder: Path) -> None:
    entry = _entry(folder, {}, "dataset")
    (entry.path.parent / ".cm").mkdir(exist_ok=True)
    _file(content, entry.path.parent / ".cm", "alias-a-a")
    _file(content, entry.path / ".cm", "info.json")
    read_uid(entry.path)


def _words(typed: list[str], folder: Path) -> None:
    from ck_repo.actions import catalogue

    parsed = words.parse(typed)
    module = catalogue.known_module("program", Repositories())
    checked_options(parsed.options, catalogue.find_action(module, "run"), "run program")


def _option_file(suffix: str) -> Callable[[Any, Path], object]:
    def run(content: bytes, folder: Path) -> None:
        _words(["run", "program", f"@{_file(content, folder, 'options' + suffix)}"], folder)

    return run


def _unpack(content: bytes, folder: Path) -> None:
    target = folder / "out"
    target.mkdir(exist_ok=True)
    unpack(_file(content, folder, "archive"), target)


def _unzip(content: bytes, folder: Path) -> None:
    repositories = Repositories()
    unpack_entries(_file(content, folder, "archive.zip"), repositories, repositories.writable(), overwrite=True)


def _template(content: bytes, folder: Path) -> None:
    entry = _entry(folder, {}, "env_templates")
    _file(content, entry.path, "template.yaml")
    read_template(entry)


def _tree(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for place in find_results(folder / "tree"):
        match(read_result(load_round(), place))
    for row in check_tree(load_round(), folder / "tree").results:
        json.dumps([each.as_data() for each in row.findings])


_RESULT = "closed/Us/results/box/ssd-small/Offline"
_TREE = {
    "closed/Us/systems/box.json": as_file(docs.SYSTEM),
    f"{_RESULT}/performance/run_1/mlperf_log_detail.txt": docs.DETAIL,
    f"{_RESULT}/performance/run_1/mlperf_log_summary.txt": docs.SUMMARY,
    f"{_RESULT}/accuracy/accuracy.txt": docs.ACCURACY,
    f"{_RESULT}/accuracy/mlperf_log_accuracy.json": docs.LOGGED,
    f"{_RESULT}/accuracy/mlperf_log_detail.txt": docs.DETAIL,
    "closed/Us/measurements/box/ssd-small/Offline/user.conf": docs.CONF,
    "closed/Us/measurements/box/ssd-small/Offline/box_x_Offline.json": as_file(docs.MEASUREMENT),
    "closed/Us/compliance/box/ssd-small/Offline/TEST01/performance/run_1/mlperf_log_detail.txt": docs.DETAIL,
    "closed/Us/compliance/box/ssd-small/Offline/TEST01/accuracy/baseline_accuracy.txt": docs.ACCURACY,
    "closed/Us/compliance/box/ssd-small/Offline/TEST01/accuracy/compliance_accuracy.txt": docs.ACCURACY,
    "closed/Us/compliance/box/ssd-small/Offline/TEST01/verify_performance.txt": b"TEST PASS\n",
}


@st.composite
def _trees(draw: st.DrawFn) -> dict[str, bytes]:
    names = draw(st.lists(st.sampled_from(sorted(_TREE)), min_size=1, max_size=3, unique=True))
    return _TREE | {name: draw(damaged_bytes([_TREE[name]])) for name in names}


def _log(folder: Path, content: bytes) -> None:
    _file(content, folder, "mlperf_log_accuracy.json")
    _file(docs.ACCURACY, folder, "accuracy.txt")
    truncate_log(load_round(), folder)


_TEXT = st.text(st.characters(), max_size=30)
_WORDS = st.lists(
    st.one_of(
        _TEXT,
        st.builds(lambda key, value: f"--{key}={value}", st.sampled_from(["scenario", "env.X", "a.b.c", "count", "sessions"]), _TEXT),
        st.builds(lambda value: "@@@" + as_file(value).decode(), damaged_json([{"scenario": "offline", "env": {"A": "1"}, "sessions": 2}])),
        st.sampled_from(["run", "program:object-detection", "a:b:c:d", "--", "-", "--=", "@", "@@@", "--sessions=1e400", "@/dev/null"]),
    ),
    max_size=6,
)  # fmt: skip
_YAML = [docs.TEMPLATE, b"scenario: offline\nenv: {A: 1}\nd: 2020-01-01\nb: !!binary aGk=\n", b"a: &x [*x]\n"]

TARGETS: dict[str, Target] = {
    "experiments": (damaged_json(docs.EXPERIMENTS), _experiment),
    "experiment bytes": (damaged_bytes([as_file(docs.RUN), as_file(docs.IMPORTED)]), _experiment),
    "verdicts": (damaged_json(docs.EXPERIMENTS), _verdict),
    "accuracy logs": (damaged_bytes([docs.LOGGED]), _samples),
    "truncation": (damaged_bytes([docs.LOGGED]), lambda content, folder: _log(folder, content)),
    "locks": (damaged_json([docs.LOCK]), _lock),
    "locks of format 0": (damaged_json([docs.OLD_LOCK]), _old_lock),
    "components": (damaged_json([docs.PACKAGE]), _component),
    "sources": (damaged_json([docs.SOURCE]), _source),
    "urls": (_TEXT, _url),
    "env entries": (damaged_json([docs.ENV]), _env),
    "search": (damaged_json([docs.PACKAGE, docs.ENV]), _search),
    "published results": (damaged_json([docs.RESULTS]), lambda meta, folder: _rows_of(_entry(folder, meta, "result"))),
    "tables": (damaged_bytes([docs.TABLE]), lambda content, folder: read_table(load_round(), _file(content, folder, "table.csv"))),
    "repositories": (damaged_json([docs.REPOSITORY]), _repository),
    "names": (_TEXT, _name),
    "uids": (damaged_bytes([b"a" * 16 + b"\n", b'{"backup_data_uid": "' + b"b" * 16 + b'"}']), _uid),
    "words": (_WORDS, _words),
    "options from JSON": (damaged_bytes([b'{"scenario": "offline", "sessions": 2}']), _option_file(".json")),
    "options from YAML": (damaged_bytes(_YAML), _option_file(".yaml")),
    "options of stock CK": (_TEXT, lambda text, folder: (from_cmd_key(text), from_extra_ops(text))),
    "environment of stock CK": (
        damaged_json([{"CK_BATCH_SIZE": "1", "CK_LOADGEN_SCENARIO": "Offline"}]),
        lambda value, folder: from_environment(value if isinstance(value, dict) else {}),
    ),
    "archives, zip": (damaged_bytes([docs.zip_archive()]), _unpack),
    "archives, tar": (damaged_bytes([docs.tar_archive(form) for form in ("", "gz", "bz2", "xz")]), _unpack),
    "entries of an archive": (damaged_bytes([docs.zip_archive()]), _unzip),
    "templates": (damaged_bytes([docs.TEMPLATE]), _template),
    "submission trees": (_trees(), _tree),
    "detail logs": (damaged_bytes([docs.DETAIL]), lambda content, folder: read_detail(_file(content, folder, "d")).asked()),
    "summaries": (damaged_bytes([docs.SUMMARY]), lambda content, folder: read_summary(_file(content, folder, "s"))),
    "accuracy texts": (damaged_bytes([docs.ACCURACY]), lambda content, folder: read_accuracy(_file(content, folder, "a"))),
    "power logs": (damaged_bytes([docs.POWER]), lambda content, folder: list(read_power(_file(content, folder, "p")))),
    "confs": (
        damaged_bytes([docs.CONF]),
        lambda content, folder: (
            parse_conf(content.decode(errors="replace")), targets_of(load_round(), content.decode(errors="replace"), "ssd-small", "Offline")
        ),
    ),
    "conf settings": (
        damaged_bytes([docs.CONF]),
        lambda content, folder: with_setting(content.decode("latin-1"), "ssd-small.Offline.target_qps = 3"),
    ),
    "versions": (_TEXT, lambda text, folder: (satisfies("1.2", text), satisfies(text, ">=1"))),
    "tag queries": (_TEXT, lambda text, folder: TagQuery.parse(text).matches({"a"})),
    "onnx": (damaged_bytes([docs.ONNX]), lambda content, folder: inspect_model(_file(content, folder, "m"), "onnx")),
    "tflite": (damaged_bytes([docs.TFLITE]), lambda content, folder: inspect_model(_file(content, folder, "m"), "tflite")),
    "tensorflow": (damaged_bytes([docs.GRAPH]), lambda content, folder: inspect_model(_file(content, folder, "m"), "tensorflow")),
    "pytorch": (damaged_bytes([docs.TORCH]), lambda content, folder: inspect_model(_file(content, folder, "m"), "pytorch")),
    "coco": (
        damaged_json([docs.COCO]),
        lambda value, folder: _data_set("coco", folder, _file(as_file(value), folder, "annotations.json")),
    ),
    "voc": (damaged_bytes([docs.VOC]), lambda content, folder: _data_set("voc", folder, _file(content, folder, "images/a.xml"))),
    "yolo": (damaged_bytes([docs.YOLO]), lambda content, folder: _data_set("yolo", folder, _file(content, folder, "images/a.txt"))),
    "yolo names": (damaged_bytes([docs.YAML]), lambda content, folder: _caught(lambda: read_yaml(_file(content, folder, "y")))),
    "open images": (
        damaged_bytes([docs.OPEN_IMAGES]),
        lambda content, folder: _data_set("openimages", folder, _file(content, folder, "boxes.csv")),
    ),
    "image headers": (damaged_bytes(docs.IMAGES), lambda content, folder: read_header(_file(content, folder, "a.jpg"))),
}  # fmt: skip


def _images(folder: Path) -> Path:
    path = folder / "images"
    path.mkdir(exist_ok=True)
    (path / "a.jpg").write_bytes(docs.IMAGES[0])
    return path


def _data_set(kind: str, folder: Path, annotations: Path) -> object:
    """The result of the annotation reader for a data set: a description, or an error."""
    named = annotations if annotations.suffix in (".json", ".csv") else ""
    return answer({"format": kind, "path": str(_images(folder)), "annotations": str(named)})


def _caught(read: Callable[[], object]) -> object:
    """The result of the harness's reader, or its error."""
    try:
        return read()
    except HarnessError as error:
        return error
