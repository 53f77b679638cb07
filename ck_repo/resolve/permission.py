"""Find the code of other repositories in a plan, so that it can be refused or reported beforehand."""

from __future__ import annotations

from collections.abc import Mapping

from ck_repo.resolve.plan import Choice, NewPackage, PythonPackage, in_order, variant_of
from ck_repo.trust import may_run, require_code


def foreign_code(choice: Choice) -> tuple[str, ...]:
    """Descriptions of the other repositories' code that installing a choice runs, without its dependencies."""
    if choice.ready or not isinstance(choice, NewPackage | PythonPackage):
        return ()
    if may_run(choice.variant.component.entry.path, trusted=False):
        return ()
    if isinstance(choice, PythonPackage):
        return (f"Python package {choice.requirement}",)
    fields = choice.variant.component.fields(choice.variant.chosen)
    scripts = [step.fields("script") for step in fields.rows("install") if "script" in step]
    found = [f"script {row.text('file') or row.text('module')}" for row in scripts]
    if fields.text("python_path"):
        found.append(f"Python modules in {fields.text('python_path')}")
    return tuple(found)


def refuse_foreign_code(choices: Mapping[str, Choice], trust: bool) -> None:
    """Refuse a plan that runs code of other repositories, unless the user trusts them.

    Raises
    ------
    UntrustedError
        With the first such code.
    """
    for _, choice in in_order(choices):
        variant = variant_of(choice)
        if variant:
            for what in foreign_code(choice):
                require_code(variant.component.entry.path, what, trust)
