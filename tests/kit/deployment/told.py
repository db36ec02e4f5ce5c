"""Stands for the terminal: remembers what a command tells and shows."""

from __future__ import annotations


class Told:
    """Remembers it.

    Attributes:
        said: What was told, in order.
        shown: What progress was shown: of what, how far, and how far it will get.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.said: list[str] = []
        self.shown: list[tuple[str, int, int]] = []

    def phase(self, text: str) -> None:
        """Remember it."""
        self.said.append(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Remember it."""
        self.shown.append((what, done, total))
