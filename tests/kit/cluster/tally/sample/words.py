"""Words, and how often each occurs."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from jobkit.cluster.sample import Record, Verdict


class Words:
    """A thousand words, 37 different ones. Environment variables make it slow (seconds a word), poisonous or wrong."""

    input_topic = "words"
    output_topics = ("counts",)
    partitions = 2
    group_id = "tally"
    held_back = 0

    def __init__(self, settings: object) -> None:
        """Take the job's settings, which do not matter here."""
        del settings

    def __len__(self) -> int:
        """Return the number of words."""
        return 1000

    def records(self) -> Iterator[Record]:
        """Return the words."""
        for number in range(len(self)):
            time.sleep(float(os.environ.get("TALLY_PAUSE", "0")))
            word = f"word{number * number % 37}" if number != int(os.environ.get("TALLY_POISON", "-1")) else "poison"
            yield Record(word.encode(), word.encode())

    def judge(self, input: Sequence[Record], outputs: Mapping[str, Sequence[Record]]) -> Verdict:  # noqa: A002
        """Expect each word once with each number up to its count."""
        counts = Counter(record.value.decode() for record in input)
        expected = Counter(f"{word} {number}" for word, count in counts.items() for number in range(1, count + 1))
        found = Counter(record.value.decode() for record in outputs["counts"])
        differences = [f"{text}: {found[text]} times" for text in sorted(expected | found) if found[text] != expected[text]]
        if len(input) != int(os.environ.get("TALLY_EXPECTED", "1000")):
            differences.append(f"{len(input)} words in the input")
        rows = [(word, str(count)) for word, count in counts.most_common(3)]
        return Verdict(
            "The most frequent words", ("word", "count"), rows, {"fed": len(input), "numbered": sum(found.values())}, differences
        )
