"""The job as Flink sees it: the operators of its stream graph, after fusing, with ids, uids, functions and lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from py4j.java_gateway import get_java_class
from py4j.protocol import Py4JJavaError
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from . import options, transformations, uids
from .calls import elements
from .options import Setting
from .origins import Origins, shown
from .payloads import UserDefinedDataStreamFunction

UNKNOWN = "unknown"
"""The type of a broadcast state whose descriptor was not found."""
_FUNCTION_KINDS = {number: name.lower().replace("_", "-") for name, number in UserDefinedDataStreamFunction.FunctionType.items()}


@dataclass(frozen=True)
class State:
    """One state of an operator, as its function describes it.

    Attributes:
        name: The name under which Flink stores it.
        kind: `value`, `list`, `map`, `reducing`, `aggregating` or `broadcast`.
        type: The full type, as PyFlink writes it; `unknown` when it was not found.
        ttl: The time to live, when it is renewed and what is seen of what has expired; None when it never expires.
        version: Of the class of a `jobkit.batches.KeyedFunction`'s state, or of one of `jobkit.evolution`'s; None where there is none.
        fields: Names and types of that class's fields, in their order.
        migrates: Whether there is a `migrate` for earlier versions.
        file: The Python file of the call that asks for the state, or None.
        line: The line of that call.
    """

    name: str
    kind: str
    type: str
    ttl: str | None = None
    version: int | None = None
    fields: tuple[tuple[str, str], ...] = ()
    migrates: bool = False
    file: str | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the state as `jobkit graph --json` shows it."""
        return {name: getattr(self, name) for name in ("name", "kind", "type", "ttl")}


@dataclass(frozen=True)
class Member:
    """An operator that was fused into another, or the head itself, and the call that made it."""

    uid: str | None
    name: str
    file: str | None = None
    line: int | None = None
    api: str | None = None


@dataclass(frozen=True)
class Operator:
    """An operator of the graph that Flink runs.

    Attributes:
        uid: The uid that Flink hashes, or None when the operator has none.
        id: The operator id, 32 hexadecimal digits; None without a uid, and when Flink refuses to make one.
        kind: The type of Python function (`process`, `keyed-process`, …), or `source`, `sink`, `table`, `java`.
        parallelism: The number of subtasks.
        max_parallelism: The operator's own or else the job's; None when neither is set.
        own_max_parallelism: The operator's own, or None.
        hidden: Whether PyFlink or the planner made it, and its uid was derived.
        fused: What went into it, head first; empty when nothing was fused.
        states: Its states; only the broadcast ones until the others were looked for (`states.discover`).
        states_unknown: Why they could not all be found; None when they could.
        random_states: Those whose name was another one in a second process.
        key_type: The type of the key of a keyed operator, as PyFlink writes it.
        execution_mode: Where a Python operator runs its functions, `process` or `thread`; None when it has none.
        file: The Python file of the call that made it.
        line: The line of that call.
        api: The PyFlink method of that call.
        inputs: Stream node ids that it reads from.
        node: Its own stream node id: changes from build to build.
        python: The pickled functions of a Python operator, head first.
        connector: The class of the source or sink that it runs, of Flink's or of a connector; None when it is another operator.
        plan: What the SQL planner says that it computes; None when it did not make it.
    """

    uid: str | None
    id: str | None
    name: str
    kind: str
    parallelism: int
    max_parallelism: int | None
    own_max_parallelism: int | None
    hidden: bool
    fused: tuple[Member, ...]
    file: str | None
    line: int | None
    api: str | None
    node: int
    inputs: tuple[int, ...]
    python: tuple[bytes, ...] = field(default=(), repr=False)
    states: tuple[State, ...] = ()
    states_unknown: str | None = None
    random_states: tuple[State, ...] = ()
    key_type: str | None = None
    execution_mode: str | None = None
    connector: str | None = None
    plan: str | None = None

    @property
    def label(self) -> str:
        """What to call it in a sentence."""
        return f"“{self.uid}”" if self.uid else f"{self.name} (no uid)"

    @property
    def where(self) -> str | None:
        """The file, relative to the working folder where it is below it, and line."""
        return None if self.file is None else f"{shown(self.file)}:{self.line}"

    def to_json(self) -> dict[str, Any]:
        """Return the operator as `jobkit graph --json` shows it."""
        names = ("uid", "id", "name", "kind", "parallelism", "max_parallelism", "hidden", "line")
        document: dict[str, Any] = {name: getattr(self, name) for name in names}
        document["file"] = None if self.file is None else shown(self.file)
        document["fused"] = [{"uid": member.uid, "name": member.name} for member in self.fused]
        document["states"] = [state.to_json() for state in self.states]
        return document


