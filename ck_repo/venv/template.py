"""Templates of environments: a readable list of components with options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from ck_repo.errors import ConfigError
from ck_repo.resolve.component import Dependency
from ck_repo.store.entry import META, Entry
from ck_repo.store.fields import Fields


@dataclass(frozen=True)
class Template:
    """What a venv is made of.

    Attributes
    ----------
    entry
        Its entry of env_templates.
    description
        A line for people.
    python
        The range of Python versions that it is for (PEP 440).
    components
        What is installed into it, in the order of the file.
    """

    entry: Entry
    description: str
    python: str
    components: tuple[Dependency, ...]

    @property
    def name(self) -> str:
        """The template's alias."""
        return self.entry.alias


def read_template(entry: Entry) -> Template:
    """Read the YAML file that an entry of env_templates names."""
    path = entry.path / (Fields(entry.meta(), entry.path / META).text("template") or "template.yaml")
    fields = Fields(_yaml(path), path)
    fields.only("description", "python", "components")
    rows = []
    for key, row in fields.each("components").items():
        row.only("tags", "version")
        if not row.tags():
            raise ConfigError(f"{path}: components.{key} has no tags", hint="say what it is: tags: lib,python-package,numpy")
        rows.append(Dependency(key, row.tags(), row.text("version")))
    return Template(entry, fields.text("description"), fields.text("python"), tuple(rows))


def _yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing", hint="restore the template, or pull its repository again") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}", hint="mend the file") from None
