"""Run any action with stock CK's dictionaries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ck_repo import progress
from ck_repo.cli.dispatch import error_of, perform
from ck_repo.cli.output import Output, answer_text, error_data
from ck_repo.cli.progress import console_sink
from ck_repo.cli.words import Words, parse
from ck_repo.errors import UsageError
from ck_repo.kernel.answer import Answer
from ck_repo.kernel.dictionary import words_of
from ck_repo.store.atomic import write_json

_FORMS = ("none", "con", "json", "json_file")


def access(i: Mapping[str, Any] | Sequence[str] | str) -> Answer:
    """Run an action and return its answer as a dictionary.

    Parameters
    ----------
    i
        A dictionary with ``action``, ``module_uoa``, ``data_uoa``, ``repo_uoa`` and the options of the action; or the words of
        a command line, as a list or as a string, which is split at spaces. ``cid`` (``module:entry``) and ``cids`` name
        entries, too. ``out`` sets where the answer is written: nowhere (the default for dictionaries), ``con`` (printed as on
        the command line, the default for words), ``json`` (printed as JSON) or ``json_file`` (written to ``out_file``).

    Returns
    -------
    dict
        ``return`` (0, or the exit status of the command) and the keys of ``--out=json``; with ``error`` and often ``hint`` if
        ``return`` is not 0. Only KeyboardInterrupt is raised.

    Examples
    --------
    >>> from ck_repo import access
    >>> r = access({"action": "search", "module_uoa": "package", "tags": "model,demo"})
    >>> r["return"], [row["data_uoa"] for row in r["lst"]]
    (0, ['model-demo-ssd'])
    """
    form = "con" if isinstance(i, str | Sequence) else "none"
    file = ""
    output = Output(form, debug=False)
    try:
        words = _words(i)
        form, file = _form(words, form)
        output = Output("json" if form == "json" else form if form == "con" else "none", debug=False)
        with progress.shown_in(console_sink() if form == "con" else progress.SILENT):
            answer = perform(words)
        output.answer(answer)
        found: Answer = json.loads(answer_text(answer))
    except Exception as problem:
        error = error_of(problem)
        if form in ("con", "json"):
            output.error(error)
        found = error_data(error)
    return _written(found, Path(file)) if file else found


def _words(i: Mapping[str, Any] | Sequence[str] | str) -> Words:
    if isinstance(i, str):
        return parse(i.split())
    if isinstance(i, Mapping):
        return words_of(i)
    if not isinstance(i, Sequence):
        raise UsageError(f"access takes a dictionary, a list of words or a string, not {type(i).__name__}")
    return parse([str(word) for word in i])


def _form(words: Words, usual: str) -> tuple[str, str]:
    """The output form, and the file if it is one; as an option of the action it is ``con``, ``json`` or ``none``."""
    form = str(words.options.pop("out", "") or usual)
    if form not in _FORMS:
        raise UsageError(f"out is {form!r}", hint=f"one of {', '.join(_FORMS)}")
    words.options["out"] = "none" if form == "json_file" else form
    if form != "con":
        words.options.setdefault("quiet", "yes")  # no prompts without output
    file = str(words.options.pop("out_file", ""))
    if form == "json_file" and not file:
        raise UsageError("out is json_file, and out_file is missing", hint="add out_file")
    return form, file


def _written(found: Answer, path: Path) -> Answer:
    try:
        write_json(path, found)
    except Exception as problem:
        return error_data(error_of(problem))
    return found
