"""A picture of a job graph, as SVG: operators in layers, from the sources at the top to the sinks at the bottom."""

from __future__ import annotations

from html import escape

from .graph import JobGraph, Operator

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 290, 64, 24, 30, 24
_COLOURS = {"source": "#dcedc8", "sink": "#ffe0b2", "table": "#d1c4e9", "java": "#eceff1"}
_STATEFUL = "#bbdefb"
_STYLE = (
    "text{font-family:ui-sans-serif,system-ui,sans-serif;font-size:11px;fill:#263238}"
    ".uid{font-weight:600;font-size:13px}.note{fill:#607d8b}"
    ".edge{fill:none;stroke:#90a4ae;stroke-width:1.5;marker-end:url(#arrow)}"
)
_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="#90a4ae"/></marker></defs>'
)


def svg(graph: JobGraph) -> str:
    """Draw the operators that Flink runs: each box has the uid, what was fused, the kind and the parallelism.

    A dashed box is an operator that PyFlink or the SQL planner made; a blue one is keyed.
    """
    layers = _layers(graph.operators)
    places = _places(layers)
    width = 2 * _MARGIN + max(len(layer) for layer in layers) * (_WIDTH + _GAP_X) - _GAP_X
    height = 2 * _MARGIN + len(layers) * (_HEIGHT + _GAP_Y) - _GAP_Y + 20
    edges = [_edge(places[source], places[operator.node]) for operator in graph.operators for source in operator.inputs]
    boxes = [_box(operator, *places[operator.node]) for operator in graph.operators]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
            f"<title>{escape(graph.name)}</title><style>{_STYLE}</style>",
            _ARROW,
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="{_MARGIN}" y="18" class="note">{escape(graph.name)}</text>',
            *edges,
            *boxes,
            "</svg>\n",
        ]
    )


def _layers(operators: list[Operator]) -> list[list[Operator]]:
    """Put each operator one layer behind the last of its inputs, and near them."""
    by_node = {operator.node: operator for operator in operators}
    depth: dict[int, int] = {}

    def place(operator: Operator) -> int:
        if operator.node not in depth:
            depth[operator.node] = 1 + max((place(by_node[source]) for source in operator.inputs), default=-1)
        return depth[operator.node]

    for operator in operators:
        place(operator)
    layers: list[list[Operator]] = [[] for _ in range(1 + max(depth.values()))]
    for operator in operators:
        layers[depth[operator.node]].append(operator)
    rank: dict[int, float] = {}
    for layer in layers:
        layer.sort(key=lambda operator: sum(rank[source] for source in operator.inputs) / max(1, len(operator.inputs)))
        rank.update({operator.node: position for position, operator in enumerate(layer)})
    return layers


def _places(layers: list[list[Operator]]) -> dict[int, tuple[int, int]]:
    widest = max(len(layer) for layer in layers)
    places = {}
    for row, layer in enumerate(layers):
        left = _MARGIN + (widest - len(layer)) * (_WIDTH + _GAP_X) // 2
        for column, operator in enumerate(layer):
            places[operator.node] = (left + column * (_WIDTH + _GAP_X), _MARGIN + 20 + row * (_HEIGHT + _GAP_Y))
    return places


def _edge(source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1, x2, y2 = source[0] + _WIDTH // 2, source[1] + _HEIGHT, target[0] + _WIDTH // 2, target[1]
    middle = (y1 + y2) // 2
    return f'<path class="edge" d="M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"/>'


def _box(operator: Operator, x: int, y: int) -> str:
    keyed = operator.kind.startswith("keyed") or operator.kind == "window"
    fill = _STATEFUL if keyed else _COLOURS.get(operator.kind, "#ffffff")
    line = 'stroke="#78909c" stroke-dasharray="4 3"' if operator.hidden else 'stroke="#37474f"'
    line = line if operator.uid else 'stroke="#c62828" stroke-width="2"'
    where = (operator.where or "").rpartition("/")[2]
    note = " · ".join(filter(None, (operator.kind, f"parallelism {operator.parallelism}", where)))
    texts = [("uid", operator.uid or "no uid", 20), ("", operator.name, 36), ("note", note, 52)]
    shown = [(kind, escape(_cut(text, _LONGEST[kind])), down) for kind, text, down in texts if text]
    lines = "".join(f'<text class="{kind}" x="{x + 10}" y="{y + down}">{text}</text>' for kind, text, down in shown)
    return f'<g><rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{fill}" {line}/>{lines}</g>'


_LONGEST = {"uid": 33, "": 46, "note": 48}
"""How many characters of each kind of line fit into a box."""


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
