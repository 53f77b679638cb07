"""Small generated documents of every kind that is parsed."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from typing import Any, cast

from coco_sets import flat_jpeg

_D = "ab" * 32

RUN: dict[str, Any] = {
    "tags": ["experiment", "offline"], "recorded": "2026-01-01T00:00:00Z", "options": {"compliance": "TEST01", "scenario": "offline"},
    "parent": {"alias": "first", "uid": "a" * 16}, "verdict": {"reproduced": True, "why": "same"}, "verified": {"passed": True},
    "results": {
        "model": "demo", "scenario": "offline", "dataset": "shapes", "images": 8, "backend": "onnxruntime", "device": "cpu",
        "sessions": 2, "threads": 1, "batch_size": 1, "loadgen_version": "5.0", "official": False,
        "accuracy": {"mAP": 0.8, "AP50": 0.9, "AP75": 0.7, "detections": 12},
        "performance": {
            "samples_per_second": 10.0, "queries_per_second": 9.0, "scheduled_queries_per_second": 9.0, "samples_per_query": 4,
            "valid": True, "duration_s": 1.5, "latency_ms": {"p90": 1.0, "p99": 2.0}, "reasons": ["none"], "issuing": "bound",
        },
    },
    "model": {"digest": _D, "component": {"alias": "model-demo", "uid": "b" * 16}, "model": {"benchmark": "ssd-mobilenet"}},
    "dataset": {"digest": _D, "name": "shapes"}, "spec": {"model": {"side": 300}}, "platform": {"memory": 2**33, "cpu": "x"},
    "venv": {"name": "v", "template": "t", "python": "3.11.7", "packages": {"numpy": "1.26.4"}},
    "repositories": {"local": {"git": True, "commit": "c" * 40, "changed": False}},
}  # fmt: skip
IMPORTED: dict[str, Any] = {
    "tags": ["experiment", "submission"],
    "published": {
        "division": "closed", "submitter": "Us", "system": "box", "model": "ssd-small", "scenario": "Offline", "value": 9.5,
        "unit": "samples/s", "valid": True, "mAP": 22.1, "p99_ms": 3.5, "processor": "p", "framework": "f", "path": "/x",
    },
    "system": {"host_processor_model_name": "p", "accelerators_per_node": 0}, "settings": {"loadgen_version": "1.0"},
    "compliance": {"TEST01": "pass"}, "remarks": ["one"],
}  # fmt: skip
SCENARIOS = ("singlestream", "multistream", "server", "offline")
EXPERIMENTS = [RUN, IMPORTED, *({**RUN, "results": {**RUN["results"], "scenario": name}} for name in SCENARIOS)]

LOCK: dict[str, Any] = {
    "format": "ck-lock", "version": 1, "interpreter": {"version": "3.11.7", "implementation": "CPython", "machine": "x86_64"},
    "template": {"alias": "t", "repository": "r", "uid": "a" * 16, "digest": _D},
    "packages": {"numpy": {"version": "1.26.4", "content": _D, "tags": "cp311-cp311-linux_x86_64"}},
    "components": [
        {
            "role": "weights", "source": "package", "label": "demo", "alias": "demo", "repository": "local", "module": "package",
            "uid": "b" * 16, "digest": _D, "variations": ["v"], "key": _D, "inputs": {"source": _D}, "content": _D, "file": "m.onnx",
            "downloads": [{"urls": ["https://host.invalid/m"], "size": 3, "sha256": _D}], "tools": {"numpy": "1"}, "meta": {},
        },
    ],
    "repositories": {"local": {"uid": "c" * 16, "url": "", "git": False}}, "platform": {"cpu": "x"}, "options": {"scenario": "offline"},
    "engine": {"name": "ck-repo", "version": "1"}, "made": "2026-01-01T00:00:00Z",
}  # fmt: skip
OLD_LOCK: dict[str, Any] = {
    "format": "ck-lock", "version": 0,
    "meta": RUN | {"model": {"name": "m", "component": {"alias": "a", "uid": "d" * 16}, "variations": [], "downloads": []}},
}  # fmt: skip

PACKAGE: dict[str, Any] = {
    "tags": ["model", "demo"], "version": "1.0", "name": "a model", "priority": 1, "per_python": True,
    "python_package": {"name": "numpy", "version": ">=1", "excludes": ["2.0"]},
    "deps": {"weights": {"tags": "model,demo", "version": ">=1", "when": {"backend": "x"}, "tool": True, "format": "onnx"}},
    "variations": {"small": {"group": "g", "default": True, "tags": ["s"], "changes": {"version": "2"}, "description": "d"}},
    "conversion": {"from": "a", "to": "b", "networks": ["n"]}, "uses": [],
    "install": [{"download": {"url": "https://host.invalid/x", "sha256": _D, "size": 1}}],
}  # fmt: skip
SOURCE: dict[str, Any] = {
    "url": "https://host.invalid/file.zip", "mirrors": ["file:///tmp/x"], "size": 12, "sha256": _D, "md5": "0" * 32, "unpack": True,
    "to": "x",
}  # fmt: skip
ENV: dict[str, Any] = {
    "tags": ["model", "demo"], "name": "demo", "source": "registered", "key": _D, "path": "/nowhere", "file": "/nowhere/m", "version": "1",
    "soft": "model.onnx", "size": 3, "changed_ns": 5, "digest": _D, "registered": "2026", "variations": ["v"],
    "component": {"uid": "b" * 16, "alias": "demo"}, "model": {"format": "onnx"}, "dataset": {"images": "/nowhere", "stamp": "s"},
    "downloads": [{"urls": ["https://host.invalid/x"]}], "inputs": {}, "tools": {},
}  # fmt: skip
RESULTS: dict[str, Any] = {"tags": ["published"], "source": "/x", "rows": [IMPORTED["published"]]}
REPOSITORY: dict[str, Any] = {
    "data_alias": "r", "data_uid": "e" * 16, "dict": {"url": "https://host.invalid/r", "repo_deps": [{"repo_uoa": "x", "repo_url": "u"}]},
}  # fmt: skip
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 1, "height": 1}], "categories": [{"id": 1, "name": "x"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "area": 1, "iscrowd": 0}],
}  # fmt: skip
SYSTEM: dict[str, Any] = {
    "division": "closed", "submitter": "Us", "status": "available", "system_name": "box", "number_of_nodes": 1,
    "host_processors_per_node": 2, "host_processor_model_name": "p", "accelerators_per_node": 0, "framework": "f",
    "system_type": "datacenter", "host_memory_capacity": "1 GB",
}  # fmt: skip
MEASUREMENT: dict[str, Any] = {
    "input_data_types": "fp32", "retraining": "No", "starting_weights_filename": "w", "weight_data_types": "fp32",
    "weight_transformations": "none",
}  # fmt: skip

_EVENTS: list[tuple[str, Any]] = [
    ("loadgen_version", "1.0 @ 1234567"), ("test_datetime", "2021-03-01T00:00:00Z"), ("requested_scenario", "Offline"),
    ("effective_scenario", "Offline"), ("effective_test_mode", "PerformanceOnly"), ("effective_min_duration_ms", 60000),
    ("effective_min_query_count", 1), ("effective_min_sample_count", 24576), ("effective_target_qps", 10.5),
    ("effective_qsl_rng_seed", 1), ("effective_sample_index_rng_seed", 2), ("effective_schedule_rng_seed", 3),
    ("effective_performance_sample_count", 256), ("result_samples_per_second", 12.5), ("result_validity", "VALID"),
    ("result_99.00_percentile_latency_ns", 1000), ("result_query_count", 1), ("generated_query_count", 1),
    ("result_min_latency_ns", 10), ("result_overlatency_query_count", 0), ("result_mean_latency_ns", 100),
]  # fmt: skip
DETAIL = "".join(
    ":::MLLOG " + json.dumps({"key": key, "value": value, "time_ms": 1.0, "metadata": {"is_error": False}}) + "\n"
    for key, value in _EVENTS
).encode()
SUMMARY = b"""================
MLPerf Results Summary
================
SUT name : x
Scenario : Offline
Samples per second: 12.5
Result is : VALID
99.00 percentile latency (ns)   : 1000
"""
ACCURACY = b"loading annotations\nmAP=22.123%\nhash=" + _D.encode() + b"\n"
LOGGED = (
    b"[\n"
    + b",\n".join(
        b'{ "seq_id" : %d, "qsl_idx" : %d, "data" : "%s" }'
        % (number, number, struct.pack("<7f", number, 0, 0, 1, 1, 0.9, 3).hex().upper().encode())
        for number in range(3)
    )
    + b"\n]\n"
)
CONF = b"""# a comment
*.*.qsl_rng_seed = 12786827339337101903
ssd-small.Offline.target_qps = 10.5
ssd-small.SingleStream.target_latency = 3
*.Server.min_duration = 60000
"""
TABLE = (
    b"division,organisation,system,model,scenario,result_raw,validity,mAP,p99_latency_ns\n"
    b"closed,Us,box,ssd-small,Offline,12.5,VALID,22.1,1000\n"
    b'closed,"Them, Inc.",box,ssd-large,Server,3,INVALID,,\n'
)
TEMPLATE = b"""description: a template
python: ">=3.10,<3.13"
components:
  numpy:
    tags: lib,python-package,numpy
    version: ">=1.26"
  other: {tags: [lib, x]}
