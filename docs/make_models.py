"""Write docs/models.md from the packages' own data: ``python docs/make_models.py``. A test compares them.

The measurements are in measured.json, from experiments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ck_repo.models.backends import own_backends
from ck_repo.resolve.component import Component, read_component
from ck_repo.resolve.variations import Variant, choose
from ck_repo.store.entry import Entry

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "models.md"
PACKAGES = DOCS.parent / "package"
_FRAMEWORK = {"tensorflow": "TensorFlow", "pytorch": "PyTorch", "safetensors": "PyTorch", "onnx": "ONNX"}
_INTRODUCTION = """# The models

The eleven models of the MLPerf Inference v1.0 object-detection benchmark, each a package. This page is generated from the packages.

```bash
ck search package --tags=model,object-detection,mlperf
ck install package --tags=model,object-detection,mlperf,onnx,ssd-mobilenet,side.300,non-quantized,opset-8
ck run program:object-detection --model=model-ssd-mobilenet-onnx,opset-8 --scenario=offline
```

The run uses COCO's validation images if you registered them ([own-dataset.md](own-dataset.md)), or downloads them (1.1 GB). Model 7 is available in two
formats; opsets 8 and 11 are variations of one package.
"""
_CONVERSIONS = """## In another framework

`--backend=` converts a model to the framework's format once, through the shortest chain of conversions; `ck explain
program:object-detection --model=… --backend=…` shows the chain, or why there is none. The weights of SSD-ResNet34 can only be extracted from its
`.pytorch` file, so use `model-ssd-resnet34-pytorch` for PyTorch and TensorFlow, or TensorFlow's own graph; the demo model
runs in ONNX Runtime and OpenVINO. `ck install package --tags=… --format=onnx` only creates the converted file. A
conversion is a package, too: its result is keyed by the digests of the source, of the recipe and of the code that it runs, and the
versions of the tools are recorded.
"""
_REMARKS = """- Weights of an SSD-MobileNet v1 are extracted from ONNX and TensorFlow graphs by the names of the nodes, for any depth multiplier,
  including the ranges of 8-bit activations. Those of SSD-ResNet34 are read from the `.pytorch` file.
- `.pytorch` files are pickles of modules. A restricted interpreter reads them, which only supports names, numbers and containers:
  it imports and runs nothing, and refuses files that need more. Names and shapes of the weights are compared with the network.
- 8-bit arithmetic in PyTorch is simulated: values are rounded to the 256 steps in the graph. In ONNX it is QuantizeLinear and
  DequantizeLinear, which ONNX Runtime computes in integers.
"""
_MEASURED = """## Measurements

The official files cannot be published here. The measurements use one set of real weights, a published SSD-MobileNet v1 of depth 0.75, on
79 images of COCO val2017, scored with pycocotools (`tests/end_to_end/test_models.py`); the v1.0.1 reference harness gives 0.23982 and 0.23871
for the two ONNX files.
"""
_FAULTS = """## Errors of the reference

The v1.0 reference harness discards scores of the ONNX SSD-ResNet34 below 0.5 (its own mAP of 0.20 needs 0.05), scores its contiguous classes
without mapping them back unless an option is set, and skips the 48 images without annotations for PyTorch. All three errors are fixed here;
`ck run … --reference-faults` reproduces them for comparison with old logs, and the results record this.
"""


def components() -> list[Component]:
    """Every package."""
    folders = sorted(row for row in PACKAGES.iterdir() if (row / ".cm/meta.json").exists())
    return [read_component(Entry("", "package", row.name, "0" * 16, row)) for row in folders]


def rows() -> Iterator[tuple[dict[str, Any], str]]:
    """The `model` section of each row of the table, with the package's name."""
    for component in components():
        for choice in [[name] for name in component.variations] or [[]]:
            variant = choose(component, choice)
            if isinstance(variant, Variant):
                model = component.fields(variant.chosen).table("model")
                if "row" in model:
                    yield model, ",".join([component.entry.alias, *variant.chosen])


def table(header: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *lines]]) + "\n"


def page() -> str:
    """The whole page."""
    models = []
    for model, name in sorted(rows(), key=lambda row: (row[0]["row"], row[1])):
        size = "300" if model["side"] == 300 else "1200"
        title = f"{'SSD-MobileNet' if model['benchmark'] == 'ssd-mobilenet' else 'SSD-ResNet34'} {size}"
        cut = "all" if model["score_above"] is None else f"> {model['score_above']}"
        models.append(
            [str(model["row"]), title, _FRAMEWORK[model["format"]], model["precision"], str(model.get("opset", "")),
             f"{model['expected_mAP']:g}", "", model["profile"], cut, str(model["max_batch"] or "any"), f"`{name}`", model["source"]]
        )  # fmt: skip
    header = ["#", "model", "framework", "precision", "opset", "expected mAP", "measured mAP", "profile", "scores", "batch",
              "package (`--model=`)", "source"]  # fmt: skip
    ways = [
        [f"`{row.conversion.source}`", f"`{row.conversion.target}`", f"`{row.entry.alias}`", text_of(row)]
        for row in components()
        if row.conversion and "dataset" not in row.meta
    ]
    runs = [[f"`{name}`", f"`{row.runs}`", ", ".join(f"`{one}`" for one in row.default_for)]
            for name, row in sorted(own_backends().items())]  # fmt: skip
    measured = [
        [row["model"], f"{row['backend']} {row['version']}", row["from"], f"{row['mAP']:.5f}"]
        for row in json.loads((DOCS / "measured.json").read_text(encoding="utf-8"))
    ]
    return "\n".join(
        [
            _INTRODUCTION,
            table(header, models),
            "Values are missing for official files that were not available; see below for the other measurements.\n",
            _CONVERSIONS,
            table(["backend", "runs", "default for"], runs),
            table(["from", "to", "package", ""], ways),
            _REMARKS,
            _MEASURED,
            table(["model", "backend", "", "mAP"], measured),
            _FAULTS,
        ]
    ).rstrip() + "\n"  # fmt: skip


def text_of(component: Component) -> str:
    """The sentence of a package's README."""
    return (component.entry.path / "README.md").read_text(encoding="utf-8").partition("\n\n")[2].strip().replace("\n", " ")


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/models.md is out of date: run `nox -s pages`")