@dataclass
class JobGraph:
    """The graph of one job, and the configuration that Flink handed it.

    Attributes:
        name: The job's name.
        operators: In the order in which Flink numbers them, sources first.
        configuration: Flink's effective configuration of the job, as texts.
        max_parallelism: The job's, or None when it is not set.
        settings: What the configuration comes to, by key, as far as the guardrails judge it.
        batch: Whether Flink runs it in batch mode.
    """

    name: str
    operators: list[Operator]
    configuration: dict[str, str]
    max_parallelism: int | None
    j_stream_graph: Any = field(default=None, repr=False)
    settings: dict[str, Setting] = field(default_factory=dict)
    batch: bool = False

    @cached_property
    def tasks(self) -> dict[str, tuple[int, int | None]]:
        """Parallelism and maximum parallelism (None when it is not set) of the task that each operator runs in, by operator id.

        Flink says which ones run in one task: it makes its `JobGraph`, as at a submission.
        """
        known, found = {operator.id for operator in self.operators}, {}
        for vertex in elements(self.j_stream_graph.getJobGraph().getVerticesSortedTopologicallyFromSources()):
            parallelism, limit = vertex.getParallelism(), vertex.getMaxParallelism()
            for pair in elements(vertex.getOperatorIDs()):
                generated = pair.getGeneratedOperatorID()
                name = generated.toHexString()
                if name not in known:  # the user gave the id itself, with set_uid_hash
                    name = pair.getUserDefinedOperatorID().orElse(generated).toHexString()
                found[name] = (parallelism, limit if limit > 0 else None)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the job as `jobkit graph --json` shows it."""
        return {"name": self.name, "operators": [operator.to_json() for operator in self.operators]}


def read(env: StreamExecutionEnvironment, origins: Origins, name: str | None = None, *, clear: bool = False) -> JobGraph:
    """Assign the hidden uids and read the graph that Flink would run.

    Args:
        env: An environment whose pipeline is built and not yet executed. Its switch for generated uids is left as it was.
        origins: What was recorded while it was built.
        name: The job's name, or None for Flink's default.
        clear: Whether to empty the environment, as executing the job would.
    """
    config = env._j_stream_execution_environment.getConfig()
    strict = not config.hasAutoGeneratedUIDsEnabled()
    values = configuration(env)
    if strict:
        config.enableAutoGeneratedUIDs()
    try:
        fused = uids.assign(env, origins)
        with uids.placeholders(fused):
            j_graph = env._generate_stream_graph(clear, name)
        return _job(env, j_graph, fused.steps, values)
    finally:
        if strict:
            config.disableAutoGeneratedUIDs()


def configuration(env: StreamExecutionEnvironment) -> dict[str, str]:
    """Return the effective configuration that Flink hands the job."""
    j_configuration = env._j_stream_execution_environment.getConfiguration()
    entries = get_gateway().jvm.java.util.TreeMap(j_configuration.toMap()).entrySet().toArray()
    return {entry.getKey(): entry.getValue() for entry in entries}


def _job(env: StreamExecutionEnvironment, j_graph: Any, steps: dict[int, list[uids.Step]], values: dict[str, str]) -> JobGraph:
    hashes = _hashes(j_graph)
    limit = env._j_stream_execution_environment.getConfig().getMaxParallelism()
    by_uid = {member.uid: [member] for group in steps.values() for member in group if member.uid}
    sources, sinks = set(j_graph.getSourceIDs().toArray()), set(j_graph.getSinkIDs().toArray())
    java, operators = _Operators(), []
    nodes = {node.getId(): node for node in elements(get_gateway().jvm.java.util.ArrayList(j_graph.getStreamNodes()))}
    for number, node in sorted(nodes.items()):
        uid, stands_for = uids.read_placeholder(node.getTransformationUID())
        members = steps.get(number) or steps.get(stands_for) or _expanded(by_uid, uid)
        place = _place(members, uid)
        origin = place.origin if place else None
        own, name = node.getMaxParallelism(), node.getOperatorName()
        python = java.python(node)
        infos = [] if python is None else _function_infos(python)
        kind = _kind((number, name), infos, sources, sinks, table=bool(place and place.table))
        operators.append(
            Operator(
                uid=uid,
                id=node.getUserHash() or (hashes.get(number) if uid is not None else None),
                name=name,
                kind=kind,
                parallelism=node.getParallelism(),
                max_parallelism=own if own > 0 else (limit if limit > 0 else None),
                own_max_parallelism=own if own > 0 else None,
                hidden=bool(place and place.hidden) or (not members and uid is not None),
                fused=tuple(_member(member) for member in members) if len(members) > 1 else (),
                file=origin.file if origin else None,
                line=origin.line if origin else None,
                api=origin.api if origin else None,
                node=number,
                inputs=tuple(edge.getSourceId() for edge in elements(node.getInEdges())),
                python=tuple(bytes(info.getPythonFunction().getSerializedPythonFunction()) for info in infos),
                states=_broadcast(members[0]) if members and (not infos or "broadcast" in kind) else (),
                key_type=transformations.key_type(members[0].j) if kind in transformations.KEYED_KINDS and members else None,
                execution_mode=None if python is None else java.execution_mode(python),
                connector=transformations.connector(members[0].j) if kind in {"source", "sink"} and members else None,
                plan=uids.content(place) if place and place.table else None,
            )
        )
    settings = options.read(env._j_stream_execution_environment.getConfiguration(), j_graph)
    batch, limit = options.is_batch(j_graph), limit if limit > 0 else None
    return JobGraph(j_graph.getJobName(), operators, values, limit, j_graph, settings, batch)


def _broadcast(step: uids.Step) -> tuple[State, ...]:
    types = dict(step.origin.broadcasts) if step.origin else {}
    return tuple(State(name, "broadcast", types.get(name, UNKNOWN)) for name in transformations.broadcast_names(step.j))


def _member(step: uids.Step) -> Member:
    origin = step.origin
    return Member(step.uid, step.name, *((origin.file, origin.line, origin.api) if origin else ()))


def _place(members: list[uids.Step], uid: str | None) -> uids.Step | None:
    """Return the step that an operator is known by: the one with its uid, else the first that the user wrote."""
    named = (member for member in members if uid is not None and member.uid == uid)
    written = (member for member in members if not member.hidden)
    return next(named, None) or next(written, None) or next(iter(members), None)


def _hashes(j_graph: Any) -> dict[int, str]:
    """Return Flink's operator ids by stream node, or none when Flink refuses to make them (two equal uids)."""
    try:
        hashes = get_gateway().jvm.org.apache.flink.streaming.api.graph.StreamGraphHasherV2().traverseStreamGraphAndGenerateHashes(j_graph)
    except Py4JJavaError:
        return {}
    return {node: bytes(digest).hex() for node, digest in hashes.items()}


