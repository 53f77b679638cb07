"""Read files that users write (meta.json, a template, a spec); errors give the file and the key."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any, TypeVar

from ck_repo.contract.record import FieldError, read
from ck_repo.errors import ConfigError
from ck_repo.store.entry import tag_list

Record = TypeVar("Record")
_SHORT = reprlib.Repr()  # shortens values of any size in messages
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200


class Fields:
    """The keys of one object.

    Parameters
    ----------
    content
        The object.
    source
        The file, for messages.
    path
        The object's path in the file, for messages.
    """

    def __init__(self, content: Any, source: object, path: str = "") -> None:
        self._source, self._path = source, path
        if not isinstance(content, Mapping):
            raise self.error("", content, "an object")
        self._content = content

    def error(self, key: str, value: Any, wanted: str) -> ConfigError:
        """The error for a value that is not as expected."""
        where = ".".join(part for part in (self._path, key) if part) or "the document"
        return ConfigError(f"{self._source}: {where} is {_SHORT.repr(value)}, not {wanted}", hint="fix the file")

    def place(self, key: str) -> str:
        """The file and the path of a key, for messages."""
        return f"{self._source}: {'.'.join(part for part in (self._path, key) if part)}"

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def text(self, key: str, default: str = "") -> str:
        """A string; a number is converted.

        Raises
        ------
        ConfigError
            If it is of another type.
        """
        value = self._content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.error(key, value, "a text")
        return str(value)

    def needed(self, key: str) -> str:
        """A required string."""
        if not self.text(key):
            raise self.error(key, None, "a text")
        return self.text(key)

    def integer(self, key: str, default: int | None = None) -> int | None:
        """An integer; `default` if the key is missing.

        Raises
        ------
        ConfigError
            If it is of another type, also a number such as 1.0.
        """
        value = self._content.get(key, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise self.error(key, value, "an integer")
        return value

    def number(self, key: str) -> float | None:
        """A finite number; None if it is missing."""
        value = self._content.get(key)
        if value is None:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(float(value)):
                raise self.error(key, value, "a finite number")
        except OverflowError:
            raise self.error(key, value, "a finite number") from None
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false; also CK's "yes" and "no".

        Raises
        ------
        ConfigError
            If it is something else.
        """
        value = self._content.get(key, default)
        if isinstance(value, str) and value.lower() in ("yes", "no"):
            return value.lower() == "yes"
        if not isinstance(value, bool):
            raise self.error(key, value, "true or false")
        return value

    def tags(self, key: str = "tags") -> tuple[str, ...]:
        """Tags, as a list or separated by commas."""
        value = self._content.get(key, [])
        if not isinstance(value, str | list):
            raise self.error(key, value, "a list of tags")
        return tuple(tag_list(value))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.error(key, value, "a list of texts")
        return tuple(value)

    def table(self, key: str) -> dict[str, object]:
        """An object as a dictionary."""
        value = self._content.get(key) or {}
        if not isinstance(value, Mapping):
            raise self.error(key, value, "an object")
        return {str(name): each for name, each in value.items()}

    def fields(self, key: str) -> Fields:
        """An object, as `Fields`."""
        return Fields(self.table(key), self._source, f"{self._path}.{key}".strip("."))

    def each(self, key: str) -> dict[str, Fields]:
        """An object of objects."""
        base = f"{self._path}.{key}".strip(".")
        return {name: Fields(value, self._source, f"{base}.{name}") for name, value in self.table(key).items()}

    def rows(self, key: str) -> list[Fields]:
        """A list of objects."""
        value = self._content.get(key) or []
        if not isinstance(value, list):
            raise self.error(key, value, "a list")
        base = f"{self._path}.{key}".strip(".")
        return [Fields(row, self._source, f"{base}[{number}]") for number, row in enumerate(value)]

    def record(self, kind: type[Record], hint: str = "fix the file") -> Record:
        """The object as a dataclass (`ck_repo.contract.record`).

        Parameters
        ----------
        hint
            The hint if a value has the wrong type.
        """
        try:
            return read(kind, self._content, self._path)
        except FieldError as error:
            what = f"{self._source}: {error.key} is {_SHORT.repr(error.value)}, not {error.expected}"
            raise ConfigError(what, hint=hint) from None

    def replaced(self, key: str, value: Any) -> Fields:
        """The object with another value for a key."""
        return Fields({**self._content, key: value}, self._source, self._path)

    def as_dict(self) -> dict[str, object]:
        """The object itself."""
        return dict(self._content)

    def only(self, *known: str) -> None:
        """Refuse unknown keys."""
        from ck_repo.errors import did_you_mean

        for key in self._content:
            if key not in known:
                raise ConfigError(
                    f"{self._source}: {f'{self._path}.' if self._path else ''}{key} is not a known key",
                    hint=did_you_mean(str(key), known),
                )
