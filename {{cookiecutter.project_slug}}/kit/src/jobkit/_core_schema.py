"""YAML 1.2's core schema, which is what Flink's parser (SnakeYAML Engine) follows.

ruamel.yaml's own resolver knows more (timestamps, `1_000`, merge keys) and would read some values differently.
See https://yaml.org/spec/1.2.2/#103-core-schema.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

_PREFIX = "tag:yaml.org,2002:"


_PATTERNS = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
    "str": re.compile(r".*", re.DOTALL),
}


_PLAIN = (1e-3, 1e7)
"""Java writes numbers in this range without an exponent."""


class CoreResolver(VersionedResolver):
    """Give plain scalars the tag that the core schema says."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """Return a node's tag."""
        if kind is ScalarNode and implicit[0]:
            return Tag(suffix=_PREFIX + next(name for name, pattern in _PATTERNS.items() if pattern.fullmatch(value)))
        return super().resolve(kind, value, implicit)


def construct(node: Node, parents: tuple[int, ...] = ()) -> Any:
    """Return the Python value of a composed node.

    Raises:
        ValueError: When the node has a tag that Flink's parser does not know, or contains itself.
    """
    if id(node) in parents:
        raise ValueError("contains itself.")
    inner = (*parents, id(node))
    if isinstance(node, SequenceNode):
        return [construct(item, inner) for item in node.value]
    if isinstance(node, MappingNode):
        return {construct(key, inner): construct(value, inner) for key, value in node.value}
    assert isinstance(node, ScalarNode)  # noqa: S101  (YAML has three kinds of node)
    return _scalar(str(node.tag), str(node.value))


def _scalar(tag: str, text: str) -> str | int | float | bool | None:
    kind = tag.removeprefix(_PREFIX)
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    raise ValueError(f"has the tag {tag}, which Flink does not know.")


def double(value: float) -> str:
    """Write a finite number as Java's `Double.toString` does, which is how Flink turns YAML numbers into text."""
    if not value or _PLAIN[0] <= abs(value) < _PLAIN[1]:
        return repr(value)
    decimal = Decimal(repr(value)).normalize()
    digits = "".join(map(str, decimal.as_tuple().digits))
    return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{decimal.adjusted()}"
