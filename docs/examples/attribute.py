"""State that Flink does not know of: an attribute of the function's object."""

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment


class Deduplicate(KeyedProcessFunction):
    """Let each record through once."""

    def __init__(self):
        self.seen = set()

    def process_element(self, value, ctx):
        """Pass what was not seen yet."""
        if value not in self.seen:
            self.seen.add(value)
            yield value


env = StreamExecutionEnvironment.get_execution_environment()
env.set_max_parallelism(128)
words = env.from_collection(["a", "b", "a"], Types.STRING()).uid("words")
words.key_by(lambda word: word, Types.STRING()).process(Deduplicate(), Types.STRING()).uid("first").print().uid("out")
env.execute("attribute")
