"""How an action says what it is: its options, its help, its example."""

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
        As it is typed, without the dashes; ``-`` and ``_`` are the same.
    help
        What it does.
    kind
        ``text``, ``flag``, ``whole`` (an integer), ``number``, ``json``, or ``nested`` (``--name.KEY=value``).
    choices
        The values that a text may have, or a function that returns them, called when they are needed; any if empty.
    least
        The smallest value of a number; `above` excludes it.
    aliases
        Older spellings.
    parts
        The nested option that ``--NAME.KEY=VALUE`` is for; the option's own name if its keys may have keys and a value, too.
    unused
        Why the option has no effect; it is accepted with a note. Empty for an option that has one.
    """

    name: str
    help: str
    kind: str = "text"
    value: str = "…"
    choices: tuple[str, ...] | Callable[[], Sequence[str]] = ()
    least: float | None = None
    above: bool = False
    aliases: tuple[str, ...] = ()
    unused: str = ""
    parts: str = ""

    def allowed(self) -> Sequence[str]:
        """The values that a text may have; any if empty."""
        return self.choices() if callable(self.choices) else self.choices


def without_effect(name: str, why: str, *, kind: str = "flag") -> Option:
    """An option of CK's that is accepted, and has no effect."""
    return Option(name, f"accepted, no effect: {why}", kind=kind, unused=why)


@dataclass(frozen=True)
class Answer:
    """What an action has to say.

    Attributes
    ----------
    data
        The JSON object of ``--out=json``, without ``return``.
    lines
        The same for a person.
    status
        The exit status, where it is another program's.
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
    more_entries: bool = False  # takes further entries after the first
    any_options: bool = False  # takes options that it does not declare
    module_implied: bool = False  # the command may leave out the module


Actions = dict[str, Action]

TAGS = Option("tags", "tags to have, and with a dash tags not to have", value="a,b,-c")
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
    """Enter the decorated function into a module's table of actions."""

    def enter(run: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        row = Action(name, summary, example, run, tuple(options), usage, more_entries, module_implied=module_implied)
        table[name] = row
        return run

    return enter


def table_lines(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows under a header, in columns as wide as they have to be."""
    text = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in text) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in text]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
