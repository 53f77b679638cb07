"""The code follows docs/architecture.md: imports between layers, and where processes start."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ck_repo.rounds.round import load_round, round_names

ROOT = Path(__file__).parents[3]
ENGINE = ROOT / "ck_repo"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "ck_repo":
            yield from (f"ck_repo.{name.name}" for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def layers() -> list[str]:
    """The engine's layers in the order of the page, highest first."""
    table = PAGE.partition("| layer |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def allowed(layer: str) -> set[str]:
    """The layers that a layer may import according to the page."""
    (cell,) = re.findall(rf"^\| `{layer}` \|.*\| (.*) \|$", PAGE, re.MULTILINE)
    if not cell.startswith("all below"):
        return {name.strip() for name in cell.split(",")}
    every = layers()
    return set(every[every.index(layer) + 1 :]) - set(re.findall(r"but `(\w+)`", cell))


def test_every_layer_is_on_the_page() -> None:
    assert sorted(layers()) == sorted(path.parent.name for path in ENGINE.glob("*/__init__.py"))


@pytest.mark.parametrize("layer", layers())
def test_layers_import_only_layers_below_them(layer: str) -> None:
    known, may = set(layers()), allowed(layer) | {layer}
    wrong = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in sorted((ENGINE / layer).rglob("*.py"))
        for module in imported(path)
        if module.startswith("ck_repo.") and module.split(".")[1] in known - may
    ]
    assert wrong == []


def test_chain_of_layers_is_shorter_than_fifteen() -> None:
    """A layer's level is one above the highest layer that it imports."""
    known = layers()
    levels: dict[str, int] = {}
    for layer in reversed(known):  # a layer's imports are below it
        below = {
            module.split(".")[1]
            for path in (ENGINE / layer).rglob("*.py")
            for module in imported(path)
            if module.startswith("ck_repo.") and module.split(".")[1] in known
        }
        levels[layer] = 1 + max((levels[name] for name in below - {layer}), default=0)
    assert max(levels.values()) < 15


def test_engine_compares_no_names_of_scenarios() -> None:
    every = [scenario for name in round_names() for scenario in load_round(name).scenarios().values()]
    names = {name for scenario in every for name in (scenario.key, scenario.name)}
    comparing = [
        f"{path.relative_to(ROOT)}:{part.lineno}"
        for path in sorted(ENGINE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare | ast.MatchValue)
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and part.value in names
    ]
    assert comparing == []


def test_child_processes_start_in_one_file() -> None:
    starting = [path.name for path in sorted(ENGINE.rglob("*.py")) if "subprocess" in imported(path)]
    assert starting == ["child.py"]
