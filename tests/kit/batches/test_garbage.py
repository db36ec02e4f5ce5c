"""Python looks for garbage less often where batches are processed, and never more often than it did."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from jobkit.batches import _garbage


@pytest.fixture(autouse=True)
def _thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(("before", "after"), [(700, 200_000), (300_000, 300_000), (0, 0)], ids=["default", "higher", "off"])
def test_what_somebody_has_chosen_stays(before: int, after: int) -> None:
    """Only Python's default, or less, is raised; the other generations are as they were."""
    gc.set_threshold(before, 11, 12)
    _garbage.relax()
    assert gc.get_threshold() == (after, 11, 12)
