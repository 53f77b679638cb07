"""Explain a plan."""

from __future__ import annotations

from collections.abc import Mapping

from ck_repo.resolve.permission import foreign_code
from ck_repo.resolve.plan import Choice, PythonPackage, in_order, variant_of


def as_data(choices: Mapping[str, Choice]) -> list[dict[str, object]]:
    """The plan in JSON: an object for each choice, in the order of installation."""
    return [_described(name, choice) for name, choice in in_order(choices)]


def _described(name: str, choice: Choice) -> dict[str, object]:
    variant = variant_of(choice)
    return {
        "dependency": name,
        "need": choice.need,
        "name": choice.name,
        "package": variant.component.entry.alias if variant else "",
        "variations": list(variant.chosen) if variant else [],
        "source": choice.source,
        "ready": choice.ready,
        "requirement": choice.requirement if isinstance(choice, PythonPackage) else "",
        "version": choice.version,
        "key": choice.key,
        "reason": choice.reason,
        "needs_trust": list(foreign_code(choice)),
        "passed_over": [{"name": other, "why": why} for other, why in choice.passed_over],
    }


def as_lines(choices: Mapping[str, Choice], *, reasons: bool) -> list[str]:
    """The plan as text: what is done, and with `reasons` why."""
    lines = []
    for name, choice in in_order(choices):
        variant = variant_of(choice)
        label = variant.label if variant else choice.name
        conversion = variant.component.conversion if variant else None
        verb = "use    " if choice.ready else "convert" if conversion else "install"
        what = choice.requirement if isinstance(choice, PythonPackage) and not choice.ready else label
        if conversion:
            what = f"{choice.label} from {conversion.source} to {conversion.target} ({label})"
        version = f" {choice.version}" if choice.version else ""
        code = foreign_code(choice)
        trust = f" (needs --trust: it runs code of another repository, {', '.join(code)})" if code else ""
        lines.append(f"{verb} {name}: {what}{version}{trust}")
        if reasons:
            lines.append(f"          requested: {choice.need}")
            lines.append(f"          because {choice.reason}")
            lines += [f"          not {other}: {why}" for other, why in choice.passed_over]
    return lines
