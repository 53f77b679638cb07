"""The options that a backend's module declares: ``--backend.KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ck_repo.errors import UsageError, did_you_mean
from ck_repo.store.fields import Fields


@dataclass(frozen=True)
class BackendOption:
    """An option of a backend: one of some values, or an integer within bounds.

    Attributes
    ----------
    default
        The value without --backend.KEY=; empty if the backend decides.
    search
        The values that `ck tune` tries besides the default; none if it does not search the option.
    calibrated
        The values that need calibration images.
    """

    name: str
    help: str
    values: tuple[str, ...] = ()
    minimum: int = 1
    maximum: int = 1
    default: str = ""
    search: tuple[str, ...] = ()
    calibrated: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values, as text."""
        return ", ".join(self.values) or f"{self.minimum} to {self.maximum}"

    def takes(self, value: str) -> bool:
        """Whether a value is allowed."""
        if self.values:
            return value in self.values
        return value.isascii() and value.isdigit() and self.minimum <= int(value) <= self.maximum


def read_options(fields: Fields) -> dict[str, BackendOption]:
    """Read the `options` of a declaration.

    Raises
    ------
    ConfigError
        If one has an unknown key, neither values nor bounds, or a default or searched value that is not allowed.
    """
    found = {}
    for name, row in fields.each("options").items():
        row.only("help", "values", "minimum", "maximum", "default", "search", "calibrated")
        values = row.texts("values")
        low, high = row.integer("minimum", 1) or 0, row.integer("maximum")
        if bool(values) == (high is not None):
            raise row.error("values", values, "a list of texts, or `maximum` an integer")
        default, search, calibrated = row.text("default"), row.texts("search"), row.texts("calibrated")
        option = BackendOption(name, row.needed("help"), values, low, high or low, default, search, calibrated)
        for key, listed in (("default", (default,) if default else ()), ("search", search), ("calibrated", calibrated)):
            if wrong := [value for value in listed if not option.takes(value)]:
                raise row.error(key, wrong[0], f"one of {option.allowed}")
        found[name] = option
    return found


def check_options(backend: str, declared: Mapping[str, BackendOption], chosen: Mapping[str, str]) -> None:
    """Refuse options that a backend does not declare, and values that are not allowed.

    Raises
    ------
    UsageError
        The message lists similar names or values.
    """
    for name, value in chosen.items():
        option = declared.get(name)
        if option is None:
            hint = did_you_mean(name, declared) if declared else "omit it"
            raise UsageError(f"the backend {backend} has no option {name!r}", hint=hint)
        if not option.takes(value):
            hint = did_you_mean(value, option.values) if option.values else ""
            raise UsageError(f"--backend.{name}={value} is not one of {option.allowed}", hint=hint)
