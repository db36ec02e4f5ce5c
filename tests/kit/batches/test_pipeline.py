"""The whole job on the mini cluster: however records are collected, the results are the same, and every byte comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from jobkit import entry
from jobkit.project import Project
from jobkit.testing.pipeline import Pipeline
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from .test_frames import AWKWARD

pytestmark = pytest.mark.usefixtures("jvm")

WORDS = [f"word{number * number % 37} {number}" for number in range(300)]
"""Three hundred words, some twenty different ones, and their times."""


def expected(words: Iterable[str]) -> dict[str, Counter[bytes]]:
    """Return what comes of words: counted with plain dictionaries."""
    counts: Counter[str] = Counter()
    latest: dict[str, int] = {}
    numbered: list[bytes] = []
    even: list[bytes] = []
    for line in words:
        word, time = line.split()
        counts[word] += 1
        latest[word] = int(time)
        (even if counts[word] % 2 == 0 else numbered).append(f"{word} {counts[word]}".encode())
    ends = [f"{word} ended at {count}, {latest[word]}".encode() for word, count in counts.items()]
    return {"numbered": Counter(numbered + ends), "even": Counter(even)}


@pytest.mark.parametrize(
    ("within", "at_most", "cached", "parallelism"),
    [(60_000, 10_000, 100, 1), (60_000, 7, 3, 2), (0, 10_000, 0, 1), (60_000, 10_000, 0, 2)],
)
def test_results_do_not_depend_on_how_records_are_collected(
    project: Project, within: int, at_most: int, cached: int, parallelism: int
) -> None:
    """A bounded input comes out complete before any time is up; what is no word comes back byte by byte, through Java and Python."""
    given = [*(word.encode() for word in WORDS), *AWKWARD]
    environment = {"WITHIN": str(within), "AT_MOST": str(at_most), "CACHED": str(cached), "WATERMARKS": "yes"}
    outputs = Pipeline(project).run({"words": given}, environment=environment, parallelism=parallelism)
    found = {topic: Counter(values) for topic, values in outputs.items()}
    assert found == {**expected(WORDS), "rejected": Counter(AWKWARD)}


def test_texts_that_are_no_bytes_fail_the_job(project: Project) -> None:
    """Half of each character would be lost without a word: a source that decodes UTF-8, as SimpleStringSchema() does."""
    pipeline = Pipeline(project)
    with pytest.raises(Exception, match=r'takes texts in ISO 8859-1.*Give the source SimpleStringSchema\("ISO-8859-1"\)'):
        pipeline.run({"words": ["\u0161esta 1".encode()]}, environment={"CHARSET": "UTF-8", "WATERMARKS": "yes"})


def test_every_operator_has_a_uid(project: Project) -> None:
    """Flink's own strict switch finds nothing, without what jobkit's launch adds; it is on, for it does find one that is missing."""
    build = entry.find(project)
    configuration = Configuration()
    configuration.set_string("pipeline.auto-generate-uids", "false")
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    build(env, entry.settings(build, {"WATERMARKS": "yes"}))
    nodes = env._generate_stream_graph(False).getStreamNodes().toArray()  # noqa: FBT003  (PyFlink's)
    uids = [node.getTransformationUID() for node in nodes]
    assert {"read-batches", "read", "read-by-key", "read-watermarks", "read-rejected", "number", "number-results", "number-even"} < set(
        uids
    )
    assert len(uids) == len(set(uids))
    env.from_collection(["a"]).print()
    with pytest.raises(Py4JJavaError, match="no UID or hash has been assigned"):
        env._generate_stream_graph(False)  # noqa: FBT003
