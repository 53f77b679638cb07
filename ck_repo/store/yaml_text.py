"""Read untrusted YAML: a short text may expand to any number of values through aliases, so they are counted first."""

from __future__ import annotations

import yaml

_MAX_VALUES = 100_000  # maximum number of values, counting each alias as often as it is used
_LONGEST = 1 << 20  # maximum number of characters


def parse_yaml(text: str) -> object:
    """Parse a YAML document with plain types only.

    Raises
    ------
    ValueError
        If it is not YAML, or expands to too many values.
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
    """The number of values that a node expands to; a node that contains itself is refused."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("a value contains itself")
        return known[id(node)]
    known[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    total = 1 + sum(_count(child, known) for child in children)
    if total > _MAX_VALUES:
        raise ValueError(f"its aliases expand to more than {_MAX_VALUES} values")
    known[id(node)] = total
    return total
