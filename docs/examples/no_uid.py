"""State that no snapshot finds again: operators without a uid."""

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor


class Count(KeyedProcessFunction):
    """Count the records of each key."""

    def open(self, runtime_context):
        """Get the state."""
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value, ctx):
        """Count one record."""
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield f"{value}: {count}"


env = StreamExecutionEnvironment.get_execution_environment()
env.set_max_parallelism(128)
words = env.from_collection(["a", "b", "a"], Types.STRING()).uid("words")
counts = words.key_by(lambda word: word, Types.STRING()).process(Count(), Types.STRING())
counts.print().uid("out")
env.execute("no uid")
