"""The checks of wording and links detect errors, and CI starts existing sessions."""

from __future__ import annotations

import ast
import re
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def script(name: str) -> Any:
    """Load a script of docs/."""
    spec = util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("page.md", "Mismatches are told.\n", ["page.md:1: 'are told': write report, log"]),  # words: ok
        ("page.md", "A whole\nnumber.\n\nMended.\n", ["page.md:4: 'Mended'", "page.md:1: 'whole number'"]),  # words: ok
        ("page.md", "A whole\n\nnumber, or a whole\n- number\n", []),
        ("page.md", "Amendments are fine; `mend` is code.\n```\nmend\n```\n", []),  # words: ok
        ("page.md", "mend <!-- words: ok -->\n", []),  # words: ok
        ("page.py", "    # which is a whole\n    # number\n", ["page.py:1: 'whole number': write integer"]),  # words: ok
        ("page.py", 'print(\n    "a whole "\n    f"number"\n)\n', ["page.py:2: 'whole  number'"]),  # words: ok
    ],
)
def test_words(name: str, text: str, found: list[str], tmp_path: Path) -> None:
    words = script("check_words")
    words.ROOT = tmp_path
    (tmp_path / name).write_text(text)
    messages = list(words.findings(tmp_path / name))
    assert len(messages) == len(found)
    assert all(message.startswith(start) for message, start in zip(messages, found, strict=True))


def test_links(tmp_path: Path) -> None:
    links = script("check_links")
    links.ROOT = tmp_path
    (tmp_path / "a.md").write_text(
        "# A\n[b](b.md) [c](c.md) [d](b.md#the-ck_x-part) [e](b.md#none) [f](#a)\n```\n[g](g.md)\n```\n"
    )
    (tmp_path / "b.md").write_text("## The `ck_x` part\n")
    assert list(links.broken(tmp_path / "a.md")) == ["a.md: c.md: no such file", "a.md: b.md#none: no such heading"]


def test_site_pages_have_site_links() -> None:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    site = script("make_site")
    assert site.adapted("[a](docs/models.md) [b](CHANGELOG.md#x)", "README.md") == "[a](models.md) [b](changelog.md#x)"
    assert site.adapted("[a](../docs/models.md)", "benchmarks/README.md") == "[a](models.md)"


def test_ci_starts_existing_sessions() -> None:
    sessions: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and any("session" in ast.unparse(line) for line in node.decorator_list):
            sessions.add(node.name)
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    started = {word for command in commands for word in re.findall(r"^bash \.ci/run ?\"?([a-z]*)", command)}
    assert len(commands) == len(jobs)
    assert started - {""} <= sessions
    assert "" in started


def test_every_supported_python_is_tested_by_nox_and_ci() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    supported = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert jobs["tests"]["strategy"]["matrix"]["python"] == supported
    (setup,) = (step["with"] for step in jobs["tests"]["steps"] if "setup-python" in step.get("uses", ""))
    assert setup == {"python-version": "${{ matrix.python }}"}
    assert [step["run"] for step in jobs["tests"]["steps"] if "run" in step] == ['bash .ci/run "tests-${{ matrix.python }}"']
    nox = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (tests,) = (node for node in nox.body if isinstance(node, ast.FunctionDef) and node.name == "tests")
    (call,) = tests.decorator_list
    assert isinstance(call, ast.Call)
    assert [ast.literal_eval(word.value) for word in call.keywords if word.arg == "python"] == [supported]
    assert f'requires-python = ">={supported[0]}"' in project
