"""The job for Pathway: it writes the change of each key at each commit, not a record for each record."""

from __future__ import annotations

import pathway as pw  # type: ignore[import-not-found]
import pathway_ends as ends  # type: ignore[import-not-found]
from flight import MALFORMED, read  # type: ignore[import-not-found]
from settings import from_environment  # type: ignore[import-not-found]


@pw.udf(deterministic=True)  # type: ignore[untyped-decorator]
def parse(value: bytes) -> tuple[str, int, str]:
    """Return a flight's key and delay, and an empty reason; or a reason."""
    try:
        flight = read(value)
    except MALFORMED as error:
        return "", 0, str(error)
    return flight.key, flight.delay, ""


def main() -> None:
    """Run until the process is ended."""
    settings = from_environment()
    values = ends.read(settings)
    parsed = values.select(value=pw.this.data, parts=parse(pw.this.data))
    flights = parsed.select(pw.this.value, key=pw.this.parts[0], delay=pw.this.parts[1], reason=pw.this.parts[2])
    good = flights.filter(pw.this.reason == "")
    sums = good.groupby(pw.this.key).reduce(pw.this.key, count=pw.reducers.count(), total=pw.reducers.sum(pw.this.delay))
    counts = sums.select(pw.this.key, pw.this.count, mean=pw.this.total / pw.this.count)
    ends.write(settings, counts, flights.filter(pw.this.reason != ""))
    ends.run(settings)


if __name__ == "__main__":
    main()
