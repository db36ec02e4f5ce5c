"""How texts travel between Flink and Python, many at once; `java/Collect.java` describes the bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import cast

_SEPARATED, _COUNTED = b"\0", b"\1"


def split(batch: bytes) -> list[bytes]:
    """Return the texts of a batch."""
    if batch[0] == _SEPARATED[0]:
        return batch[1:].split(b"\n")
    (count,) = struct.unpack_from(">i", batch, 1)
    head = 5 + 4 * count
    ends = list(accumulate(struct.unpack_from(f">{count}i", batch, 5), initial=head))
    return [batch[begin:end] for begin, end in pairwise(ends)]


def join(texts: Sequence[str | bytes]) -> bytes:
    """Return the batch of some texts, at least one; a `str` in UTF-8."""
    try:
        content = (
            b"\n".join(cast("Sequence[bytes]", texts)) if type(texts[0]) is bytes else "\n".join(cast("Sequence[str]", texts)).encode()
        )
    except TypeError:  # some of each
        content = b"\n".join(_encoded(texts))
    if content and content.count(b"\n") == len(texts) - 1:
        return _SEPARATED + content
    parts = _encoded(texts)
    return b"".join([_COUNTED, struct.pack(f">{len(parts) + 1}i", len(parts), *map(len, parts)), *parts])


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 has a text: not when half of a surrogate pair is in it, as JSON may bring it in."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(texts: Sequence[str | bytes]) -> list[bytes]:
    return [text.encode() if isinstance(text, str) else text for text in texts]
