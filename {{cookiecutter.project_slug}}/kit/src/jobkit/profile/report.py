"""What was found: for each operator its samples and its most expensive functions, and how busy each process was."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .operators import Operators, hands_on, in_pyflink
from .samples import RATE, Frame, Stack
from .targets import Job, Target, tasks_of

_FUNCTIONS = 5
_INSTALLED = ("/site-packages/", "/dist-packages/")


@dataclass(frozen=True)
class Sampled:
    """What was seen in one process.

    Attributes:
        target: The process.
        stacks: The stacks of all threads, each time.
        holding: Those of the thread that held Python's lock, when one did.
        seconds: For how long it was sampled.
        threads: The names of its threads.
    """

    target: Target
    stacks: Sequence[Stack]
    holding: Sequence[Stack]
    seconds: float
    threads: Mapping[int, bytes]


class Profile:
    """The samples of one job, by operator.

    Attributes:
        job: The job.
        operators: The operators, the one with the most samples first, each with its number of samples.
    """

    def __init__(self, job: Job, sampled: Sequence[Sampled], operators: Operators) -> None:
        """Count."""
        self.job, self._sampled = job, sampled
        self.folded: Counter[tuple[str, tuple[Frame, ...]]] = Counter()
        self._running: Counter[str] = Counter()
        for each in sampled:
            self.folded.update(_counted(_frames(job, each, each.stacks, operators)))
            for name, frames, count in _frames(job, each, each.holding, operators):
                self._running[name] += 0 if hands_on(frames) else count
        samples: Counter[str] = Counter()
        for (name, _), count in self.folded.items():
            samples[name] += count
        self.operators = samples.most_common()

    @property
    def samples(self) -> int:
        """All samples that count."""
        return sum(self.folded.values())

    def functions(self, operator: str) -> list[tuple[Frame, int]]:
        """Return the functions that most of an operator's samples end in, with how many."""
        own: Counter[Frame] = Counter()
        for (name, frames), count in self.folded.items():
            if name == operator:
                own[frames[-1]] += count
        return own.most_common(_FUNCTIONS)

    def running(self, operator: str) -> float:
        """Return in which part of its samples an operator held Python's lock."""
        return min(1.0, self._running[operator] / max(1, dict(self.operators)[operator]))

    def lines(self) -> Iterator[str]:
        """Yield the stacks, folded: operator;outermost;…;innermost count."""
        for (name, frames), count in sorted(self.folded.items(), key=lambda entry: entry[0][0]):
            shown = [name, *(f"{frame.function} ({place(frame)})" for frame in frames)]
            yield f"{';'.join(text.replace(';', ',') for text in shown)} {count}"

    def to_json(self) -> dict[str, Any]:
        """Return the figures as one JSON document."""
        return {
            "job": {"id": self.job.id, "name": self.job.name},
            "samples": self.samples,
            "processes": [
                {
                    "task_manager": each.target.task_manager,
                    "pid": each.target.pid,
                    "mode": each.target.mode,
                    "seconds": round(each.seconds, 1),
                    "gil": round(_share_of_time(each), 3),
                }
                for each in self._sampled
            ],
            "operators": [self._operator(name, count) for name, count in self.operators],
        }

    def _operator(self, name: str, count: int) -> dict[str, Any]:
        functions = [
            {"function": frame.function, "file": frame.file, "line": frame.line, "samples": own, "share": round(own / count, 3)}
            for frame, own in self.functions(name)
        ]
        share = round(count / self.samples, 3)
        return {"operator": name, "samples": count, "share": share, "running": round(self.running(name), 3), "functions": functions}

    def table(self) -> RenderableType:
        """Return the figures for people."""
        table = Table(title=self.job.name, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("operator", "share", "running", "of that, itself", "function", "defined in"):
            table.add_column(column, justify="left" if column in ("operator", "function", "defined in") else "right", overflow="fold")
        for name, count in self.operators:
            first: list[Text | str] = [Text(name, style="bold"), f"{count / self.samples:.1%}", f"{self.running(name):.0%}"]
            for frame, own in self.functions(name):
                table.add_row(*first, f"{own / count:.1%}", Text(frame.function), Text(place(frame), style="dim"))
                first = [Text(""), "", ""]
            table.add_section()
        return Group(table, *(_busy(each) for each in self._sampled))


def _frames(job: Job, each: Sampled, stacks: Sequence[Stack], operators: Operators) -> Iterator[tuple[str, tuple[Frame, ...], int]]:
    """Yield the stacks of a job's own threads, from where a record is handled, with their operators."""
    for stack in stacks:
        frames = in_pyflink(stack.frames)
        if not frames:
            continue
        name = each.threads.get(stack.thread) if stack.thread is not None and each.target.mode == "thread" else None
        tasks = () if name is None else tasks_of(name, job.tasks)
        if name is None or tasks:  # any other thread is another job's
            yield operators.of(frames, tasks), frames, stack.count


def _counted(found: Iterator[tuple[str, tuple[Frame, ...], int]]) -> Counter[tuple[str, tuple[Frame, ...]]]:
    counts: Counter[tuple[str, tuple[Frame, ...]]] = Counter()
    for name, frames, count in found:
        counts[name, frames] += count
    return counts


def _share_of_time(each: Sampled) -> float:
    """Return how much of the time some thread of a process held Python's lock."""
    held = sum(stack.count for stack in each.holding if stack.frames and not hands_on(stack.frames))
    return min(1.0, held / max(1.0, each.seconds * RATE))


def _busy(each: Sampled) -> Text:
    share = _share_of_time(each)
    return Text(f"{each.target.label}: GIL held {share:.0%} of {each.seconds:.0f} s", style="dim")


def place(frame: Frame) -> str:
    """Return where a function is, as people know it."""
    file = frame.file
    for folder in _INSTALLED:
        if folder in file:
            return f"{file.rpartition(folder)[2]}:{frame.line}"
    if "/lib/python3." in file:
        return f"{file.rpartition('/lib/')[2]}:{frame.line}"
    relative = os.path.relpath(file) if Path(file).is_absolute() else file
    return f"{file if relative.startswith('..') else relative}:{frame.line}"
