"""Break every guardrail at once. The reference shows what jobkit says about each."""

import uuid
from collections import Counter

from pyflink.common import Types
from pyflink.datastream import CheckpointingMode, KeyedProcessFunction, MapFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

WORD = Types.STRING()
PAIR = Types.TUPLE([WORD, Types.LONG()])
counts = Counter()


class Count(KeyedProcessFunction):
    """Count records, in a state with another name each time."""

    def open(self, runtime_context):
        """Get the state."""
        self.count = runtime_context.get_state(ValueStateDescriptor(f"count-{uuid.uuid4()}", Types.LONG()))
        self.latest = None

    def process_element(self, value, ctx):
        """Count one record."""
        if value != self.latest:
            self.latest = value
            self.count.update((self.count.value() or 0) + 1)
            ctx.timer_service().register_event_time_timer(ctx.timestamp() + 1000)
        yield value


class Ask(MapFunction):
    """Ask a service that only the cluster reaches."""

    def open(self, runtime_context):
        """Connect."""
        raise ConnectionError("the service does not answer")

    def map(self, value):
        """Count in a variable of the module."""
        counts[value] += 1
        return f"{value} {counts[value]}"


env = StreamExecutionEnvironment.get_execution_environment()
env.get_checkpoint_config().set_checkpointing_mode(CheckpointingMode.AT_LEAST_ONCE)

words = env.from_collection(["a", "b", "a"], WORD).uid("words")
words.map(Ask(), WORD).uid("ask").print().uid("out")
words.map(str.upper, WORD).uid(f"upper-{uuid.uuid4()}").print().uid("out")
words.key_by(lambda word: hash(word), Types.LONG()).process(Count(), WORD).uid("count").print()
words.map(lambda word: (word, 1), PAIR).uid("pairs").key_by(lambda pair: pair[0]).sum(1).uid("sum").print().uid("sums")
env.execute("all wrong")
