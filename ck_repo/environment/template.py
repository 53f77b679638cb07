"""Templates of environments: YAML lists of components with options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ck_repo.errors import ConfigError, UsageError
from ck_repo.resolve.component import Dependency
from ck_repo.session import Session
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields
from ck_repo.store.modules import canonical_module
from ck_repo.store.plain_file import UnreadableError, read_plain
from ck_repo.store.repositories import LOCAL, default_repository_alias
from ck_repo.store.search import load
from ck_repo.store.yaml_text import parse_yaml

_MODULE = "env_templates"
_STOCK_SCRIPTS = ("script.sh", "script.bat")


@dataclass(frozen=True)
class Template:
    """The content of a venv.

    Attributes
    ----------
    entry
        Its entry of env_templates.
    description
        A one-line description.
    python
        The supported range of Python versions (PEP 440).
    components
        The components to install, in the order of the file.
    """

    entry: Entry
    description: str
    python: str
    components: tuple[Dependency, ...]

    @property
    def name(self) -> str:
        """The name for finding it again: its alias, preceded by the repository if it is not ours."""
        own = self.entry.repository in (LOCAL, default_repository_alias())
        return self.entry.alias if own else f"{self.entry.repository}:{self.entry.alias}"


def template_entry(session: Session, name: str) -> Entry:
    """The entry of a template: ``NAME`` (an alias or a UID), ``venv.template:NAME``, ``REPOSITORY:NAME`` or all three.

    Raises
    ------
    UsageError
        If another module is given, or there are too many colons.
    """
    *before, alias = name.split(":")
    module = before.pop() if (before and canonical_module(before[-1]) == _MODULE) or len(before) == 2 else _MODULE
    if len(before) > 1 or canonical_module(module) != _MODULE:
        raise UsageError(
            f"{name!r} is not the name of a template",
            hint="use NAME, REPOSITORY:NAME or REPOSITORY:venv.template:NAME; `ck ls venv.template` lists the templates",
        )
    return load(session.repositories, _MODULE, alias, "".join(before))


def read_template(entry: Entry) -> Template:
    """Read the YAML file of an entry of env_templates."""
    named = Fields(entry.meta(), entry.path / META).text("template")
    path = entry.path / (named or "template.yaml")
    if not path.exists() and any((entry.path / name).exists() for name in _STOCK_SCRIPTS):
        raise ConfigError(
            f"{entry.repository}:{entry.cid} is a template for stock CK, a shell script, which is not supported",
            hint="`ck ls venv.template` lists the templates; those with a range of Python versions can be used",
        )
    fields = Fields(_yaml(entry.path, path), path)
    fields.only("description", "python", "components")
    rows = []
    for key, row in fields.each("components").items():
        row.only("tags", "version")
        if not row.tags():
            raise ConfigError(f"{path}: components.{key} has no tags", hint="for example: tags: lib,python-package,numpy")
        rows.append(Dependency(key, row.tags(), row.text("version")))
    return Template(entry, fields.text("description"), fields.text("python"), tuple(rows))


def _yaml(folder: Path, path: Path) -> object:
    try:
        return parse_yaml(read_plain(folder, path).decode())
    except UnreadableError as error:
        raise ConfigError(error.what, hint="restore the template, or pull its repository again") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not YAML: {error}", hint="fix the file") from None
