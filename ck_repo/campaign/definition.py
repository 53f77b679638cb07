"""The definition of a campaign: its matrix and the number of repetitions, from options and from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ck_repo.campaign.axes import axis, axis_name, flat, read_axes, read_value, read_values
from ck_repo.campaign.matrix import Matrix
from ck_repo.campaign.settling import Settling
from ck_repo.campaign.yaml_file import read_yaml
from ck_repo.errors import ConfigError, UsageError
from ck_repo.store.digest import of_value

KEYS = (
    "over", "options", "exclude", "repetitions", "name", "time_limit", "run_limit", "hopeless", "busy", "settle", "each",
    "cluster",
)  # fmt: skip
HOPELESS = 0.5


@dataclass(frozen=True)
class Limits:
    """The limits of a campaign, which may change when it is continued.

    Attributes
    ----------
    total, run
        Seconds for all runs of this call, and for one run; None for no limit.
    hopeless
        Minimum share of speed, 0–1, as in `hopeless`; 0 keeps every cell.
    settling
        When a machine is ready for a run.
    """

    total: float | None = None
    run: float | None = None
    hopeless: float = HOPELESS
    settling: Settling = field(default_factory=Settling)


@dataclass(frozen=True)
class Definition:
    """A campaign's definition.

    Attributes
    ----------
    program
        UID of the program.
    each_machine
        Whether every cell is run on each machine.
    goals
        Names of the goals of a search for settings; none for a sweep.
    machine
        The machine of a search, as `same_machine` describes it: its results hold for no other. Empty for a sweep.
    """

    program: str
    matrix: Matrix
    repetitions: int = 1
    each_machine: bool = False
    goals: tuple[str, ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Identifies the definition: the same options give the same campaign."""
        return of_value(self.as_data())

    def as_data(self) -> dict[str, object]:
        """As JSON, for a campaign's entry."""
        data = {"program": self.program, **self.matrix.as_data(), "repetitions": self.repetitions}
        data |= {"each": "machine"} if self.each_machine else {}
        data |= {"machine": dict(self.machine)} if self.machine else {}
        return data | ({"goals": list(self.goals)} if self.goals else {})


@dataclass(frozen=True)
class SweepRequest:
    """The content of a YAML file; missing values are None or empty."""

    over: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    exclude: tuple[Mapping[str, tuple[Any, ...]], ...] = ()
    repetitions: int | None = None
    name: str = ""
    total: float | None = None
    run: float | None = None
    hopeless: float | None = None
    busy: float | None = None
    settle: float | None = None
    each: str = ""
    cluster: str = ""


def read_file(path: Path) -> SweepRequest:
    """Read a campaign's YAML file.

    Raises
    ------
    ConfigError
        If a key is unknown (the message lists similar ones), or a value has the wrong type.
    """
    fields = read_yaml(path, "--file= names the YAML file of a campaign")
    fields.only(*KEYS)
    repetitions = fields.integer("repetitions")
    if repetitions is not None and repetitions < 1:
        raise fields.error("repetitions", repetitions, "an integer above 0")
    limits = {key: fields.number(key) for key in ("time_limit", "run_limit", "hopeless", "busy", "settle")}
    for key in ("time_limit", "run_limit"):
        if (value := limits[key]) is not None and value <= 0:
            raise fields.error(key, value, "above 0")
    try:
        return SweepRequest(
            read_axes(fields.table("over"), f"{path}: over"),
            fixed_options(fields.table("options")),
            tuple(read_axes(row.as_dict(), f"{path}: exclude") for row in fields.rows("exclude")),
            repetitions,
            fields.text("name"),
            limits["time_limit"],
            limits["run_limit"],
            limits["hopeless"],
            limits["busy"],
            limits["settle"],
            fields.text("each"),
            fields.text("cluster"),
        )
    except UsageError as error:
        raise ConfigError(f"{path}: {error.what}", hint=error.hint) from None


def fixed_options(content: Mapping[str, Any]) -> dict[str, object]:
    """Values of run options, by the names of `RunOptions`."""
    found: dict[str, object] = {}
    for typed, value in flat(content).items():
        option, key = axis(typed)
        read = read_value(option, value)
        before = found.get(option.name)
        found[option.name] = {**(before if isinstance(before, Mapping) else {}), key: read} if key else read
    return found


def read_exclusions(text: str) -> tuple[dict[str, tuple[Any, ...]], ...]:
    """Parse the option --exclude: ``backend=tflite,batch_size=4|8;backend=torch``.

    >>> read_exclusions("backend=tflite,batch_size=4|8")
    ({'backend': ('tflite',), 'batch_size': (4, 8)},)
    """
    parts = filter(None, (each.strip() for each in text.split(";")))
    return tuple(read_conditions(part, "--exclude", "; a semicolon separates exclusions") for part in parts)


def read_conditions(text: str, option: str, more: str = "") -> dict[str, tuple[Any, ...]]:
    """Parse values of options: ``backend=tflite,batch_size=4|8``.

    Parameters
    ----------
    option
        Where they are given, for messages.
    more
        The end of the hint.

    Raises
    ------
    UsageError
        If a condition is not OPTION=VALUE, or an option or value is unknown.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for condition in text.split(","):
        name, equals, values = condition.partition("=")
        if not equals or not values:
            raise UsageError(
                f"{option}: {condition!r} is not OPTION=VALUE", hint=f"write {option}=backend=tflite,batch_size=4|8{more}"
            )
        found[axis_name(name.strip())] = read_values(name.strip(), [each for each in values.split("|") if each])
    return found


def with_fixed(definition: Definition, options: Mapping[str, Any]) -> Definition:
    """The definition with additional fixed options."""
    matrix = definition.matrix
    return replace(definition, matrix=replace(matrix, fixed={**matrix.fixed, **options}))
