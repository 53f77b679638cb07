"""Templates of packages, which authors complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping

PLACEHOLDER = "https://example.org/"  # placeholder for the author's URL


def _model(alias: str) -> dict[str, object]:
    return {
        "name": alias,
        "tags": ["model", "object-detection", "onnx", alias],
        "version": "1.0",
        "install": [{"download": {"url": f"{PLACEHOLDER}{alias}.onnx", "sha256": "", "to": "model.onnx"}}],
        "file": "model.onnx",
        "model": {
            "format": "onnx", "profile": "coco-300", "input": "image_tensor:0", "max_batch": 1,
            "dataset": "dataset,coco,2017,val,full", "precision": "fp32", "licence": "",
        },
    }  # fmt: skip


def _dataset(alias: str) -> dict[str, object]:
    return {
        "name": alias,
        "tags": ["dataset", "object-detection", "coco-format", alias],
        "install": [{"download": {"url": f"{PLACEHOLDER}{alias}.zip", "sha256": "", "unpack": True}}],
        "file": "annotations.json",
        "dataset": {"images": "images", "annotations": "annotations.json", "licence": ""},
    }


def _library(alias: str) -> dict[str, object]:
    return {
        "name": alias,
        "tags": ["lib", "python-package", alias],
        "python_package": {"name": alias, "version": ">=1.0"},
    }


SCAFFOLDS: Mapping[str, Callable[[str], dict[str, object]]] = {"model": _model, "dataset": _dataset, "library": _library}
_NEXT = {
    "model": '- `install`: the URL of the model and its SHA-256, or `{"copy": {"file": "model.onnx"}}` for a file here.\n'
    "- `model`: its interface. `ck detect soft:model.onnx --full_path=FILE` finds the profile of a file.\n",
    "dataset": "- `install`: the URL of an archive and its SHA-256.\n"
    "- `dataset`: the image folder and the annotation file in COCO's format, as they are in the archive.\n",
    "library": "- `python_package`: the package's name on the index, and the accepted versions.\n",
}


def readme(kind: str, alias: str) -> str:
    """The README.md of a new package: what has to be completed."""
    return (
        f"# {alias}\n\nTo be completed in `.cm/meta.json`:\n\n{_NEXT[kind]}\n"
        f"`ck check package:{alias}` reports what is missing, and `ck install package:{alias} --dry-run` what would be done.\n"
        "docs/components.md of ck explains the keys.\n"
    )
