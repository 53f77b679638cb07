"""Write the run options into the signature and the docstring of `ck_repo.api.run`: ``python docs/make_api.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import ck_repo
from ck_repo.run.option import RunOption
from ck_repo.run.options import RUN_OPTIONS

PAGE = Path(ck_repo.__file__).parent / "api/benchmark.py"
_TYPES = {"text": "str", "flag": "bool", "integer": "int | None", "number": "float | None"}
_SIGNATURE = re.compile(r'(?<=    \*,\n).*?(?=    record: str = "",\n)', re.DOTALL)
_DOCSTRING = re.compile(r"(?<=``repository:program:name``\.\n).*?(?=    record, repository, tags\n)", re.DOTALL)


def page() -> str:
    """The module with its run options as they are declared."""
    text = PAGE.read_text(encoding="utf-8")
    keywords = "".join(f"    {_keyword(option)},\n" for option in RUN_OPTIONS)
    described = "".join(f"    {option.keyword}\n        {_sentence(option)}\n" for option in RUN_OPTIONS)
    text, signatures = _SIGNATURE.subn(lambda _: keywords, text)
    text, docstrings = _DOCSTRING.subn(lambda _: described, text)
    if (signatures, docstrings) != (1, 1):
        sys.exit(f"{PAGE}: the places for the run options are not there: they end before the keyword `record`")
    return text


def _keyword(option: RunOption) -> str:
    if option.kind == "nested":
        return f"{option.keyword}: Mapping[str, str] | None = None"
    kind = "str | Path" if option.file else _TYPES[option.kind]
    if option.default in option.choices:
        kind = f"Literal[{', '.join(map(_quoted, option.choices))}]"
    return f"{option.keyword}: {kind} = {_quoted(option.default) if isinstance(option.default, str) else option.default}"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _sentence(option: RunOption) -> str:
    text = option.help[:1].upper() + option.help[1:].replace("`", "``")
    if option.key != option.keyword:
        text += f"; ``--{option.option}`` on the command line"
    return text.removesuffix(".") + "."


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE} is out of date: run `nox -s pages`")
