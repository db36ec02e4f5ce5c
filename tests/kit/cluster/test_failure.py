"""Of a stack trace, what matters is left: the root cause, and the user's frames of the Python traceback."""

from __future__ import annotations

from jobkit.cluster import failure

PROCESS_MODE = """\
org.apache.flink.runtime.taskmanager.AsynchronousException: Caught exception while processing timer.
	at org.apache.flink.streaming.runtime.tasks.StreamTask$StreamTaskAsyncExceptionHandler.handleAsyncException(StreamTask.java:1660)
	at java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.lang.RuntimeException: Error while waiting for BeamPythonFunctionRunner flush
	at org.apache.flink.streaming.api.runners.python.beam.BeamPythonFunctionRunner.flush(BeamPythonFunctionRunner.java:446)
	... 1 more
Caused by: java.util.concurrent.ExecutionException: java.lang.RuntimeException: Error received from SDK harness for instruction 1: \
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/apache_beam/runners/worker/sdk_worker.py", line 309, in _execute
    response = task()
               ^^^^^^
  File "apache_beam/runners/worker/operations.py", line 227, in apache_beam.runners.worker.operations.SingletonElementConsumerSet.receive
  File "/venv/lib/python3.11/site-packages/pyflink/fn_execution/datastream/process/operations.py", line 94, in process_element
    for result in self.process(value):
  File "/home/me/pyflink/src/job/functions.py", line 34, in process_element
    raise ZeroDivisionError("a poisonous word")
ZeroDivisionError: a poisonous word

	at java.base/java.util.concurrent.CompletableFuture.reportGet(CompletableFuture.java:396)
	... 12 more
"""

THREAD_MODE = """\
java.lang.RuntimeException: pemja.core.PythonException: <class 'ZeroDivisionError'>: a poisonous word
	at org.apache.flink.streaming.runtime.tasks.ChainingOutput.pushToOperator(ChainingOutput.java:90)
Caused by: pemja.core.PythonException: <class 'ZeroDivisionError'>: a poisonous word
	at /home/me/my job/src/job/functions.divide(functions.py:12)
	at /home/me/my job/src/job/functions.process_element(functions.py:34)
	at /venv/lib/python3.11/site-packages/pyflink/fn_execution/embedded/operations.process_element(operations.py:93)
	at pemja.core.object.PyIterator.next(Native Method)
	at pemja.core.object.PyIterator.hasNext(PyIterator.java:40)
"""

JAVA = """\
java.io.IOException: Could not perform checkpoint 1 for operator Source: words (1/2)#0.
	at org.apache.flink.streaming.runtime.tasks.StreamTask.triggerCheckpoint(StreamTask.java:1397)
Caused by: java.lang.IllegalStateException
	at org.example.Sink.open(Sink.java:1)
Caused by: org.apache.kafka.common.KafkaException: Unexpected error: the timeout is larger than the maximum.
	at org.apache.kafka.clients.Sender.run(Sender.java:1)
	Suppressed: java.lang.IllegalArgumentException: not this one
		at org.apache.kafka.clients.Sender.close(Sender.java:2)
	... 3 more
"""

CLIENT = """\
Picked up JAVA_TOOL_OPTIONS: -XX:-UsePerfData
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/home/me/src/job/__main__.py", line 10, in <module>
    build(env, settings)
  File "/venv/lib/python3.11/site-packages/py4j/protocol.py", line 326, in get_return_value
    raise Py4JJavaError(
LookupError: no such word
org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits with code: 1
	at org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:134)
Caused by: java.lang.RuntimeException: Python process exits with code: 1
	at org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:124)
"""

JAVA_IN_THE_CLIENT = """\
Traceback (most recent call last):
  File "/home/me/src/job/__main__.py", line 10, in <module>
    launch(build)
  File "/venv/lib/python3.11/site-packages/py4j/protocol.py", line 326, in get_return_value
    raise Py4JJavaError(
py4j.protocol.Py4JJavaError: An error occurred while calling o9.execute.
: org.apache.flink.util.FlinkException: Failed to execute job 'job'.
	at org.apache.flink.streaming.api.environment.StreamExecutionEnvironment.executeAsync(StreamExecutionEnvironment.java:2040)
Caused by: java.lang.RuntimeException: Error while waiting for job to be initialized
	at org.apache.flink.client.ClientUtils.waitUntilJobInitializationFinished(ClientUtils.java:160)
	... 1 more
Caused by: org.apache.flink.runtime.rest.util.RestClientException: [Internal server error., <Exception on server side:
org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job (6c16)
	at org.apache.flink.runtime.dispatcher.Dispatcher.requestJobStatus(Dispatcher.java:872)

End of exception on server side>]
	at org.apache.flink.runtime.rest.RestClient.parseResponse(RestClient.java:632)

org.apache.flink.client.program.ProgramAbortException: java.lang.RuntimeException: Python process exits with code: 1
	at org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:134)
Caused by: java.lang.RuntimeException: Python process exits with code: 1
	at org.apache.flink.client.python.PythonDriver.main(PythonDriver.java:124)
"""


def test_java_that_python_has_called() -> None:
    """The cause is Java's; the traceback says from where it was called."""
    found = failure.read(JAVA_IN_THE_CLIENT)
    assert found.root_cause == "FlinkJobNotFoundException: Could not find Flink job (6c16)"
    assert found.python_traceback is not None
    assert "__main__.py" in found.python_traceback
    assert found.python_traceback.endswith("Py4JJavaError: An error occurred while calling o9.execute.")


def test_a_python_worker() -> None:
    """Frames of PyFlink and Beam go; those of a project in a folder called pyflink stay."""
    found = failure.read(PROCESS_MODE)
    assert found.root_cause == "ZeroDivisionError: a poisonous word"
    assert found.python_traceback == (
        "Traceback (most recent call last):\n"
        '  File "/home/me/pyflink/src/job/functions.py", line 34, in process_element\n'
        '    raise ZeroDivisionError("a poisonous word")\n'
        "ZeroDivisionError: a poisonous word"
    )


def test_python_inside_the_jvm() -> None:
    """Thread mode has Java's order of frames, the innermost first: it is turned round into Python's."""
    found = failure.read(THREAD_MODE)
    assert found.root_cause == "ZeroDivisionError: a poisonous word"
    assert found.python_traceback == (
        "Traceback (most recent call last):\n"
        '  File "/home/me/my job/src/job/functions.py", line 34, in process_element\n'
        '  File "/home/me/my job/src/job/functions.py", line 12, in divide\n'
        "ZeroDivisionError: a poisonous word"
    )


def test_java_alone() -> None:
    """The innermost cause with a message, without its full stop; a suppressed exception is no cause."""
    found = failure.read(JAVA)
    assert found == failure.Failure("KafkaException: Unexpected error: the timeout is larger than the maximum", None)


def test_the_clients_program() -> None:
    """What Java adds to an exception in the job's own process goes."""
    found = failure.read(CLIENT)
    assert found.root_cause == "LookupError: no such word"
    assert found.python_traceback == (
        "Traceback (most recent call last):\n"
        '  File "/home/me/src/job/__main__.py", line 10, in <module>\n'
        "    build(env, settings)\n"
        "LookupError: no such word"
    )


def test_no_reason_at_all() -> None:
    """An empty answer does not break the message."""
    assert failure.read("").root_cause == "Flink gives no reason"
