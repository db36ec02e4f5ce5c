"""One version takes the place of another: stop, start, confirm, and back again when the new one does not prove itself.

Each step is written into the journal before it is taken, and each can be taken twice: whoever comes after a crash goes on from the
last one that was written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import tenacity

from ..cluster import interruption
from ..cluster.http import NotFound
from ..cluster.submission import JobRefused
from ..errors import ConfigurationError, JobFailed
from . import committed, installed
from .change import UNPROVED, Change, now, reason_of
from .confirmation import Confirmation, NotInTime
from .course import Course
from .instance import ABANDONED, FAILED, PREPARED, RUNNING, STARTING, STOPPED, Instance, Operation, new_uid
from .rolled_back import NotRestored, RolledBack
from .stopping import Gone, Stopping
from .target import is_over
from .unfinished import ROLLING_BACK, STARTED, STOPPING, explained
from .version import Version

_SECONDS_FOR_THE_OLD = 300.0
_STARTS_OF_THE_OLD = 3
"""How often the old version is given to a cluster that does not take it: one that is too busy, or whose JobManager is being replaced."""
_SECONDS_BETWEEN_STARTS = 10
_ENDING = ("CANCELLING", "FAILING")


class Replacement:
    """An operation `upgrade` or `rollback`, from wherever its journal stands."""

    def __init__(self, change: Change, operation: Operation, versions: tuple[Version, Version]) -> None:
        """Take an operation.

        Args:
            change: The change that it is a part of.
            operation: Its details name the two versions (`old`, `new`), `within` (seconds), the `order` for the savepoint and its `folder`,
                whether the new one `leaves_state_behind`, and, where the new one starts from an older
                snapshot than the one of now, `savepoint`.
            versions: The old and the new version.
        """
        self._change, self._operation = change, operation
        self._old, self._new = versions
        self._is_finished = False
        self._reached: dict[str, Any] = {}

    def carry_out(self) -> Instance:
        """Return the new version's instance, which runs.

        Raises:
            RolledBack: When the old version runs again.
            NotRestored: When neither runs.
            JobFailed: When the old version could not be stopped, and runs on.
            Unfinished: When the cluster or the ledger does not answer: the operation stays open, and can be taken up.
        """
        with interruption.hang_up_ignored(), explained(self._left):
            if "reason" not in self._details:
                self._stop_old()
                try:
                    return self._start_new()
                except UNPROVED as error:
                    self._change.require()  # whoever has lost it must not end what another has begun
                    self._record(ROLLING_BACK, reason=reason_of(error), traceback=getattr(error, "python_traceback", None))
            return self._roll_back()

    def take_back(self, reason: str) -> Instance:
        """Give the operation up: end what was started of the new version, and return the old one's instance, which runs.

        Args:
            reason: Who wants it.

        Raises:
            RolledBack: When the old version is started again, and not proved in time.
            NotRestored: When neither runs.
            Unfinished: See `carry_out`.
        """
        with interruption.hang_up_ignored(), explained(self._left):
            if "reason" not in self._details:
                if self.is_untouched():
                    self._close("taken back: nothing was stopped", (self._new.uid, ABANDONED, reason))
                    return self._old.instance
                try:
                    self._stop_old()
                except JobFailed:  # it runs on
                    return self._old.instance
            self._record(ROLLING_BACK, reason=self._details.get("reason", reason), taken_back=True)
            return self._roll_back()

    @property
    def is_to_start(self) -> bool:
        """Whether nothing of the new version was started yet, nor given up."""
        return "reason" not in self._details and self._new.instance.status == PREPARED

    def is_untouched(self) -> bool:
        """Say whether the old version runs on, and was not told to stop."""
        if self._operation.step == PREPARED:
            return True
        state = self._old.target.state(self._old.uid)
        if "stopped" in self._details or is_over(state) or state in _ENDING:
            return False
        if "savepoint" in self._details:
            return True
        try:
            self._old.target.rest.ordered_savepoint(self._old.uid, self._details["order"])
        except NotFound:
            return True
        return False

    def _left(self) -> Operation | None:
        """Return the operation as it stands, whether that could be written down or not; None when it is finished."""
        if self._is_finished or not self._reached:
            return None if self._is_finished else self._operation
        step = STARTED if self._operation.step == STOPPING else self._operation.step
        return replace(self._operation, step=step, details={**self._details, **self._reached})

    def _close(self, outcome: str, *ends: tuple[str, str, str]) -> None:
        self._change.close(self._operation, outcome, *ends)
        self._is_finished = True

    def _finish(self, outcome: str) -> None:
        self._change.finish(self._operation, outcome)
        self._is_finished = True

    @property
    def _details(self) -> Mapping[str, Any]:
        return self._operation.details

    def _record(self, step: str, **details: Any) -> None:
        self._operation = self._change.record(self._operation, step, **details)

    def _ends(self) -> dict[str, Any] | None:
        return committed.ends(self._change, self._new) if self._details.get("countable", True) else None

    def _stop_old(self) -> None:
        old = self._old
        if "stopped" in self._details:
            return
        self._record(STOPPING)
        given = self._details.get("savepoint")
        try:
            if given is not None:  # the old version is not fit to take one
                old.target.end(old.uid)
                savepoint, ending = given, "ended, for another version to start from a snapshot that was named"
            else:
                savepoint, ending = Stopping(self._change, old, self._details).carry_out(), "stopped with a savepoint"
        except JobFailed as error:
            self._close(f"not stopped: {error.root_cause}", (self._new.uid, ABANDONED, "the old version could not be stopped"))
            raise
        except Gone as error:
            savepoint, ending = old.newest_left(), error.ending
            if savepoint is None:
                left = (self._new.uid, ABANDONED, "the old version has left nothing to start from")
                self._close(ending, (old.uid, STOPPED if error.is_finished else FAILED, ending), left)
                raise
        goes_back = given is not None and self._operation.kind == "rollback"  # then what runs is fit to go on from where it was
        way_back = (old.newest_left() if goes_back else None) or savepoint
        self._reached = {"savepoint": savepoint, "way_back": way_back, "stopped": True}
        self._change.end(old.uid, STOPPED, ending, savepoint=way_back)
        self._record(STARTED, **self._reached)
        self._change.tell(f"the old version is stopped: {way_back}")

    def _start_new(self) -> Instance:
        new, savepoint = self._new, self._details["savepoint"]
        if new.instance.status == RUNNING:  # only the journal's last line was missing
            return self._complete(new.instance)
        again = new.instance.status == STARTING
        if "begin" not in self._details:
            self._record(STARTED, begin=self._ends())
        self._change.change(new.uid, status=STARTING, snapshot=savepoint)
        with self._change.working("starting the new version"):
            new.start(savepoint, leaves_state_behind=self._details["leaves_state_behind"], again=again)
        self._change.tell("the new version is submitted")
        proof = Confirmation(new.target, new.uid, Course(self._change, new).starting).wait(self._details["within"])
        self._change.require()
        instance = self._change.change(new.uid, status=RUNNING)
        self._change.tell(f"the new version runs, and {proof}")
        return self._complete(instance)

    def _complete(self, instance: Instance) -> Instance:
        self._finish("completed")
        self._old.keep_lock(self._details["way_back"], through=self._new)
        return instance

    def _roll_back(self) -> Instance:
        details, new = self._details, self._new
        self._change.tell(f"rolling back: {details['reason']}")
        if "back" not in details:
            new.target.end(new.uid)
            self._record(ROLLING_BACK, end=self._ends() if "begin" in details else None, back=new_uid())
        is_untried = "begin" not in details
        self._change.end(new.uid, ABANDONED if is_untried else FAILED, self._details["reason"])
        known = {instance.uid: instance for instance in self._change.instances()}
        again = known.get(self._details["back"])
        with self._change.version(again or self._added()) as back:
            obstacle = self._bring_back(back, again=again is not None)
        instance = self._change.change(back.uid, status=RUNNING)
        self._change.tell(
            f"the old version {'runs again, and a checkpoint is complete' if obstacle is None else f'was started again: {obstacle}'}"
        )
        counted = {} if is_untried else committed.between(self._change, new, self._details.get("begin"), self._details.get("end"))
        uncounted = [] if is_untried else committed.uncounted(new)
        self._record(ROLLING_BACK, committed=counted, uncounted=uncounted, proved=obstacle is None, obstacle=obstacle)
        self._finish(f"rolled back: {self._details['reason']}")
        self._old.keep_lock(self._details["way_back"], through=self._old if is_untried else new)
        if self._details.get("taken_back") and obstacle is None:
            records = sum(each["records"] for partitions in (counted or {}).values() for each in partitions.values())
            if records:
                self._change.tell(f"the new version had committed {records:,} records, which the old one writes again")
            return instance
        raise RolledBack(self._details)

    def _bring_back(self, back: Version, *, again: bool) -> str | None:
        """Start the old version; return what keeps it from a checkpoint. It was right before: it is ended only when it is over."""
        try:
            self._start_old(back, again=again)
            course = Course(self._change, back)
            proof = Confirmation(back.target, back.uid, course.starting, failures_allowed=math.inf)
            proof.wait(max(self._details["within"], _SECONDS_FOR_THE_OLD))
        except NotInTime as error:
            return error.root_cause
        except UNPROVED as error:
            self._change.require()
            if is_over(back.target.state(back.uid)):
                self._give_up(back, error)
            return reason_of(error)  # Flink has it in hand, and restarts it
        return None

    def _start_old(self, back: Version, *, again: bool) -> None:
        """Start the old version; it ran before, so what keeps it from starting may pass."""

        def tell(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self._change.tell(f"the cluster has not taken the old version; once more: {reason_of(error) if error else ''}")

        for attempt in tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_STARTS_OF_THE_OLD),
            wait=tenacity.wait_fixed(_SECONDS_BETWEEN_STARTS),
            retry=tenacity.retry_if_exception(_may_pass),
            before_sleep=tell,
            reraise=True,
        ):
            with attempt:
                self._change.require()
                with self._change.working("starting the old version"):
                    back.start(self._details["way_back"], again=again or attempt.retry_state.attempt_number > 1)

    def _added(self) -> Instance:
        """Add the instance in which the old version runs again to the ledger, and return it."""
        again = replace(
            self._old.instance,
            uid=self._details["back"],
            created=now(),
            by=self._operation.by,
            previous=self._new.uid,
            snapshot=self._details["way_back"],
            status=STARTING,
            savepoint=None,
            ended=None,
            ending=None,
            specification=replace(self._old.instance.specification, **installed.versions()),
        )
        return self._change.add(again)

    def _give_up(self, back: Version, error: BaseException) -> None:
        reason = reason_of(error)
        back.target.end(back.uid)  # its job is over; of an application cluster, processes are left
        self._close(f"neither version runs: {reason}", (back.uid, FAILED, reason))
        snapshot = self._details["way_back"]
        raise NotRestored(
            "Neither version runs.",
            found=f"the new one: {self._details['reason']}; the old one: {reason}",
            where=f"savepoint {snapshot}",
            remedy=f"When the cause is mended: jobkit deploy --version {back.uid[:12]} --from {snapshot}",
        ) from error


def _may_pass(error: BaseException) -> bool:
    """Say whether a start that failed may succeed when it is tried once more."""
    return isinstance(error, UNPROVED) and not isinstance(error, JobRefused | ConfigurationError)
