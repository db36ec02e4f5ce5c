"""`flink.lock`: what a job's state depends on, and what a change of it would lose."""

from .change import Change
from .changes import compare, flink_changes, operator_changes, uid_back
from .code_changes import swapped
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
    "flink_changes",
    "lock_of",
    "operator_changes",
    "parse",
    "read",
    "swapped",
    "text",
    "uid_back",
    "write",
]
