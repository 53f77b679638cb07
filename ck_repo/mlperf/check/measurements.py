"""Settings, code and what else a result comes with."""

from __future__ import annotations

import json
from pathlib import Path

from ck_repo.mlperf.check.finding import Checked
from ck_repo.mlperf.check.system import line_of
from ck_repo.mlperf.logs import read_text
from ck_repo.mlperf.rules import Rules
from ck_repo.mlperf.submission_rules import submission_rules
from ck_repo.mlperf.user_conf import parse_conf


def check_measurements(row: Checked, rules: Rules) -> None:
    """Check measurements/ and code/ of a result."""
    wanted, folder = submission_rules(), row.place.measurements
    for name in wanted.measurements_files:
        if not (folder / name).is_file():
            row.add("files", folder / name, "the file", "no such file")
    found = sorted(path for path in folder.glob("*.json") if path.name.startswith(row.place.system))
    if not found:
        name = f"{row.place.system}_IMPLEMENTATION_{row.place.scenario}.json"
        row.add("files", folder / name, "a JSON of the measurement, called after the system", "none")
    else:
        _description(found[0], row)
    _user_conf(folder / "user.conf", row, rules)
    _code(row, found[0].stem if found else "")


def _description(path: Path, row: Checked) -> None:
    text = read_text(path)
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        row.add("measurements", path, "a JSON object", error, getattr(error, "lineno", 0))
        return
    for key in submission_rules().measurements_required:
        if not str(content.get(key) or "").strip():
            row.add("measurements", path, f"{key}: a value", repr(content.get(key, "no such key")), line_of(text, key))


def _user_conf(path: Path, row: Checked, rules: Rules) -> None:
    """A user changes targets; seeds and the round's counts only to ask more of the system."""
    try:
        settings = parse_conf(read_text(path))
    except OSError:
        return
    for setting in settings:
        why = setting.refusal(rules)
        if why:
            row.add("user-conf", path, why, setting.text, setting.line)


def _code(row: Checked, description: str) -> None:
    """code/MODEL/IMPLEMENTATION, with a README; the implementation's name is in that of the JSON, if it is anywhere."""
    base = row.place.submission / "code"
    folders = [base / name for name in {row.place.model, row.benchmark} if (base / name).is_dir()]
    if not folders:
        row.add("code", base / row.place.model, "a folder with the code of the benchmark", "no such folder")
        return
    name = description.removeprefix(row.place.system).strip("_-")
    name = name.removesuffix(row.place.scenario).strip("_-")
    inside = folders[0] / name if name else folders[0]
    if not inside.is_dir():
        row.add("code", inside, "a folder of the implementation", "no such folder")
    elif not any((folder / "README.md").is_file() for folder in (inside, *inside.iterdir()) if folder.is_dir()):
        row.add("code", inside / "README.md", "a README.md", "no such file")
