"""The declaration of a run option; `options.py` declares the options themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

if TYPE_CHECKING:
    from ck_repo.rounds.scenario import Scenario
    from ck_repo.run.options import RunOptions

# checks the options of an official performance run; raises UsageError
Rule = Callable[["RunOptions", "Scenario"], None]
_KINDS: Mapping[Any, str] = {str: "text", bool: "flag", int | None: "integer", float | None: "number"}


@dataclass(frozen=True)
class Spelling:
    """CK's spelling of an option: ``--env.NAME=value``.

    Attributes
    ----------
    names
        Names of variables, separated by spaces.
    words
        CK's values and ours, or a function that returns them when they are needed. Other values are errors, unless the option
        has no `choices`.
    any_case
        Whether case is ignored in values; `words` are in lower case then.
    what
        A description of the value, for errors: ``a scenario``.
    """

    names: str
    words: Mapping[str, str] | Callable[[], Mapping[str, str]] = field(default_factory=dict)
    any_case: bool = False
    what: str = "a value"

    def known(self) -> Mapping[str, str]:
        """CK's values and ours."""
        return self.words() if callable(self.words) else self.words


@dataclass(frozen=True)
class RunOption:
    """The declaration of a run option, as the annotation of a field of `RunOptions`.

    The field has the rest: its name, its default, and its type, from which the kind of the option follows. Numbers have to be
    more than 0.

    Attributes
    ----------
    help
        For ``--help`` and docs/commands.md.
    value
        An example or placeholder of a value: ``--model=TAGS``.
    choices
        The allowed values of a text; any if empty.
    file
        Whether a text is the path of a file; in Python a `Path` is accepted, too.
    maximum
        Maximum of a number.
    parts
        The nested option that ``--NAME.KEY=VALUE`` sets, if that is another option.
    option
        The name on the command line, if it differs from the field's: ``time`` for `seconds`.
    keyword
        The name in the Python API, if it differs from the field's.
    ck
        CK's spellings.
    extra_ops, extra_ops_factor
        The reference harness's option in EXTRA_OPS, and the factor for its value.
    official
        The check for official runs: why the option is not allowed, or a rule for the performance run.
    in_spec
        Whether spec.json has the value unchanged, under the field's name. LoadGen's settings are in `spec.loadgen_settings`.
    this_machine
        Whether the value only applies to one machine, so that a replay omits it.
    measured
        Whether the harness measures the value by default, and reports it in the results under the same name.
    audited
        Whether ``ck audit`` has the option, too.
    default_recorded
        Whether an experiment records the option if it has its default. (Options without a value are never recorded.)
    name, kind, default
        From the field. The kind is ``text``, ``flag``, ``integer``, ``number`` or ``nested``.
    """

    help: str
    _: KW_ONLY
    value: str = "…"
    choices: tuple[str, ...] = ()
    file: bool = False
    maximum: float | None = None
    parts: str = ""
    option: str = ""
    keyword: str = ""
    ck: Spelling | None = None
    extra_ops: str = ""
    extra_ops_factor: int = 1
    official: str | Rule | None = None
    in_spec: bool = False
    this_machine: bool = False
    measured: bool = False
    audited: bool = True
    default_recorded: bool = True
    name: str = ""
    kind: str = ""
    default: Any = None

    @property
    def key(self) -> str:
        """The option's name in a request, with underscores."""
        return self.option.replace("-", "_")


def declared_options(table: type[RunOptions]) -> tuple[RunOption, ...]:
    """The declarations in the annotations of a dataclass, completed with the names, types and defaults of its fields."""
    hints = get_type_hints(table, include_extras=True)
    found = []
    for each in fields(table):
        kind, declared = get_args(hints[each.name])
        assert isinstance(declared, RunOption)
        found.append(
            replace(
                declared,
                name=each.name,
                option=declared.option or each.name.replace("_", "-"),
                keyword=declared.keyword or each.name,
                kind=_KINDS.get(kind, "nested"),
                default={} if each.default is MISSING else each.default,
            )
        )
    return tuple(found)
