"""The aggregate of the template's own job for Pathway: it writes the changes of each airport and hour, and waits for no watermark."""

from __future__ import annotations

import re

import msgspec
import pathway as pw  # type: ignore[import-not-found]
import pathway_ends as ends  # type: ignore[import-not-found]
from settings import from_environment  # type: ignore[import-not-found]

_LATE_MINUTES = 15
_DATE = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}")


class Departure(msgspec.Struct):
    """A record of the input."""

    date: str
    delay: int
    distance: int
    origin: str
    destination: str


_read = msgspec.json.Decoder(Departure).decode


@pw.udf(deterministic=True)  # type: ignore[untyped-decorator]
def parse(value: bytes) -> tuple[str, str, int, int, str]:
    """Return a flight's airport, hour, delay, and whether it is late, and an empty reason; or a reason."""
    try:
        flight = _read(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return "", "", 0, 0, str(error)
    if not _DATE.fullmatch(flight.date):
        return "", "", 0, 0, "no date"
    return flight.origin, flight.date[:-2] + "00", flight.delay, int(flight.delay >= _LATE_MINUTES), ""


def main() -> None:
    """Run until the process is ended."""
    settings = from_environment()
    values = ends.read(settings)
    parts = values.select(value=pw.this.data, parts=parse(pw.this.data))
    flights = parts.select(
        pw.this.value,
        origin=pw.this.parts[0],
        hour=pw.this.parts[1],
        delay=pw.this.parts[2],
        late=pw.this.parts[3],
        reason=pw.this.parts[4],
    )
    sums = (
        flights.filter(pw.this.reason == "")
        .groupby(pw.this.origin, pw.this.hour)
        .reduce(
            pw.this.origin,
            pw.this.hour,
            flights=pw.reducers.count(),
            total=pw.reducers.sum(pw.this.delay),
            max_delay=pw.reducers.max(pw.this.delay),
            late=pw.reducers.sum(pw.this.late),
        )
    )
    rows = sums.select(
        pw.this.origin,
        pw.this.hour,
        pw.this.flights,
        pw.this.max_delay,
        mean_delay=pw.this.total / pw.this.flights,
        late_share=pw.this.late / pw.this.flights,
    )
    ends.write(settings, rows, flights.filter(pw.this.reason != ""))
    ends.run(settings)


if __name__ == "__main__":
    main()
