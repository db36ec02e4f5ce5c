"""State that is deleted with the job: checkpoints as Flink takes them by default."""

from pyflink.common import Configuration, Types
from pyflink.datastream import StreamExecutionEnvironment

configuration = Configuration()
configuration.set_string("execution.checkpointing.interval", "30 s")
configuration.set_string("execution.checkpointing.dir", "file:///tmp/checkpoints")

env = StreamExecutionEnvironment.get_execution_environment(configuration)
words = env.from_collection(["a", "b", "a"], Types.STRING()).uid("words")
words.print().uid("out")
env.execute("cancelled")
