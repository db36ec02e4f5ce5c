"""The job after a change: what it kept in plain states it keeps in objects, which take over from those."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from jobkit import evolution
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor

from .pipeline import LAST, PRINTED, ROUND, Settings, timed


@dataclass
class Account:
    """What is kept of a key's numbers: a value and a list of before."""

    count: int = 0
    last: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tally:
    """A number that was a value of its own, or one of a map."""

    number: int


class Evolved(KeyedProcessFunction):
    """Go on with what `Rounds` has left."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Ask for the states."""
        self._account = evolution.value_state(
            runtime_context,
            "account",
            Account,
            before=[ValueStateDescriptor("count", Types.LONG()), ListStateDescriptor("last", Types.LONG())],
            convert=lambda count, last: Account(count, tuple(last)),
        )
        rounds = ValueStateDescriptor("rounds", Types.LONG())
        self._rounds = evolution.value_state(runtime_context, "turns", Tally, before=rounds, convert=Tally)
        thirds = MapStateDescriptor("thirds", Types.STRING(), Types.LONG())
        self._thirds = evolution.map_state(runtime_context, "by-third", Types.STRING(), Tally, before=thirds, convert=Tally)

    def process_element(self, value: int, ctx: KeyedProcessFunction.Context) -> Iterator[str]:  # noqa: ARG002 - PyFlink's name
        """Count a number."""
        account = self._account.value() or Account()
        account.count += 1
        account.last = (*account.last, value)[-LAST:]
        self._account.update(account)
        third = str(value % 3)
        tally = self._thirds.get(third) or Tally(0)
        self._thirds.put(third, Tally(tally.number + 1))
        if account.count % PRINTED == 0:
            thirds = {third: tally.number for third, tally in self._thirds.items()}
            yield json.dumps({"number": value, "count": account.count, "last": account.last, "thirds": thirds})

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[str]:
        """Count a round."""
        rounds = self._rounds.value() or Tally(0)
        self._rounds.update(Tally(rounds.number + 1))
        ctx.timer_service().register_event_time_timer(timestamp + ROUND)
        yield json.dumps({"time": timestamp, "rounds": rounds.number + 1})


def build(env: StreamExecutionEnvironment, settings: Settings) -> None:  # noqa: ARG001
    """Add the operators."""
    timed(env).process(Evolved(), Types.STRING()).uid("rounds").print().uid("output")
