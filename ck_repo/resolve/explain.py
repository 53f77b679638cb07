"""Say why a plan is what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.resolve.permission import foreign_code
from ck_repo.resolve.plan import PYTHON, Choice, in_order


def as_data(choices: Mapping[str, Choice]) -> list[dict[str, Any]]:
    """The plan in JSON: a row a choice, in the order in which they are installed."""
    return [
        {
            "dependency": name,
            "need": choice.need,
            "name": choice.name,
            "package": choice.variant.component.entry.alias if choice.variant else "",
            "variations": list(choice.variant.chosen) if choice.variant else [],
            "source": choice.source,
            "ready": choice.ready,
            "requirement": choice.requirement,
            "version": choice.version,
            "key": choice.key,
            "reason": choice.reason,
            "needs_trust": list(foreign_code(choice)),
            "passed_over": [{"name": other, "why": why} for other, why in choice.passed_over],
        }
        for name, choice in in_order(choices)
    ]


def as_lines(choices: Mapping[str, Choice], *, reasons: bool) -> list[str]:
    """The plan for a person: what is done, and with `reasons` why."""
    lines = []
    for name, choice in in_order(choices):
        label = choice.variant.label if choice.variant else choice.name
        conversion = choice.variant.component.conversion if choice.variant else None
        verb = "use    " if choice.ready else "convert" if conversion else "install"
        what = choice.requirement if choice.source == PYTHON and not choice.ready else label
        if conversion:
            what = f"{choice.label} from {conversion.source} to {conversion.target} ({label})"
        version = f" {choice.version}" if choice.version else ""
        code = foreign_code(choice)
        trust = f" (needs --trust: it runs code of another repository, {', '.join(code)})" if code else ""
        lines.append(f"{verb} {name}: {what}{version}{trust}")
        if reasons:
            lines.append(f"          asked for: {choice.need}")
            lines.append(f"          because {choice.reason}")
            lines += [f"          not {other}: {why}" for other, why in choice.passed_over]
    return lines
