"""The harness, on the small project of the cluster's tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from jobkit.project import Project

from tests.kit.cluster.conftest import copy_of_tally

WORDS = [f"word{number * number % 37}" for number in range(2000)]
"""Two thousand words, some forty different ones."""


def numbered(words: Iterable[str]) -> Counter[bytes]:
    """Return what the small job makes of words: each with each number up to its count."""
    return Counter(f"{word} {number}".encode() for word, count in Counter(words).items() for number in range(1, count + 1))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the small project, in a folder with a space in its name."""
    return copy_of_tally(tmp_path_factory.mktemp("harness") / "a tally")
