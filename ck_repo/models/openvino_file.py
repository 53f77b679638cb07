"""The interface of a model in OpenVINO's format, read from its XML without OpenVINO."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from ck_repo.errors import DetectError
from ck_repo.models.tensors import Interface, Tensor

_DTYPES = {
    "FP32": "float32", "FP16": "float16", "FP64": "float64", "BF16": "bfloat16", "U8": "uint8", "I8": "int8", "I32": "int32",
    "I64": "int64", "BOOL": "bool",
}  # fmt: skip
_CONSTANT = re.compile(rb"""type\s*=\s*["']Const["']""")
_LARGEST = 256 << 20  # maximum bytes of the XML; the weights are in a separate file


def read_openvino(path: Path) -> Interface:
    """Read the inputs and outputs of a model's XML file.

    Raises
    ------
    DetectError
        If the file is empty, truncated, or not OpenVINO's.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has {path.stat().st_size} bytes; the maximum is {_LARGEST}")
        inputs, outputs = _interface(_root(path.read_bytes()))
    except (ElementTree.ParseError, ValueError, KeyError, RecursionError) as error:
        why = "it is empty" if not path.stat().st_size else f"it is truncated or has another format ({error})"
        raise DetectError(f"{path} is not an OpenVINO model: {why}", hint="give the .xml file, or convert it again") from None
    if not inputs or not outputs:
        raise DetectError(f"{path} is not an OpenVINO model: it has no inputs or no outputs", hint="convert it again")
    return Interface(inputs, outputs)


def weights(path: Path) -> dict[str, int]:
    """The file of weights next to a model's XML file. A model without constants needs none."""
    file = path.with_suffix(".bin")
    return {file.name: 0} if file.is_file() or _CONSTANT.search(path.read_bytes()) else {}


def _root(content: bytes) -> ElementTree.Element:
    """The document's root; a document type, which could define endless entities, is refused."""
    scan = expat.ParserCreate()

    def refuse(*about: object) -> None:
        raise ValueError("it has a document type")

    scan.StartDoctypeDeclHandler = refuse
    try:
        scan.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from None
    return ElementTree.fromstring(content)


def _interface(root: ElementTree.Element) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    if root.tag != "net":
        raise ValueError(f"it is <{root.tag}>, not <net>")
    layers = {str(row.get("id")): row for row in root.iterfind("layers/layer")}
    source = {
        str(row.get("to-layer")): (str(row.get("from-layer")), str(row.get("from-port"))) for row in root.iterfind("edges/edge")
    }
    inputs, outputs = [], []
    for key, layer in layers.items():
        if layer.get("type") == "Parameter":
            inputs.append(_tensor(layer, layer.find("output/port")))
        elif layer.get("type") == "Result" and key in source:
            maker = layers[source[key][0]]
            ports = [row for row in maker.iterfind("output/port") if row.get("id") == source[key][1]]
            outputs.append(_tensor(maker, ports[0] if ports else None))
    return tuple(inputs), tuple(outputs)


def _tensor(layer: ElementTree.Element, port: ElementTree.Element | None) -> Tensor:
    """An output of a layer; of several names the first alphabetically, as in the harness."""
    if port is None:
        raise ValueError(f"the layer {layer.get('name')} has no output")
    names = sorted(str(port.get("names") or "").split(",")) if port.get("names") else [str(layer.get("name"))]
    shape = tuple(size if size > 0 else None for size in (int(row.text or 0) for row in port.iterfind("dim")))
    return Tensor(names[0], _DTYPES.get(str(port.get("precision")), str(port.get("precision")).lower()), shape)
