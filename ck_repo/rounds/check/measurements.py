"""The settings, code and other files of a result."""

from __future__ import annotations

from pathlib import Path

from ck_repo.rounds.check.finding import Checked
from ck_repo.rounds.check.system import line_of
from ck_repo.rounds.logs import read_text, read_utf8
from ck_repo.rounds.rules import Rules
from ck_repo.rounds.submission import SMALL, measurement_file
from ck_repo.rounds.user_conf import parse_conf
from ck_repo.store.entry import parse_json
from ck_repo.store.plain_file import MISSING, UnreadableError, flaw, is_folder, names


def check_measurements(row: Checked, rules: Rules) -> None:
    """Check measurements/ and code/ of a result."""
    wanted, folder = row.round.submission, row.place.measurements
    if flaw(row.place.root, folder) == MISSING:
        row.add("measurements-missing", folder, "the folder of the measurement", "no such folder")
        return
    for name in wanted.measurements_files:
        row.needs("files", folder / name)
    found = measurement_file(row.place)
    if found is None:
        name = f"{row.place.system}_IMPLEMENTATION_{row.place.scenario}.json"
        row.add("files", folder / name, "a JSON of the measurement, named after the system", "none")
    else:
        _description(found, row)
    _user_conf(folder / "user.conf", row, rules)
    _code(row, found.stem if found else "")


def _description(path: Path, row: Checked) -> None:
    try:
        text, why = read_utf8(path, row.place.root, SMALL)
    except UnreadableError as error:
        row.add("measurements-json", path, "a JSON object", error.why)
        return
    if why:
        row.add("measurements-json", path, "UTF-8 without a byte order mark", why)
    try:
        content = parse_json(text)
        if not isinstance(content, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        row.add("measurements-json", path, "a JSON object", error, getattr(error, "lineno", 0))
        return
    for key in row.round.submission.measurements_required:
        if not str(content.get(key) or "").strip():
            row.add("measurements", path, f"{key}: a value", repr(content.get(key, "no such key")), line_of(text, key))


def _user_conf(path: Path, row: Checked, rules: Rules) -> None:
    """Check changes of settings: users set targets; seeds and counts of the round may only be made stricter."""
    try:
        settings = parse_conf(read_text(path, row.place.root, SMALL))
    except UnreadableError:  # reported already
        return
    scenario = row.round.folder_scenario(row.place.scenario)
    for setting in settings:
        why = setting.refusal(rules) if setting.concerns(row.round, scenario) else ""
        if why:
            row.add("user-conf", path, why, setting.text, setting.line)


def _code(row: Checked, description: str) -> None:
    """Check code/MODEL/IMPLEMENTATION with its README; the name of the JSON has the implementation's name, if any.

    A file code/MODEL has the name of the folder that is used for the model.
    """
    root, base = row.place.root, row.place.submission / "code"
    folders = [base / name for name in dict.fromkeys((row.place.model, row.benchmark)) if is_folder(root, base / name)]
    if not folders and not flaw(root, base / row.place.model, maximum=SMALL):
        target = base / read_text(base / row.place.model, root, SMALL).strip()
        folders = [target] if is_folder(root, target) else []
    if not folders:
        row.add("code", base / row.place.model, "a folder with the code of the benchmark", "no such folder")
        return
    name = description.removeprefix(row.place.system).strip("_-")
    name = name.removesuffix(row.place.scenario).strip("_-")
    inside = folders[0] / name if name and is_folder(root, folders[0] / name) else folders[0]
    if all(flaw(root, inside / name / "README.md") for name in ("", *names(root, inside))):
        row.add("code", inside / "README.md", "a README.md", "no such file")
