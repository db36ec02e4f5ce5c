"""State that starts from nothing after every restart: a rolling aggregate."""

from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

PAIR = Types.TUPLE([Types.STRING(), Types.LONG()])

env = StreamExecutionEnvironment.get_execution_environment()
env.set_max_parallelism(128)
sales = env.from_collection([("a", 1), ("b", 2), ("a", 3)], PAIR).uid("sales")
totals = sales.key_by(lambda sale: sale[0], Types.STRING()).sum(1).uid("totals")
totals.print().uid("out")
env.execute("rolling sum")
