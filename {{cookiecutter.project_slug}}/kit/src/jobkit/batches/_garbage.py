"""How often Python looks for objects that only refer to one another."""

from __future__ import annotations

import gc

_OBJECTS = 200_000


def relax() -> None:
    """Have Python look after 200,000 new objects, not after 700, in the process that runs the functions.

    A batch makes thousands of tuples and records that live until its end, so that each batch would be searched several times,
    in vain. What no cycle holds is freed at once, as ever.
    """
    first, *others = gc.get_threshold()
    if 0 < first < _OBJECTS:  # 0: somebody has turned it off
        gc.set_threshold(_OBJECTS, *others)
