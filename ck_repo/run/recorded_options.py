"""The options of a recorded run, for running it again."""

from __future__ import annotations

from ck_repo.environment.lockfile import Lock
from ck_repo.errors import ConfigError, UsageError
from ck_repo.run.options import RUN_OPTIONS, RunOptions
from ck_repo.store.entry import Entry


def options_of(lock: Lock, experiment: Entry) -> RunOptions:
    """The options of an experiment, without those that are only valid on their machine.

    Raises
    ------
    ConfigError
        If the lock has an option or value that this version does not support.
    """
    known = {option.name: option for option in RUN_OPTIONS}
    unknown = sorted(set(lock.options) - set(known))
    if unknown:
        raise ConfigError(
            f"{experiment.path}: it has the option {unknown[0]}, which this ck does not support",
            hint=f"it was recorded by ck {lock.engine.get('version')}: install that, or a newer one",
        )
    # some options are only valid on their machine
    options = {name: value for name, value in lock.options.items() if not known[name].this_machine}
    for name, value in options.items():
        if known[name].choices and value not in (known[name].default, *known[name].choices):
            raise ConfigError(f"{experiment.path}: its option {name} is {value!r}", hint="the lock was edited")
    try:
        return RunOptions(**options)
    except UsageError as error:
        raise ConfigError(f"{experiment.path}: its option {error.what}", hint="the lock was edited") from None
