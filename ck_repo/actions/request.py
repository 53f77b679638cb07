"""A parsed and checked command: the object that every action reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ck_repo.errors import UsageError
from ck_repo.session import Session


@dataclass(frozen=True)
class Target:
    """``repository:module:entry``, with empty parts where the user omitted them."""

    module: str = ""
    entry: str = ""
    repository: str = ""

    @property
    def text(self) -> str:
        """As the user would type it."""
        return ":".join(part for part in (self.repository, self.module, self.entry) if part)


@dataclass(frozen=True)
class Request:
    """A command.

    Attributes
    ----------
    action
        The verb.
    target
        The first target.
    more
        Other targets.
    options
        Values by option name, with underscores instead of dashes. Options of kind `nested` are dicts.
    rest
        The words after ``--``.
    session
        The repositories of the command, and whether other repositories' code may run.
    """

    action: str
    target: Target = Target()
    more: tuple[Target, ...] = ()
    options: dict[str, object] = field(default_factory=dict)
    rest: tuple[str, ...] = ()
    session: Session = field(default_factory=Session, compare=False)

    @property
    def module(self) -> str:
        """The module's name."""
        return self.target.module

    @property
    def entry(self) -> str:
        """Name or pattern of the entry."""
        return self.target.entry

    @property
    def repository(self) -> str:
        """The given repository, from the target or an option."""
        return self.target.repository or self.text("repo_uoa")

    def text(self, name: str, default: str = "") -> str:
        """The value of a text option."""
        value = self.options.get(name)
        return default if value is None else str(value)

    def flag(self, name: str) -> bool:
        """Whether a flag is set."""
        return bool(self.options.get(name, False))

    def number(self, name: str) -> float | None:
        """The value of a number; None without one."""
        value = self.options.get(name)
        return None if value is None else float(str(value))

    def integer(self, name: str) -> int | None:
        """The value of an integer; None without one."""
        value = self.options.get(name)
        return None if value is None else int(str(value))

    def nested(self, name: str) -> dict[str, object]:
        """The values of ``--name.KEY=value``."""
        value = self.options.get(name)
        return dict(value) if isinstance(value, dict) else {}

    def needed(self, name: str, what: str) -> str:
        """The value of a required text option.

        Parameters
        ----------
        what
            What to give, with an example: the hint of the error.

        Raises
        ------
        UsageError
            If it is not given.
        """
        value = self.text(name)
        if not value:
            raise UsageError(f"`ck {self.action} {self.target.text}` needs --{name}=", hint=what)
        return value

    def with_module(self, module: str) -> Request:
        """The same request for another module."""
        return replace(self, target=replace(self.target, module=module))
