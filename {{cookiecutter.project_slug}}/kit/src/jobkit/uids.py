"""Gives a uid to every operator that PyFlink or the SQL planner makes on its own, and keeps the user's through fusing.

`key_by`, a Python timestamp assigner, `partition_custom`, `print`, a side output, a topic selector and every SQL
query add operators that `.uid()` does not reach. Each gets a uid made from the uid of the operator that it serves
(the nearest one downstream that the user named) and its role, so that nothing elsewhere in the job can change it.
PyFlink then fuses neighbouring Python operators into one that keeps only its head's uid; where that head is one of
the hidden ones, the user's uid moves there.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from py4j.java_gateway import get_java_class
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from .calls import elements
from .origins import Origin, Origins

_ROLES = {
    "_stream_key_by_map_operator": "key-by",
    "_partition_custom_map_operator": "partition-custom",
    "_keyed_stream_values_operator": "values",
    "TableToDataSteam": "table-to-data-stream",  # Flink 1's spelling
}
_ROLES_BY_CALL = {"print": "to-string", "sink_to": "topic-selector"}
_NUMBERED = re.compile(r"\[\d+\]")
_UID_OPTIONAL = {"get_side_output", "partition_custom"}
"""Calls whose result the user may name but need not: what they add has no state and can be told apart."""


@dataclass
class Step:
    """One transformation as it was written, before PyFlink fuses it.

    Attributes:
        id: Flink's id of the transformation.
        name: Flink's name of the operator.
        uid: The uid, or None while there is none.
        origin: Where it was written; that of the operator it serves when it was made on the way.
        hidden: Whether PyFlink or the planner made it, so that its uid has to be derived.
        table: Whether the SQL planner made it.
    """

    id: int
    name: str
    uid: str | None
    origin: Origin | None
    physical: bool
    j: Any
    description: str = ""
    hidden: bool = False
    table: bool = False
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Fused:
    """The job as PyFlink has fused it.

    Attributes:
        steps: By the id of each transformation that is left the steps that it is made of, head first.
        nameless: The id of each that makes an operator and has no uid, and the transformation.
    """

    steps: dict[int, list[Step]]
    nameless: list[tuple[int, Any]]


def assign(env: StreamExecutionEnvironment, origins: Origins) -> Fused:
    """Give hidden operators their uids, fuse as PyFlink will, and put each user's uid where Flink will look for it.

    Args:
        env: An environment whose pipeline is built and not yet executed.
        origins: What was recorded while it was built.
    """
    steps = _read(env, origins)
    _derive(steps)
    return _fuse(env, steps)


def _read(env: StreamExecutionEnvironment, origins: Origins) -> dict[int, Step]:
    is_physical = _physical()
    steps: dict[int, Step] = {}
    for number, j, inputs in _walk(env):
        steps[number] = Step(
            id=number,
            name=j.getName(),
            uid=j.getUid(),
            origin=origins.of(number),
            physical=is_physical(j),
            j=j,
            description=j.getDescription() or "",
            inputs=inputs,
        )
    for step in steps.values():
        for source in step.inputs:
            steps[source].outputs.append(step.id)
    for step in steps.values():
        if step.origin is None:
            step.origin = _served(steps, step)
            step.table = step.origin is not None and step.origin.api in _TABLE_CALLS
            step.origin = step.origin and Origin(step.origin.api, step.origin.file, step.origin.line, tip=False)
        elif step.origin.api in _TABLE_CALLS and step.uid is None:
            step.table = True
    return steps


def _physical() -> Callable[[Any], bool]:
    """Return what tells whether a transformation makes an operator."""
    physical = get_java_class(get_gateway().jvm.org.apache.flink.streaming.api.transformations.PhysicalTransformation)
    return lambda j: bool(physical.isInstance(j))


_TABLE_CALLS = {"to_data_stream", "to_changelog_stream", "to_append_stream", "to_retract_stream", "attach_as_datastream"}


def _walk(env: StreamExecutionEnvironment) -> Iterator[tuple[int, Any, list[int]]]:
    """Yield the id of each transformation, the transformation, and the ids of those that it reads; the ends of the job first."""
    queue = [(j.getId(), j) for j in elements(env._j_stream_execution_environment.getTransformations())]
    seen: set[int] = set()
    for number, j in queue:
        if number not in seen:
            seen.add(number)
            inputs = [(source.getId(), source) for source in elements(j.getInputs())]
            yield number, j, [source for source, _ in inputs]
            queue.extend(inputs)


def _served(steps: dict[int, Step], step: Step) -> Origin | None:
    """Return the origin of the nearest operator downstream that has one."""
    for follower in step.outputs:
        origin = steps[follower].origin or _served(steps, steps[follower])
        if origin is not None:
            return origin
    return None


def _derive(steps: dict[int, Step]) -> None:
    hidden = [step for step in steps.values() if step.physical and not step.uid and _is_hidden(step)]
    proposals = {step.id: _proposal(steps, step) for step in hidden}
    # The less a uid says, the fewer edits change it: more is said only where it is needed.
    for fingerprint in (_fingerprint, _deep_fingerprint):
        taken = Counter(uid for uid in proposals.values() if uid)
        for step in hidden:
            uid = proposals[step.id]
            if uid and taken[uid] > 1:
                proposals[step.id] = f"{uid}~{fingerprint(steps, step)}"
    for step in hidden:
        step.hidden = True
        uid = proposals[step.id]
        if uid:
            step.uid = uid
            step.j.setUid(uid)


def _is_hidden(step: Step) -> bool:
    if step.origin is None:
        return True
    return not step.origin.tip or step.origin.api in _UID_OPTIONAL or step.table


def _proposal(steps: dict[int, Step], step: Step) -> str | None:
    """Return `<uid of what it serves>/<role>`, or None when nothing around it has a uid."""
    if step.origin is not None and step.origin.api == "get_side_output":
        tag = _side_output(steps, step)
        if tag:
            return tag
    anchors = sorted(set(_anchors(steps, step)))
    if anchors:
        return f"{'+'.join(anchors)}/{_role(step)}"
    upstream = sorted(set(_upstream(steps, step)))
    return f"{'+'.join(upstream)}/after/{_role(step)}" if upstream else None


def _role(step: Step) -> str:
    if step.name in _ROLES:
        return _ROLES[step.name]
    if step.origin is not None and not step.origin.tip and step.name == "Map":
        return _ROLES_BY_CALL.get(step.origin.api, "map")
    plain = without_numbers(step.name)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", plain)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "operator"


def _side_output(steps: dict[int, Step], step: Step) -> str | None:
    source = steps[step.inputs[0]]
    side_output = get_gateway().jvm.org.apache.flink.streaming.api.transformations.SideOutputTransformation
    if not get_java_class(side_output).isInstance(source.j):
        return None
    upstream = sorted(set(_upstream(steps, step)))
    return f"{'+'.join(upstream)}/side-output/{source.j.getOutputTag().getId()}" if upstream else None


def _anchors(steps: dict[int, Step], step: Step) -> Iterator[str]:
    """Yield the uids that the user gave to the nearest operators downstream, with the input where there are several."""
    for follower in (steps[output] for output in step.outputs):
        if follower.uid and not follower.hidden:
            several = len(follower.inputs) > 1
            yield f"{follower.uid}/{follower.inputs.index(step.id) + 1}" if several else follower.uid
        else:
            yield from _anchors(steps, follower)


def _upstream(steps: dict[int, Step], step: Step) -> Iterator[str]:
    for source in (steps[entry] for entry in step.inputs):
        if source.uid and not source.hidden:
            yield source.uid
        else:
            yield from _upstream(steps, source)


def _fingerprint(steps: dict[int, Step], step: Step) -> str:
    """Return what tells two operators of one role and one anchor apart: what they read and compute; of a side output, whom it serves."""
    if step.origin is not None and step.origin.api == "get_side_output":
        return "+".join(sorted(set(_anchors(steps, step))))
    return _digest([content(step), *sorted(set(_upstream(steps, step)))])


def _deep_fingerprint(steps: dict[int, Step], step: Step) -> str:
    """Return what tells two operators apart that compute the same, as a projection before and after a join: all that they read from."""
    inputs = [steps[entry] for entry in step.inputs]
    named = [source.uid if source.uid and not source.hidden else _deep_fingerprint(steps, source) for source in inputs]
    return _digest([content(step), *named])


def content(step: Step) -> str:
    """Return what an operator of the planner's reads and computes, whatever other queries there are."""
    return without_numbers(step.description or step.name)


