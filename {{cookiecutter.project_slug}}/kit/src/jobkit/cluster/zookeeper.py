"""The ZooKeeper that comes with Flink: what high availability needs on a machine of its own, or in a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .place import Member, Place
from .waiting import SECONDS_TO_START, until

_PORT = 2181

_PROPERTIES = """\
tickTime=500
initLimit=20
syncLimit=20
dataDir={data}
clientPort={port}
clientPortAddress={address}
admin.enableServer=false
"""


def start(place: Place, conf: Path, data: Path, run: Callable[[str, Sequence[str]], Member]) -> str:
    """Start one, wait until it listens, and return the quorum's address as Flink wants it.

    Args:
        place: Where it runs.
        conf: The cluster's FLINK_CONF_DIR, in which Flink's script looks for zoo.cfg.
        data: The folder for its data.
        run: Starts a member of the cluster, by name and command.

    Raises:
        ClusterError: When it ends instead.
    """
    data.mkdir(parents=True, exist_ok=True)
    port = place.port(_PORT)
    (conf / "zoo.cfg").write_text(_PROPERTIES.format(data=data, port=port, address=place.bind_address))
    member = run("zookeeper", ["zookeeper.sh", "start-foreground", "1"])

    def address() -> str | None:
        member.require_running()
        return place.address(member, port)

    return until(address, what="ZooKeeper listens", seconds=SECONDS_TO_START, log=member.log)