"""
POWER = b"Time,03-01-2021 00:00:00.000,Watts,100.5,Volts,230,Amps,1,PF,0.9,Mark,x\n" * 3


def zip_archive() -> bytes:
    """An archive with an entry, as CK packs it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("experiment/a/.cm/meta.json", json.dumps(RUN)),
            ("experiment/a/.cm/info.json", json.dumps({"backup_data_uid": "f" * 16})),
            ("experiment/.cm/alias-a-a", "f" * 16 + "\n"),
            ("experiment/a/data/log.txt", "line\n" * 20),
        ):
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def tar_archive(form: str) -> bytes:
    """A tar archive with a folder, files and a link."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=cast("Any", f"w:{form}")) as archive:
        for name, content in (("x/a.txt", b"a" * 100), ("x/b.txt", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("x/c")
        link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
        archive.addfile(link)
    return file.getvalue()


def message(number: int, content: bytes | int) -> bytes:
    """A field of a message of Protocol Buffers."""
    if isinstance(content, int):
        return bytes([number << 3, content & 0x7F])
    return bytes([number << 3 | 2, len(content)]) + content


# ModelProto: opset_import (8) and graph (7) with input (11) and output (12): ValueInfoProto name (1), type (2)
_SHAPE = message(2, b"".join(message(1, message(1, size)) for size in (1, 3, 30, 30)))
_VALUE = message(1, b"image") + message(2, message(1, message(1, 1) + _SHAPE))
ONNX = message(8, message(2, 8)) + message(7, message(11, _VALUE) + message(12, _VALUE))
# GraphDef: node (1) with name (1), op (2), attr (5)
GRAPH = message(1, message(1, b"in") + message(2, b"Placeholder")) + message(
    1, message(1, b"out") + message(2, b"Identity") + message(3, b"in")
)
TFLITE = struct.pack("<I4s", 16, b"TFL3") + struct.pack("<8I", 8, 12, 4, 4, 4, 20, 12, 4) * 4
TORCH = b"\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01K\x01s."


_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
_JPEG = flat_jpeg(16, 8)
IMAGES = [
    _JPEG,
    _JPEG[:2] + b"\xff\xe1" + (len(_EXIF) + 2).to_bytes(2, "big") + _EXIF + _JPEG[2:],
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x08\x08\0\0\0\0eXIf" + _EXIF[6:],
    b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x0f\0\0\x07\0\0EXIF\x20\0\0\0" + _EXIF,
    b"BM" + bytes(12) + b"\x28\0\0\0\x10\0\0\0\x08\0\0\0",
    b"GIF89a\x10\0\x08\0",
    b"P6\n# 16 x 8\n16 8\n255\n",
    _EXIF[6:],
    b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x16ihdr\0\0\0\x08\0\0\0\x10",
    b"\0\0\0\x1cftypavif\0\0\0\x14ispe\0\0\0\0\0\0\0\x10\0\0\0\x08",
]
VOC = (
    b"<annotation><filename>a.jpg</filename><size><width>16</width><height>8</height></size><object><name>cat</name>"
    b"<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object></annotation>"
)
YOLO = b"0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.4 0.1 0.4 0.6\n"
YAML = b"path: .\nval: images # here\nnc: 2\nnames:\n  0: cat\n  1: 'dog'\nmore: {a: [1, 2]}\n"
OPEN_IMAGES = b"ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\na,/m/0,0.1,0.5,0.2,0.9,0\n"