def _expanded(by_uid: dict[str, list[uids.Step]], uid: str | None) -> list[uids.Step]:
    """Return the step that Flink expanded into several operators: a sink `x` also has a `Sink Committer: x`."""
    if uid is None:
        return []
    return by_uid.get(uid) or by_uid.get(uid.rpartition(": ")[2]) or []


class _Operators:
    """What Flink's classes of operators say; each is asked for once, as each step of a name is a call to the JVM."""

    def __init__(self) -> None:
        operators = get_gateway().jvm.org.apache.flink.streaming.api.operators
        self._simple = get_java_class(operators.SimpleOperatorFactory)
        self._python = get_java_class(operators.python.DataStreamPythonFunctionOperator)
        self._external = get_java_class(operators.python.process.AbstractExternalPythonFunctionOperator)

    def python(self, node: Any) -> Any | None:
        """Return the operator of a stream node that runs Python functions, or None."""
        factory = node.getOperatorFactory()
        operator = factory.getOperator() if factory is not None and self._simple.isInstance(factory) else None
        return operator if operator is not None and self._python.isInstance(operator) else None

    def execution_mode(self, operator: Any) -> str:
        """Return its mode: it is the operator's class, whatever set `python.execution-mode` when it was made."""
        return "process" if self._external.isInstance(operator) else "thread"


def _function_infos(operator: Any) -> list[Any]:
    """Return what Flink knows of the Python functions in an operator, head first."""
    infos = [operator.getPythonFunctionInfo()]
    while len(infos[-1].getInputs()) > 0:
        infos.append(infos[-1].getInputs()[0])
    return infos[::-1]


def _kind(node: tuple[int, str], infos: list[Any], sources: set[int], sinks: set[int], *, table: bool) -> str:
    if infos:
        return str(_FUNCTION_KINDS.get(infos[0].getFunctionType(), "python"))
    if node[0] in sources:
        return "source"
    if node[0] in sinks or node[1].endswith((": Writer", ": Committer")):
        return "sink"
    return "table" if table else "java"
