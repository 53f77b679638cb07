"""Read the YAML files of campaigns."""

from __future__ import annotations

import re
from pathlib import Path

from ck_repo.errors import ConfigError, NotFoundError
from ck_repo.store.fields import Fields
from ck_repo.store.plain_file import MISSING, UnreadableError, read_plain
from ck_repo.store.yaml_text import parse_yaml

Variables = tuple[tuple[str, str], ...]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_yaml(path: Path, hint: str) -> Fields:
    """The object in a YAML file.

    Parameters
    ----------
    hint
        What to do if the file does not exist.

    Raises
    ------
    ConfigError
        If it cannot be read, or is not an object.
    """
    real = path.expanduser().resolve()
    try:
        content = parse_yaml(read_plain(real.parent, real).decode())
    except UnreadableError as error:
        if error.why == MISSING:
            raise NotFoundError(f"{path} does not exist", hint=hint) from None
        raise ConfigError(f"{path} cannot be read: it is {error.why}") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}", hint="fix the file") from None
    return Fields(content, path)


def read_variables(fields: Fields) -> Variables:
    """The environment variables under the key ``environment``: names and values.

    Raises
    ------
    ConfigError
        If a name is not that of a variable, or a value is neither a text nor a number.
    """
    found = fields.table("environment")
    for name, value in found.items():
        if not _VARIABLE.fullmatch(name) or not isinstance(value, str | int | float):
            raise fields.error(f"environment.{name}", value, "the text of a variable")
    return tuple((name, str(value)) for name, value in found.items())
