"""How an action is declared: options, help, example."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ck_repo.actions.request import Request


@dataclass(frozen=True)
class Option:
    """An option of an action.

    Attributes
    ----------
    name
        The name without dashes; ``-`` and ``_`` are equivalent.
    help
        What it does.
    kind
        ``text``, ``flag``, ``integer``, ``number``, ``json``, or ``nested`` (``--name.KEY=value``).
    choices
        The allowed values of a text, or a function that returns them, called when they are needed; any if empty.
    minimum
        The minimum of a number; `above` makes it exclusive.
    aliases
        Older spellings.
    parts
        The nested option that ``--NAME.KEY=VALUE`` sets; the option's own name if it may have a value and keys.
    unused
        Why the option has no effect; it is accepted with a note. Empty for other options.
    """

    name: str
    help: str
    kind: str = "text"
    value: str = "…"
    choices: tuple[str, ...] | Callable[[], Sequence[str]] = ()
    minimum: float | None = None
    above: bool = False
    aliases: tuple[str, ...] = ()
    unused: str = ""
    parts: str = ""

    def allowed(self) -> Sequence[str]:
        """The allowed values of a text; any if empty."""
        return self.choices() if callable(self.choices) else self.choices


def without_effect(name: str, why: str, *, kind: str = "flag") -> Option:
    """An option of CK that is accepted and has no effect."""
    return Option(name, f"accepted, no effect: {why}", kind=kind, unused=why)


@dataclass(frozen=True)
class Answer:
    """The result of an action.

    Attributes
    ----------
    data
        The JSON object of ``--out=json``, without ``return``.
    lines
        The same as text for the console.
    status
        The exit status, if it is another program's.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    status: int = 0


@dataclass(frozen=True)
class Action:
    """An action of a module."""

    name: str
    summary: str
    example: str
    run: Callable[[Request], Answer]
    options: tuple[Option, ...] = ()
    usage: str = ""
    more_entries: bool = False  # accepts several entries
    any_options: bool = False  # accepts options that it does not declare
    module_implied: bool = False  # the module may be omitted


Actions = dict[str, Action]

TAGS = Option("tags", "required tags; a dash before a tag excludes it", value="a,b,-c")
REPOSITORY = Option("repo_uoa", "only this repository", value="NAME", aliases=("repo",))
LISTING = (
    Option("add_meta", "the meta.json of each entry, as `meta` in JSON", kind="flag"),
    Option("add_info", "the info.json of each entry, as `info` and `data_name` in JSON", kind="flag"),
)


def action(
    table: Actions,
    name: str,
    summary: str,
    *,
    example: str,
    options: Sequence[Option] = (),
    usage: str = "",
    more_entries: bool = False,
    module_implied: bool = False,
) -> Callable[[Callable[[Request], Answer]], Callable[[Request], Answer]]:
    """Add the decorated function to a module's table of actions."""

    def enter(run: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        row = Action(name, summary, example, run, tuple(options), usage, more_entries, module_implied=module_implied)
        table[name] = row
        return run

    return enter
