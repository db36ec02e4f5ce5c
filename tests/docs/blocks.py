"""The fenced blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: What is behind the fence, such as `console`.
        text: What is in it.
        note: The HTML comment in the line before it, or an empty text.
    """

    language: str
    text: str
    note: str

    @property
    def commands(self) -> list[str]:
        """The commands in it: lines that begin with a prompt, without the comment behind them."""
        return [re.sub(r"\s+#.*", "", line[2:]) for line in self.text.splitlines() if line.startswith("$ ")]


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return a page's blocks in their order, or those of one language."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    parsed = [Block(match["language"], match["text"], match["note"] or "") for match in found]
    return [block for block in parsed if language in (None, block.language)]


def lines(text: str) -> list[str]:
    """Return the lines of a text that are not empty, without the blanks around them."""
    return [stripped for line in text.splitlines() if (stripped := line.strip())]
