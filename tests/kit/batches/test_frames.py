"""Batches of texts are read as they were written; those of Java are in test_pipeline.py."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from jobkit.batches import frames

ALL = bytes(range(256))
AWKWARD = [b"", b"\n", b"a\nb", b"\n\n", ALL, b"", b"\0", b"\1\0\0\0\1", "straße".encode(), b"\x80" * 300_000, b" "]
"""Texts that hold what frames are made of. None is a word to the small job, which gives them back."""


def frame(texts: Sequence[bytes]) -> bytes:
    """Return a batch as the comment in Collect.java describes it."""
    if any(texts) and not any(b"\n" in text for text in texts):
        return b"\0" + b"\n".join(texts)
    numbers = [len(texts), *map(len, texts)]
    return b"\1" + b"".join(number.to_bytes(4, "big") for number in numbers) + b"".join(texts)


BATCHES: list[list[bytes]] = [
    [b"one"],
    [b""],
    [b"\n"],
    [b"", b""],
    [b"", b"a"],
    [b"a", b""],
    [b"", b"", b""],
    [b"a", b"b", b"c"],
    [b"a\n", b"b"],
    [b"\0"],
    [b"\1"],
    [ALL],
    [ALL.replace(b"\n", b""), b"\xff"],
    AWKWARD,
    [b"x" * 3_000_000, b"y\n" * 500_000, b""],
    [b"%d" % number for number in range(70_000)],
]


@pytest.mark.parametrize("texts", BATCHES, ids=range(len(BATCHES)))
def test_what_was_joined_is_split_into_the_same(texts: list[bytes]) -> None:
    """Newlines, empty texts, all bytes, and large ones."""
    assert frames.split(frames.join(texts)) == texts


@pytest.mark.parametrize("texts", BATCHES, ids=range(len(BATCHES)))
def test_what_java_writes_is_split(texts: list[bytes]) -> None:
    """By an independent writer of the format."""
    assert frames.split(frame(texts)) == texts


def test_texts_may_be_str_or_bytes() -> None:
    """Each kind alone, and both in one batch; a `str` in UTF-8."""
    assert frames.split(frames.join(["ä", "b"])) == ["ä".encode(), b"b"]
    assert frames.split(frames.join(["ä", b"\xff", "c\n"])) == ["ä".encode(), b"\xff", b"c\n"]
    assert frames.split(frames.join([b"\xff", "ä"])) == [b"\xff", "ä".encode()]
    assert frames.split(frames.join([b"", ""])) == [b"", b""]


def test_short_batches_of_the_same_few_bytes() -> None:
    """A thousand of them, with a seed: where two rules of the format meet."""
    chance = random.Random(7)  # noqa: S311
    for _ in range(1000):
        texts = [bytes(chance.choices(b"\0\1\na", k=chance.randrange(3))) for _ in range(chance.randrange(1, 5))]
        assert frames.split(frames.join(texts)) == texts, texts
        assert frames.split(frame(texts)) == texts, texts
