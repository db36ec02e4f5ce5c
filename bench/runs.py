"""One run: a contender on an input, from its start to the check of its output."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobkit.bench import load
from jobkit.bench.resources import Sampler, Usage, pinned
from jobkit.cluster.topics import Topics
from jobkit.errors import JobkitError
from kafka.errors import KafkaError

from .contenders.contender import Contender, Contract, Running, Task
from .errors import BenchmarkError
from .figures import Course, figures
from .hours import ExpectedHours
from .outputs import Outputs, follow, shown
from .tail import Tail
from .verify import Expected

PARTITIONS = 4
COMMIT_SECONDS = 2.0
_COMMITS_TO_WAIT = 2

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Input:
    """An input that is in its topic.

    Attributes:
        topic: Where.
        keys: How many keys it may have.
        expected: What it gives.
    """

    topic: str
    keys: int
    expected: Expected | ExpectedHours


@dataclass(frozen=True)
class Surroundings:
    """What all runs share.

    Attributes:
        servers: The broker.
        broker: The broker's process.
        cores: Which processors the contenders may use.
        folder: For what a run keeps meanwhile.
        seconds: How long a run may take, from its launch on.
        progress: Called with what is counted, how far it is, and how far it will get.
        warm_up: For how many seconds after its first output a contender is not measured.
    """

    servers: str
    broker: int
    cores: Sequence[int]
    folder: Path
    seconds: float
    progress: Progress
    warm_up: float


@dataclass
class Result:
    """What one run came to; times in seconds, memory in MiB.

    Attributes:
        contender: Its name.
        keys: How many keys the input may have.
        round: The number of the round, from 1.
        complete: Whether all output was there in time; if not, the figures are of what was.
        error: Why there are no figures, in one sentence, or None.
        detail: The same with all that is known, for the terminal: it may name folders of this machine.
        kind: `throughput` or `latency`.
        figures: The figures by name.
    """

    contender: str
    keys: int
    round: int
    complete: bool = False
    error: str | None = None
    detail: str = ""
    kind: str = "throughput"
    figures: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def or_reason(self) -> Iterator[None]:
        """Take the reason why there are no figures, where something goes wrong."""
        try:
            yield
        except (JobkitError, KafkaError) as found:
            error = found if isinstance(found, JobkitError) else BenchmarkError("The broker does not do as it is told.", found=repr(found))
            self.error, self.detail, self.complete, self.figures = error.what, str(error), False, {}


def execute(contender: Contender, source: Input, number: int, around: Surroundings) -> Result:
    """Run a contender; what goes wrong is in the result.

    Args:
        contender: Who runs.
        source: On what.
        number: The number of the round.
        around: What all runs share.
    """
    result = Result(contender.name, source.keys, number)
    task = task_for(contender, source.topic, around)
    with result.or_reason(), topics(task, around) as outputs:
        _Run(contender, source.expected, task, outputs, around).measure(result)
    return result


def task_for(contender: Contender, topic: str, around: Surroundings) -> Task:
    """Return a task with names of its own."""
    group = f"{contender.name}-{time.time_ns()}"
    return Task(around.servers, topic, f"{group}-out", f"{group}-rejects", f"{group}-late", group, around.folder / group, COMMIT_SECONDS)


@contextmanager
def topics(task: Task, around: Surroundings) -> Iterator[Outputs]:
    """Make the topics of a run, and give what reads them; remove them, those too that it has made for itself, and its folder.

    The logs of a run that failed stay.
    """
    with closing(Topics(around.servers)) as client:
        client.create([task.output, task.rejects, task.late], PARTITIONS, load.APPEND_TIME)
    try:
        with ExitStack() as stack:
            tails = (stack.enter_context(Tail(task.servers, name)) for name in (task.output, task.rejects, task.late))
            yield Outputs(*tails)
    except (JobkitError, KafkaError):
        _remove(task.folder, but=task.folder / "logs")
        raise
    except BaseException:
        _remove(task.folder)
        raise
    else:
        _remove(task.folder)
    finally:
        with closing(Topics(around.servers)) as client:  # those, too, that it has made for itself
            client.delete(name for name in client.names() if task.group in name)


def _remove(folder: Path, but: Path | None = None) -> None:
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry == but:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def launch(contender: Contender, task: Task, around: Surroundings) -> Running:
    """Start a contender on its cores."""
    task.folder.mkdir(parents=True)
    with pinned(around.cores):
        return contender.start(task)


class _Run:
    """A contender on its way through an input."""

    def __init__(
        self, contender: Contender, expected: Expected | ExpectedHours, task: Task, outputs: Outputs, around: Surroundings
    ) -> None:
        """Begin to count what processes use."""
        self._contender, self._expected, self._task, self._around = contender, expected, task, around
        self._running: Running | None = None
        self._outputs = outputs
        self._measuring = Usage()
        self._samplers = [Sampler(self._processes, around.cores), Sampler(lambda: [around.broker])]

    def measure(self, result: Result) -> None:
        """Run it, check its output, and fill in the result."""
        launched = time.time()
        try:
            self._running = launch(self._contender, self._task, self._around)
            contract, seconds = self._contender.contract, self._around.seconds - (time.time() - launched)
            result.complete = follow(contract, self._outputs, self._expected, seconds, self._look)
            usage, broker = (sampler.stop() for sampler in self._samplers)
            time.sleep(_COMMITS_TO_WAIT * self._task.commit_seconds)  # a record that is written twice may come with a later commit
            self._running.check()
            history = self._running.checkpoints()
        finally:
            for sampler in self._samplers:
                sampler.stop()
            if self._running is not None:
                self._running.stop()
        for tail in self._outputs:
            tail.read()
        times = shown(self._contender.contract, self._expected, self._outputs, is_complete=result.complete)
        course = Course(launched, times, usage, broker, self._measuring, history, len(self._around.cores))
        may_be_few = self._contender.contract in {Contract.FINAL, Contract.LATEST_HOURS}
        result.figures |= figures(course, self._around.warm_up, may_have_no_middle=may_be_few)
        result.figures |= (
            {"late": self._outputs.late.count} if self._contender.contract.is_of_hours else {"distinct_keys": self._expected.keys}
        )

    def _processes(self) -> Sequence[int]:
        return self._running.processes() if self._running is not None else []

    def _look(self, done: int) -> None:
        self._measuring.times.append(time.time())
        self._measuring.cpu_seconds.append(time.process_time())
        if self._running is not None:
            self._running.check()
        self._around.progress(self._contender.name, done, self._expected.total)