def without_numbers(text: str) -> str:
    """Return a name of the planner's without the number that it gives to each: `Calc[3]`."""
    return _NUMBERED.sub("", text)


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]


_MARK = "\u27e6{}\u27e7"
_MARKED = re.compile("\u27e6(\\d+)\u27e7")


def _fuse(env: StreamExecutionEnvironment, steps: dict[int, Step]) -> Fused:
    """Let PyFlink fuse, and learn from the descriptions, which it joins, what went into what; the user's uid moves to a hidden head."""
    for step in steps.values():
        step.j.setDescription(_MARK.format(step.id))
    env._generate_stream_graph(clear_transformations=False)
    groups: dict[int, list[Step]] = {}
    nameless, is_physical = [], _physical()
    for transformation, j, _ in _walk(env):
        if transformation in steps:  # it is as it was written
            members = [steps[transformation]]
            j.setDescription(members[0].description or members[0].name)
            has_uid, physical = members[0].uid is not None, members[0].physical
        else:
            members = [steps[int(number)] for number in _MARKED.findall(j.getDescription() or "")]
            if members:
                j.setDescription(", ".join(member.description for member in members if member.description) or j.getName())
            named = [member.uid for member in members if member.uid and not member.hidden]
            if named and members[0].hidden:
                j.setUid(named[0])
            has_uid, physical = j.getUid() is not None, is_physical(j)
        if members:
            groups[transformation] = members
        if physical and not has_uid:
            nameless.append((transformation, j))
    return Fused(groups, nameless)


@contextmanager
def placeholders(fused: Fused) -> Iterator[None]:
    """Mark the operators without a uid, so that they can be told apart in a graph that is only read.

    Flink expands a sink into several operators, which nothing but the uid leads back to it.
    """
    for number, j in fused.nameless:
        j.setUid(_MARK.format(number))
    yield
    for _, j in fused.nameless:
        j.setUid(None)


def read_placeholder(uid: str | None) -> tuple[str | None, int]:
    """Return a uid and -1, or None and the transformation that its placeholder stands for."""
    mark = _MARKED.search(uid or "")
    return (None, int(mark[1])) if mark else (uid, -1)
