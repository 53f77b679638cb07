"""What a contributor runs: `nox -l` lists it. `.ci/run` starts the sessions with the tag `ci`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types"]

README = Path(__file__).with_name("README.md")
DOCS_SCRIPTS = sorted(path.as_posix() for path in Path("docs").glob("*.py"))


@nox.session(tags=["ci"])
def lint(session: nox.Session) -> None:
    """Style, wording, and links between pages."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "docs/check_words.py")
    session.run("python", "docs/check_links.py")


@nox.session(tags=["ci"])
def types(session: nox.Session) -> None:
    """mypy, strict: the engine, the harness with its frameworks, the tests, the benchmarks, and the scripts of docs/."""
    session.install("-e", ".[test,frameworks,lint,docs]")
    session.run("mypy", "-p", "ck_repo")
    session.run("mypy", "-p", "object_detection", env={"MYPYPATH": "program/object-detection"})
    session.run("mypy", "noxfile.py", *DOCS_SCRIPTS)
    paths = os.pathsep.join(["tests", "benchmarks", "program/object-detection"])
    session.run("mypy", "--explicit-package-bases", "tests", "benchmarks", env={"MYPYPATH": paths})


@nox.session(tags=["ci"])
def docs(session: nox.Session) -> None:
    """Generated pages are up to date; the docs site builds without a warning, in site/."""
    session.install("-e", ".[docs]")
    session.run("python", "docs/make_commands.py", "--check")
    session.run("python", "docs/make_api.py", "--check")
    session.run("python", "docs/make_contract.py", "--check")
    session.run("python", "docs/make_models.py", "--check")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(python=False, tags=["ci"])
def readme(session: nox.Session) -> None:
    """The README's test command, which is read from the README: all tests that are not marked as slow."""
    command = re.search(r"<!-- tests -->\n```bash\n(.+?)\n```\n<!-- end -->", README.read_text(encoding="utf-8"), re.DOTALL)
    if not command:
        session.error("README.md has no block of code between <!-- tests --> and <!-- end -->")
    session.run("bash", "-euo", "pipefail", "-c", command[1], external=True)


@nox.session(tags=["ci"])
def slow(session: nox.Session) -> None:
    """The slow tests: whole installations, all frameworks, exports, machines, browser, faults; arguments go to pytest."""
    session.install("-e", ".[test,frameworks,exports]")
    session.run("pytest", "-m", "slow", *(session.posargs or ["-n", "auto", "--dist", "loadgroup"]))


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The whole suite on each Python, with ONNX Runtime alone; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", *(session.posargs or ["-n", "auto", "--dist", "loadgroup"]))


@nox.session
def rounds(session: nox.Session) -> None:
    """Verdicts and figures of each round, equal to those of its own checker; `--published` changes published trees, too."""
    session.install("-e", ".")
    session.run("python", "tests/rounds_report.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Unit and integration tests; the minimum coverage is in pyproject.toml."""
    session.install("-e", ".[test,frameworks,coverage]")
    session.run(
        "pytest",
        "-n",
        "auto",
        "--dist",
        "loadgroup",
        "--cov",
        "--cov-report=term:skip-covered",
        "tests/unit",
        "tests/integration",
    )


@nox.session
def pages(session: nox.Session) -> None:
    """Write what follows from declarations: docs/commands.md, docs/models.md, `api.run`, the harness's contract, module/."""
    session.install("-e", ".")
    session.run("python", "docs/make_api.py")
    session.run("python", "docs/make_contract.py")
    session.run("python", "docs/make_commands.py")
    session.run("python", "docs/make_models.py")
    session.run("python", "module/make_modules.py")


@nox.session
def example(session: nox.Session) -> None:
    """Execute docs/example.ipynb and write it with its outputs."""
    session.install("-e", ".[test]")
    session.run("python", "docs/make_example.py", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Every measurement with its limit; the results are kept as JSON in .benchmarks, and compared with the last ones."""
    session.install(".[test]")
    session.run("python", "benchmarks/run.py", "--keep=.benchmarks", *session.posargs)


@nox.session(python="3.11")
def fuzz(session: nox.Session) -> None:
    """A million damaged inputs for all parsers; `CK_FUZZ=N` takes another number."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/fuzz", *session.posargs, env={"CK_FUZZ": os.environ.get("CK_FUZZ", "1000000")})


@nox.session(python="3.11")
def faults(session: nox.Session) -> None:
    """Kill, interrupt and starve commands of disk space, 100 times each (`CK_FAULTS=N`); write docs/faults.md."""
    session.install("-e", ".[test]")
    table = session.create_tmp() + "/faults.jsonl"
    times = os.environ.get("CK_FAULTS", "100")
    paths = ["tests/faults", "tests/unit/store/test_store_work.py"]
    session.run("pytest", *paths, *session.posargs, env={"CK_FAULTS": times, "CK_FAULTS_TABLE": table})
    session.run("python", "docs/make_faults.py", table)
