"""Forward TCP connections to a port that a file names: `python -I -S forwarding.py PORT FILE`.

It stands between a job and its broker, and cutting it off is a network that fails: connections break, new ones are
refused, and the broker runs on. PORT may be 0; the port that was taken is printed on the first line.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

_HOST = "127.0.0.1"
_CHUNK = 1 << 16


async def forward(port: int, target: Path) -> None:
    """Accept connections until the process is ended."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, ValueError):
            there_reader, there_writer = await asyncio.open_connection(_HOST, _port(target))
            with contextlib.closing(there_writer):
                # Whichever side hangs up ends both.
                sides = [asyncio.ensure_future(_copy(reader, there_writer)), asyncio.ensure_future(_copy(there_reader, writer))]
                await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
                for side in sides:
                    side.cancel()

    server = await asyncio.start_server(accept, _HOST, port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def _port(target: Path) -> int:
    return int(target.read_text())


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


if __name__ == "__main__":
    asyncio.run(forward(int(sys.argv[1]), Path(sys.argv[2])))
