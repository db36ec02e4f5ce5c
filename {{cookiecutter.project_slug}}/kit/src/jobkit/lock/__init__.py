"""`flink.lock`: what a job's state depends on, and what a change of it would lose."""

from .changes import Change, compare
from .file import FILE, parse, read, text, write
from .model import Dropped, Lock, LockedOperator, Verdict, lock_of
from .revision import LosesState, Revision

__all__ = [
    "FILE",
    "Change",
    "Dropped",
    "Lock",
    "LockedOperator",
    "LosesState",
    "Revision",
    "Verdict",
    "compare",
    "lock_of",
    "parse",
    "read",
    "text",
    "write",
]
