"""The output of a command: an answer or an error, as text or as one JSON object."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ck_repo.actions.declare import Answer
from ck_repo.cli.checking import FALSE
from ck_repo.cli.words import Words
from ck_repo.errors import CKError
from ck_repo.printable import printable


def answer_text(answer: Answer) -> str:
    """An answer as one JSON object on one line."""
    return json.dumps({"return": answer.status, **answer.data}, default=str)


def error_data(error: CKError) -> dict[str, object]:
    """An error as a JSON object."""
    more = {key: value for key, value in (("hint", error.hint), ("log", error.log)) if value}
    return {"return": error.code, "error": str(error), **more}


@dataclass(frozen=True)
class Output:
    """How to print answers and errors.

    Attributes
    ----------
    form
        ``con`` (text), ``json`` or ``none``.
    debug
        Whether to print the traceback of an error.
    """

    form: str
    debug: bool

    @classmethod
    def of(cls, words: Words) -> Output:
        """The output format of a command line."""
        debug = str(words.options.get("debug", "no")).lower()
        return cls(str(words.options.get("out", "con")), debug not in FALSE)

    @classmethod
    def guess(cls, typed: Sequence[str]) -> Output:
        """The same for a command line that may be invalid."""
        ours = typed[: typed.index("--")] if "--" in typed else typed
        return cls("json" if "--out=json" in ours else "con", "--debug" in ours)

    def answer(self, answer: Answer) -> int:
        """Print an answer; return the exit status."""
        text = answer_text(answer)
        _keep(text)
        if self.form == "json":
            print(text)
        elif answer.lines and self.form != "none":
            print(printable("\n".join(answer.lines)))
        sys.stdout.flush()
        return answer.status

    def error(self, error: CKError) -> int:
        """Print an error; return the exit status."""
        if self.debug:
            traceback.print_exc()
        text = json.dumps(error_data(error))
        _keep(text)
        try:
            if self.form == "json":
                print(text)
                sys.stdout.flush()
            print(printable(f"ck: error: {error}"), file=sys.stderr)
        except BrokenPipeError:
            self.reader_left()
        except OSError:  # stdout is full, so JSON cannot be written
            print(printable(f"ck: error: {error}"), file=sys.stderr)
        return error.code

    def reader_left(self) -> int:
        """The reader of the pipe, such as `head`, has closed it: stop writing without an error."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _keep(text: str) -> None:
    """Also write the JSON object to the file CK_ANSWER_FILE, for programs that show the text and need the data."""
    if path := os.environ.get("CK_ANSWER_FILE"):
        Path(path).write_text(text, encoding="utf-8")
