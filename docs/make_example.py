"""Execute docs/example.ipynb and write it with its outputs: ``python docs/make_example.py [OUTPUT]``.

The notebook runs in CK folders of its own, which are removed afterwards; their paths are replaced in the outputs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent / "example.ipynb"
_TIMEOUT = 600  # s a cell: the first run makes a venv


def executed(folder: Path) -> Any:
    """The notebook with the outputs of a run whose CK folders are in `folder`."""
    os.environ |= {"CK_REPOS": str(folder / "CK"), "CK_TOOLS": str(folder / "CK-TOOLS"), "IPYTHONDIR": str(folder / "ipython")}
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(notebook, timeout=_TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def without_machine(notebook: Any, folder: Path) -> Any:
    """The notebook without what only the machine that ran it has: folders, times of cells, the kernel's version."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            output.pop("metadata", None)
            if "data" in output:
                output["metadata"] = {}
                output.data = {kind: _replaced(text, folder) for kind, text in output.data.items()}
            if "text" in output:
                output.text = _replaced(output.text, folder)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


def _replaced(text: str, folder: Path) -> str:
    return text.replace(str(folder), "~").replace(str(NOTEBOOK.parents[1]), "~/ck-repo")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        done = without_machine(executed(Path(name).resolve()), Path(name).resolve())
    nbformat.write(done, sys.argv[1] if len(sys.argv) > 1 else NOTEBOOK)
