"""The picture of a graph is well-formed, complete and where it is drawn."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest
from jobkit.graph import JobGraph, Member, Operator
from jobkit.pictures import svg

SVG = "{http://www.w3.org/2000/svg}"


def operator(node: int, uid: str | None, *inputs: int, kind: str = "process", hidden: bool = False, name: str = "Map") -> Operator:
    """Return an operator at a place of the graph."""
    fused: tuple[Member, ...] = ()
    place = ("job.py", node, "map")
    return Operator(uid, None, name, kind, 2, 128, None, hidden, fused, *place, node=node, inputs=inputs)


def draw(*operators: Operator, name: str = "job") -> ET.Element:
    """Return the parsed picture of a graph."""
    return ET.fromstring(svg(JobGraph(name, list(operators), {}, 128)))  # noqa: S314 - our own text


def texts(picture: ET.Element) -> list[str]:
    """Return what is written in it."""
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def boxes(picture: ET.Element) -> list[dict[str, float]]:
    """Return the rectangles of the operators."""
    found = [group.find(f"{SVG}rect") for group in picture.iter(f"{SVG}g")]
    return [{side: float(box.attrib[side]) for side in ("x", "y", "width", "height")} for box in found if box is not None]


DIAMOND = (
    operator(1, "source", kind="source"),
    operator(2, "left", 1),
    operator(3, "right/key-by", 1, hidden=True),
    operator(4, "right", 3, kind="keyed-process"),
    operator(5, "out", 2, 4, kind="sink"),
)


def test_each_operator_has_a_box_with_its_uid_kind_and_line() -> None:
    """What a reader looks for is there once."""
    picture = draw(*DIAMOND)
    for entry in DIAMOND:
        assert texts(picture).count(entry.uid or "") == 1
    assert "keyed-process · parallelism 2 · job.py:4" in texts(picture)
    assert len(boxes(picture)) == len(DIAMOND)


def test_each_edge_is_drawn() -> None:
    """As many as there are inputs."""
    edges = [path for path in draw(*DIAMOND).iter(f"{SVG}path") if path.get("class") == "edge"]
    assert len(edges) == sum(len(entry.inputs) for entry in DIAMOND)


def test_boxes_do_not_overlap_and_are_inside() -> None:
    """Readers behind what they read from, neighbours apart, nothing cut off."""
    picture = draw(*DIAMOND, operator(6, "beside", kind="source"), operator(7, "end", 6, kind="sink"))
    found = boxes(picture)
    for one, other in itertools.combinations(found, 2):
        apart = abs(one["x"] - other["x"]) >= one["width"] or abs(one["y"] - other["y"]) >= one["height"]
        assert apart, (one, other)
    for box in found:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= float(picture.attrib["width"])
        assert box["y"] + box["height"] <= float(picture.attrib["height"])


def test_readers_are_behind_what_they_read_from() -> None:
    """Along one axis, whichever it is."""
    source, left, key_by, right, out = boxes(draw(*DIAMOND))
    along = "y" if source["x"] == out["x"] else "x"
    assert source[along] < left[along] == key_by[along] < right[along] < out[along]


@pytest.mark.parametrize("text", ["<b>&\"'", "größe·速度", "]]>"])
def test_names_are_texts_whatever_is_in_them(text: str) -> None:
    """A name with markup is no markup."""
    picture = draw(operator(1, text, name=text, kind="source"), name=text)
    assert texts(picture)[:3] == [text] * 3
    assert picture.findtext(f"{SVG}title") == text


def test_a_long_name_is_cut_and_says_so() -> None:
    """It would run into its neighbour."""
    uid, name = texts(draw(operator(1, "a" * 200, name="b" * 200, kind="source")))[1:3]
    assert uid == "a" * (len(uid) - 1) + "…"
    assert name == "b" * (len(name) - 1) + "…"
    assert max(len(uid), len(name)) < 50


def test_a_missing_uid_shows() -> None:
    """It is what the picture is looked at for."""
    picture = draw(operator(1, None, kind="source"))
    assert "no uid" in texts(picture)
    box = next(picture.iter(f"{SVG}g")).find(f"{SVG}rect")
    assert box is not None
    assert box.get("stroke") == "#c62828"


def test_hidden_operators_are_dashed() -> None:
    """They can be told from those that the user wrote."""
    rectangles = [group.find(f"{SVG}rect") for group in draw(*DIAMOND).iter(f"{SVG}g")]
    assert [box is not None and "stroke-dasharray" in box.attrib for box in rectangles] == [entry.hidden for entry in DIAMOND]
