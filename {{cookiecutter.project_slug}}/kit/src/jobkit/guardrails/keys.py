"""Rules about keys: equal records must have equal keys, in every process, today and after the next upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..functions import ADD_KEY, adapter, entries, operators_functions
from ..graph import JobGraph, Member, Operator
from ..instability import causes
from .rule import Job, Rule, Violation

_PICKLED = "PickledByteArrayTypeInfo"


class UnstableKeys(Rule):
    """The key of a record is the same in every process."""

    box = "keys"

    def check(self, job: Job) -> Iterator[Violation]:
        """A record whose key is another one in another process meets the state of no or another key, and after a restart no key finds its state again."""
        for operator in job.graph.operators:
            for selector, users in operators_functions(operator):
                if adapter(selector) == ADD_KEY:
                    yield from self._selector(operator, users)

    def _selector(self, operator: Operator, users: list[Any]) -> Iterator[Violation]:
        bodies = {entry.key: entry for user in users for entry in entries(user)}
        for body in bodies.values():
            for cause in causes(body):
                message = f"The key takes in {cause.code}, which {cause.reason}."
                remedy = "Make the key of the record's own values: for a number from a text use zlib.crc32(text.encode()), for a set a sorted tuple."
                yield self.at(operator, message, remedy, file=cause.file, line=cause.line, evidence=cause.code)


class PickledKeys(Rule):
    """Keys have a type, and are not compared as pickled bytes."""

    box = "keys"

    def check(self, job: Job) -> Iterator[Violation]:
        """Without a key type Flink compares the pickled bytes: equal keys can pickle differently (a tuple that holds one object twice, or two equal ones; 1 and 1.0; a set), and another Python may pickle all of them differently, which loses their state."""
        for operator in job.graph.operators:
            if operator.key_type != _PICKLED:
                continue
            for call in _key_bys(job.graph, operator):
                message = f"{operator.label} has keys without a type: they are pickled."
                remedy = "Give key_by their type: key_by(…, key_type=Types.STRING())."
                yield self.at(operator, message, remedy, file=call.file, line=call.line, proved=False)


def _key_bys(graph: JobGraph, operator: Operator) -> list[Member]:
    """Return the calls of key_by that an operator's keys come from, each line once."""
    by_node = {entry.node: entry for entry in graph.operators}
    found: dict[tuple[str | None, int | None], Member] = {}
    for source in (by_node[node] for node in operator.inputs if node in by_node):
        whole = Member(source.uid, source.name, source.file, source.line, source.api)
        # A key_by ends a chain: nothing is fused behind it.
        last = source.fused[-1] if source.fused else whole
        selectors = [adapter(selector) for selector, _ in operators_functions(source)]
        if ADD_KEY in selectors[-1:]:
            found.setdefault((last.file, last.line), last)
    return list(found.values())
