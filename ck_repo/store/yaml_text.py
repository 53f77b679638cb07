"""Read YAML of anybody's: a short text may stand for any number of values, by aliases of aliases, and is counted before."""

from __future__ import annotations

import yaml

_MOST_VALUES = 100_000  # values, each alias as often as it stands for them
_LONGEST = 1 << 20  # characters


def parse_yaml(text: str) -> object:
    """The value of a YAML document, of plain types alone.

    Raises
    ------
    ValueError
        If it is no YAML, or stands for more values than any file that a person writes.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} characters")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None
        _count(node, {})
        return yaml.safe_load(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for; one that holds itself is refused."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("a value holds itself")
        return known[id(node)]
    known[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    total = 1 + sum(_count(child, known) for child in children)
    if total > _MOST_VALUES:
        raise ValueError(f"its aliases stand for more than {_MOST_VALUES} values")
    known[id(node)] = total
    return total
