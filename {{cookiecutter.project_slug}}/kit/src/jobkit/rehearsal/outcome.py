"""What a rehearsal came to: for each operator and state what the snapshot holds and what the job has of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..lock import Lock
from ..state.fates import Compatibility, Fate
from ..state.snapshots import Snapshot, given_name
from .copying import Copied
from .counting import StateCount
from .positions import Positions

Counts = Mapping[tuple[str, str], StateCount]
"""By operator id and the name under which Flink stores the state."""


@dataclass(frozen=True)
class StateRow:
    """A state of an operator.

    Attributes:
        name: As the job calls it.
        kind: `value`, `map`, … as Flink stores it, `timers`, `positions` of a source, or `operator` for other state without keys.
        keys: How many keys (partitions, for positions) the snapshot has; None where that cannot be counted.
        restored_keys: How many the job had after the restore, likewise.
        bytes: The size of the entries in the snapshot; None where it is not known for one state.
        restored_bytes: The same after the restore.
        loss: What was not restored, in a sentence; None when nothing is known to be missing.
        note: Why fewer keys may be right; None when there are not fewer.
    """

    name: str
    kind: str
    keys: int | None = None
    restored_keys: int | None = None
    bytes: int | None = None
    restored_bytes: int | None = None
    loss: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class OperatorRow:
    """An operator of the snapshot or of the job.

    Attributes:
        fate: What `jobkit compat` says about it, with the size of its state in the snapshot.
        checkpoint_bytes: The size in the first checkpoint; None when the job does not have it.
        states: Its states.
    """

    fate: Fate
    checkpoint_bytes: int | None
    states: tuple[StateRow, ...]


@dataclass(frozen=True)
class Taken:
    """A checkpoint, and how long it took from end to end."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Outcome:
    """What a rehearsal came to.

    Attributes:
        compatibility: What the check said.
        copied: What was copied.
        allows_non_restored: Whether Flink was told to leave operators of the snapshot behind.
        operators: All operators that hold something, the worst first.
        read: How many records of each topic were read.
        written: How many of each topic were written and committed.
        seconds_to_running: From the submission on, until all tasks ran.
        first: The first checkpoint.
        second: The one after the processing.
        notes: What else the user should know.
        logs: The folder of the logs.
    """

    compatibility: Compatibility
    copied: Copied
    allows_non_restored: bool
    operators: tuple[OperatorRow, ...]
    read: Mapping[str, int]
    written: Mapping[str, int]
    seconds_to_running: float
    first: Taken
    second: Taken
    notes: tuple[str, ...]
    logs: Path

    @property
    def losses(self) -> list[str]:
        """What was not restored, a sentence each."""
        fates = [f"{fate.label}: {fate.verdict}." for fate in self.compatibility.fates if fate.loses_state]
        return fates + [f"{row.fate.label}: {state.loss}" for row in self.operators for state in row.states if state.loss]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        facts = ("allows_non_restored", "read", "written", "seconds_to_running")
        return {
            "state": "not restored" if self.losses else "as expected",
            "losses": self.losses,
            "compatibility": self.compatibility.to_json(),
            "copied": {**asdict(self.copied), "folder": str(self.copied.folder)},
            **{name: getattr(self, name) for name in facts},
            "first_checkpoint": asdict(self.first),
            "second_checkpoint": asdict(self.second),
            "operators": [_row_json(row) for row in self.operators],
            "notes": list(self.notes),
            "logs": str(self.logs),
        }


def _row_json(row: OperatorRow) -> dict[str, Any]:
    fate = {name: getattr(row.fate, name) for name in ("uid", "id", "name", "verdict", "allowed", "bytes")}
    return {**fate, "checkpoint_bytes": row.checkpoint_bytes, "states": [asdict(state) for state in row.states]}


@dataclass(frozen=True)
class Evidence:
    """What was found before and after the restore, of which the table is made.

    Attributes:
        snapshot: The copy of the snapshot.
        checkpoint: The first checkpoint of the job.
        before: The keys of the snapshot; None when it is not of the canonical format.
        after: Those of the savepoint after the restore.
        positions: By operator id of a source: its positions in the snapshot and in the first checkpoint.
        is_still: Whether the job had read nothing by then.
    """

    snapshot: Snapshot
    checkpoint: Snapshot
    before: Counts | None
    after: Counts | None
    positions: Mapping[str, tuple[Positions | None, Positions | None]]
    is_still: bool

    def rows(self, fates: Sequence[Fate], lock: Lock) -> Iterator[OperatorRow]:
        """Yield a row for each operator that holds something in the snapshot or in the checkpoint."""
        taken = {state.id: state for state in self.checkpoint.operators}
        for fate in fates:
            now = taken.get(fate.id)
            if fate.bytes or (now is not None and now.bytes):
                yield OperatorRow(fate, now.bytes if now else None, tuple(self._states(fate, lock)))

    def _states(self, fate: Fate, lock: Lock) -> Iterator[StateRow]:
        of = [state for state in (*self.snapshot.operators, *self.checkpoint.operators) if state.id == fate.id]
        for stored_as, kind in dict.fromkeys((state.stored_as, state.kind) for each in of for state in each.keyed_states):
            yield self._keyed(fate, stored_as, kind, lock)
        for name in dict.fromkeys(name for each in of for name in each.operator_states):
            yield self._positions(name, *self.positions[fate.id]) if fate.id in self.positions else StateRow(given_name(name), "operator")

    def _keyed(self, fate: Fate, stored_as: str, kind: str, lock: Lock) -> StateRow:
        was = self.before.get((fate.id, stored_as)) if self.before is not None else None
        now = self.after.get((fate.id, stored_as)) if self.after is not None else None
        row = StateRow(
            given_name(stored_as),
            kind,
            was.keys if was else (0 if self.before is not None else None),
            now.keys if now else (0 if self.after is not None else None),
            was.bytes if was else None,
            now.bytes if now else None,
        )
        missing = (row.keys or 0) - (row.restored_keys if row.restored_keys is not None else row.keys or 0)
        if missing <= 0 or fate.allowed or not self.is_still:
            return row
        operator = next((operator for operator in lock.operators if operator.id == fate.id), None)
        may_expire = operator is None or operator.timers != "none" or any(s.name == row.name and s.ttl for s in operator.states)
        if may_expire:
            return replace(row, note=f"{missing:,} keys fewer: timers that were due, or its time to live, may have removed them.")
        return replace(row, loss=f"{missing:,} keys of “{row.name}” were not restored.")

    def _positions(self, name: str, was: Positions | None, now: Positions | None) -> StateRow:
        row = StateRow(name, "positions", None if was is None else len(was), None if now is None else len(now))
        if was is None or now is None:
            return row
        lost = [split for split, offset in was.items() if split not in now or (self.is_still and now[split] != offset)]
        return replace(row, loss=f"the positions of {len(lost)} partitions were not restored." if lost else None)
