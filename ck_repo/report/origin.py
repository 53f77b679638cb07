"""The components of a run, and the commands that repeat it."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import Any

from ck_repo.environment.lockfile import lock_of_experiment
from ck_repo.errors import CKError
from ck_repo.experiments.experiment_table import experiment_rows
from ck_repo.report.section import Section, Table
from ck_repo.report.subject import Subject
from ck_repo.run.options import RunOptions, command_of


def origin_section(subject: Subject) -> Section:
    """The components, packages, digests and settings of the run, and the commands that repeat it."""
    tables, notes = [], []
    if not subject.meta.get("published"):
        try:
            lock = lock_of_experiment(subject.folder, subject.meta)
            rows = [
                (
                    row.role,
                    row.label,
                    row.source,
                    ", ".join(row.variations),
                    (row.digest or "–")[:16],
                    (row.content or "–")[:16],
                )
                for row in lock.components
            ]
            tables.append(Table("Components", ("role", "name", "from", "variations", "recipe", "content"), rows))
            packages = [(name, row.version, (row.content or "–")[:16]) for name, row in lock.packages.items()]
            tables.append(Table("Python packages", ("package", "version", "content"), packages))
        except CKError as error:
            notes.append(f"The lock cannot be read: {error.what}")
    settings = (subject.spec.get("loadgen") or {}) if subject.spec else (subject.meta.get("settings") or {})
    values = [(key.replace("_", " "), _text(value)) for key, value in settings.items() if value not in (None, {}, "")]
    tables.append(Table("LoadGen's settings", ("setting", "value"), values))
    pairs = [(name or "remark", value) for name, value in experiment_rows(subject.name, subject.record)]
    return Section(
        "origin", "Settings and origin", "Digests are SHA-256, abbreviated.",
        pairs=pairs, tables=tables, notes=notes,
    )  # fmt: skip


def commands_section(subject: Subject) -> Section | None:
    """The commands that repeat a run."""
    if subject.meta.get("published"):
        return None
    target = shlex.quote(f"experiment:{subject.name}")
    commands = [f"ck replay {target}    # from its lock: the same versions and files"]
    if command := command_line(subject):
        commands.append(f"{command}    # the same options, with current versions")
    commands += [f"ck compare {target} experiment:OTHER", f"ck zip {target} --artifacts=yes    # for another machine"]
    return Section("again", "Repeat it", commands=commands)


def command_line(subject: Subject) -> str:
    """The `ck run` command with the recorded options; empty if they cannot be read."""
    recorded, known = subject.meta.get("options") or {}, {each.name for each in fields(RunOptions)}
    try:
        options = RunOptions.of({name: value for name, value in recorded.items() if name in known})
        return command_of(options, program=str((subject.meta.get("program") or {}).get("alias") or "object-detection"))
    except (CKError, TypeError, ValueError):
        return ""


def _text(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
