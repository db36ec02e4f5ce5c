"""The function in which an exception is planted is found, however the job hands it over."""

from __future__ import annotations

from typing import Any

import pytest
from jobkit.testing.throwing import call_with


def process(stream: str, func: str, output_type: str = "text") -> tuple[str, str, str]:
    """Stand for a method of a stream."""
    return stream, func, output_type


@pytest.mark.parametrize(
    ("given", "options"),
    [(("s", "f"), {}), (("s",), {"func": "f"}), (("s", "f", "number"), {}), (("s",), {"output_type": "number", "func": "f"})],
)
def test_a_function_is_exchanged_by_place_and_by_name(given: tuple[Any, ...], options: dict[str, Any]) -> None:
    """All other arguments stay."""
    expected = process(*given, **options)
    assert expected[1] == "f"
    assert call_with(process, given, options, lambda function: f"trap for {function}") == (expected[0], "trap for f", expected[2])


def test_a_call_without_a_function_fails_as_it_would() -> None:
    """With Python's own message."""
    with pytest.raises(TypeError, match="func"):
        call_with(process, ("s",), {}, lambda function: function)
