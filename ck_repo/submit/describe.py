"""The description of a system: detected values, and marks for values that users have to add."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ck_repo.errors import ConfigError
from ck_repo.machine.hardware import describe_hardware
from ck_repo.machine.platform import describe_platform
from ck_repo.models.backends import own_backends
from ck_repo.rounds.check.finding import Finding, finding
from ck_repo.rounds.check.system import check_system
from ck_repo.rounds.logs import read_text
from ck_repo.rounds.round import Round
from ck_repo.store.atomic import write_text

ADD = "ADD: "  # prefix of values to complete
_MARKS = {
    "division": "closed or open",
    "submitter": "your organisation, as in the folder of the submission",
    "status": "available, preview or rdi",
    "system_type": "edge, datacenter or datacenter,edge",
    "system_name": "a readable name",
}


def describe_system(round_: Round, packages: Mapping[str, str], given: Mapping[str, str]) -> dict[str, object]:
    """A system's JSON.

    Parameters
    ----------
    packages
        Python packages of the venv that ran, by name: the framework and its stack.
    given
        Values from options: division, submitter and so on.
    """
    machine, hardware = describe_platform(), describe_hardware()
    count = int(hardware.get("accelerators", "0"))
    known = [name for row in own_backends().values() for name in row.python_packages]
    frameworks = [f"{name} {packages[name]}" for name in known if name in packages]
    found: dict[str, object] = {
        "number_of_nodes": 1,
        "host_processors_per_node": machine.sockets,
        "host_processor_model_name": machine.cpu,
        "host_processor_core_count": max(1, (machine.cores_physical or 1) // (machine.sockets or 1)),
        "host_processor_frequency": hardware.get("frequency", ""),
        "host_processor_caches": hardware.get("caches", ""),
        "host_memory_capacity": f"{machine.memory / 2**30:.0f} GB" if machine.memory else "",
        "host_storage_capacity": hardware.get("storage_capacity", ""),
        "host_storage_type": hardware.get("storage_type", ""),
        "host_networking": hardware.get("networking", ""),
        "accelerators_per_node": count,
        "accelerator_model_name": hardware.get("accelerator", "" if count else "N/A"),
        "accelerator_memory_capacity": hardware.get("accelerator_memory", "" if count else "N/A"),
        "accelerator_frequency": hardware.get("accelerator_frequency", ""),
        "framework": ", ".join(frameworks),
        "other_software_stack": f"{machine.kernel}, LoadGen {packages.get('mlcommons-loadgen', '?')}",
        "operating_system": machine.os,
    }
    rules = round_.submission
    content = {key: found.get(key, "") for key in (*rules.system_required, *rules.system_keys)}
    content |= {key: given.get(key) or f"{ADD}{mark}" for key, mark in _MARKS.items()}
    for key in rules.system_required:
        if content[key] == "":
            content[key] = f"{ADD}it cannot be detected"
    return content


def write_description(
    round_: Round, path: Path, packages: Mapping[str, str], given: Mapping[str, str]
) -> tuple[dict[str, object], list[Finding]]:
    """Write or update a system's JSON; values from options take precedence over existing ones.

    Returns
    -------
    content, findings
        What was written, and what is missing or wrong.
    """
    content = describe_system(round_, packages, {"system_name": path.stem, **given})
    if path.exists():
        content = {**merged_description(path, content), **given}
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return content, check_description(round_, path)


def merged_description(path: Path, fresh: Mapping[str, Any]) -> dict[str, object]:
    """Merge a user's older file: written values are kept, empty and marked ones are filled in.

    Raises
    ------
    ConfigError
        If the file is not a JSON object, so that a user's work is not overwritten.
    """
    try:
        written = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}", hint="fix it, or write to another file with --output=") from None
    if not isinstance(written, dict):
        raise ConfigError(f"{path} is not an object", hint="fix it, or write to another file with --output=")
    kept = {key: value for key, value in written.items() if value != "" and not str(value).startswith(ADD)}
    return {**fresh, **kept}


def check_description(round_: Round, path: Path) -> list[Finding]:
    """Missing and wrong values of a description.

    Parameters
    ----------
    path
        The JSON file; its own division and submitter are taken as correct.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    found: list[Finding] = []

    def add(rule: str, file: Path, expected: object, seen: object, line: int) -> None:
        found.append(finding(round_, rule, file, expected, seen, line))

    content = json.loads(read_text(path))
    path = path.resolve()
    division, submitter = (str(content.get(key, "")) for key in ("division", "submitter"))
    check_system(round_.submission, path, path.parent, division, submitter, add)
    return found
