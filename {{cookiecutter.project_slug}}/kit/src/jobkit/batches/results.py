"""What came out: texts, and the side outputs."""

from __future__ import annotations

from typing import Any

from pyflink.common import Types
from pyflink.datastream import DataStream, OutputTag

from ..errors import ConfigurationError
from . import _operators

BATCH = Types.PRIMITIVE_ARRAY(Types.BYTE())
"""The type of a batch."""


class Results(DataStream):  # type: ignore[misc]
    """A stream of texts in ISO 8859-1, one for each result; its side outputs are such streams, too."""

    def __init__(self, batches: DataStream, name: str, uid: str) -> None:
        """Spread batches into texts.

        Args:
            batches: A stream of batches.
            name: The name of the operator that made them.
            uid: Its uid.
        """
        spread = _operators.add(batches, "Spread", name=f"{name}: results", uid=f"{uid}-results", output=Types.STRING())
        super().__init__(spread._j_data_stream)
        self._batches, self._origin_name, self._origin_uid = batches, name, uid
        self._sides: dict[str, Results] = {}

    def get_side_output(self, output_tag: OutputTag) -> DataStream:
        """Return the texts of a side output.

        Raises:
            ConfigurationError: When its uids, which are made of the function's and of the tag, would be those of another output.
        """
        tag_id = output_tag.tag_id
        if tag_id in self._sides:
            return self._sides[tag_id]
        others = ["results", *(uid for side in self._sides for uid in (side, f"{side}-results"))]
        if {tag_id, f"{tag_id}-results"}.intersection(others):
            raise ConfigurationError(
                f"The side output {tag_id!r} would have the uid of another operator of {self._origin_uid!r}.",
                found=f"the uids {', '.join(f'{self._origin_uid}-{other}' for other in others)}, made of the function's and of the tags",
                remedy="Give its OutputTag another name, that is not `results` and does not end in it.",
            )
        batches = self._batches.get_side_output(tag(output_tag)).name(f"{self._origin_name}: {tag_id}").uid(f"{self._origin_uid}-{tag_id}")
        self._sides[tag_id] = Results(batches, f"{self._origin_name}: {tag_id}", f"{self._origin_uid}-{tag_id}")
        return self._sides[tag_id]

    def uid(self, uid: str) -> Any:  # noqa: ARG002  (PyFlink's name)
        """Refuse: the uid was given with the function."""
        raise TypeError(f"This stream has a uid already, made from {self._origin_uid!r}: give the uid to read() or process().")

    def name(self, name: str) -> Any:  # noqa: ARG002  (PyFlink's name)
        """Refuse: so was the name."""
        raise TypeError(f"This stream has a name already, made from {self._origin_name!r}: give the name to process().")

    def _of_the_job(self, *_: Any) -> Any:
        raise TypeError(
            f"The operators around {self._origin_name!r} run with the parallelism and the chaining of the job: "
            "set them in the environment, or on an operator behind this stream."
        )

    set_parallelism = set_max_parallelism = force_non_parallel = set_buffer_timeout = _of_the_job
    disable_chaining = start_new_chain = slot_sharing_group = _of_the_job


def tag(output_tag: OutputTag) -> OutputTag:
    """Return the tag by which batches of a side output go."""
    return OutputTag(output_tag.tag_id, BATCH)
