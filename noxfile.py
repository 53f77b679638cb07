"""What a contributor runs: `nox -l` lists it."""

import os

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests-3.11"]


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The whole suite; arguments go to pytest. The other frameworks are tested where the README's command installs them."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Style."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """Types, strict: the engine, and the harness with what it runs with."""
    session.install("-e", ".[test,frameworks,lint]")
    session.run("mypy", "-p", "ck_repo")
    session.run("mypy", "-p", "object_detection", env={"MYPYPATH": "program/object-detection"})


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Write docs/commands.md from the actions, and docs/models.md from the packages."""
    session.install("-e", ".")
    session.run("python", "docs/make_commands.py")
    session.run("python", "docs/make_models.py")


@nox.session(python="3.11")
def example(session: nox.Session) -> None:
    """Execute docs/example.ipynb and write it with its outputs."""
    session.install("-e", ".[test]")
    session.run("python", "docs/make_example.py", *session.posargs)


@nox.session(python="3.11")
def benchmarks(session: nox.Session) -> None:
    """Every measurement beside its limit."""
    session.install(".[test]")
    session.run("python", "benchmarks/run.py", *session.posargs)


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
    session.run("pytest", "tests/faults", *session.posargs, env={"CK_FAULTS": times, "CK_FAULTS_TABLE": table})
    session.run("python", "docs/make_faults.py", table)
