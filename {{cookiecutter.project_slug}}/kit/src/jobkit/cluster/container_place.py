"""A place for a Flink cluster: containers of one image, in the network of the session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .container import Container
from .container_session import ContainerSession
from .container_specification import Specification
from .place import Member

JOB_MANAGER = "jobmanager"
_REST_PORT = 8081
_HOME = "/opt/flink"
_EVERYWHERE = "0.0.0.0"  # noqa: S104  (in the cluster's own network)


class ContainerPlace:
    """Starts a cluster's members in containers of the job's image; a `Place`.

    They see the cluster's folder at the same path as this machine, and run as this user, so that configuration, logs and
    snapshots are this user's files. The image's entry point is passed over, everything else in it is as it is shipped.

    Attributes:
        home: FLINK_HOME in the image.
        configuration: The addresses, with names that are this cluster's alone, and the usual ports.
    """

    bind_address = _EVERYWHERE

    def __init__(self, folder: Path, *, image: str, session: ContainerSession, folders: Iterable[Path] = ()) -> None:
        """Name the members; nothing is started.

        Args:
            folder: The cluster's folder.
            image: The job's image, by name or id.
            session: What the containers belong to.
            folders: More folders that the members see at the same path.
        """
        self._image = image
        self._session = session
        self._folders = [folder, *folders]
        self._variables = session.engine.variables(image)
        self.home = self._variables.get("FLINK_HOME", _HOME)
        self._domain = f"cluster-{session.number()}"
        job_manager = f"{JOB_MANAGER}.{self._domain}"
        self.configuration: Mapping[str, str] = {
            "jobmanager.rpc.address": job_manager,
            "jobmanager.rpc.port": "6123",
            "jobmanager.bind-host": _EVERYWHERE,
            "taskmanager.bind-host": _EVERYWHERE,
            "rest.address": job_manager,
            "rest.bind-address": _EVERYWHERE,
            "rest.port": str(_REST_PORT),
            "rest.bind-port": str(_REST_PORT),
            "python.executable": "python",
            "python.client.executable": "python",
        }

    def environment(self, temporary: Path) -> Mapping[str, str]:
        """Return the variables for Flink's scripts.

        Args:
            temporary: Takes all temporary files. It is the home folder, too: the user is none that the image knows.
        """
        temporary.mkdir(parents=True, exist_ok=True)
        return java_environment(temporary, self._variables.get("JAVA_TOOL_OPTIONS", ""))

    def start(
        self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str], ports: Iterable[int] = ()
    ) -> Container:
        """Start a member; see `Place`. A JobManager, whatever its number, is reached as `jobmanager` as well.

        Args:
            name: The member's name.
            command: The program and its arguments.
            log: The file that its output goes to, in one of the folders.
            environment: Its environment variables, besides the image's.
            ports: The ports that this machine must reach.
        """
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
        aliases = (name, JOB_MANAGER) if name.startswith(JOB_MANAGER) else (name,)
        specification = Specification(
            image=self._image,
            command=command,
            log=log,
            environment=environment,
            user=self._session.engine.user,
            network=self._session.job_network,
            aliases=[f"{alias}.{self._domain}" for alias in dict.fromkeys(aliases)],
            folders={folder: str(folder) for folder in self._folders},
            ports=dict.fromkeys(ports),
        )
        return self._session.start(f"the {name}", specification)

    def port(self, usual: int) -> int:
        """Return the usual port: each container has all of its own."""
        return usual

    def address(self, member: Member, port: int) -> str | None:
        """Return where the other members reach what listens on a port; None while nothing does."""
        container = _container(member)
        return f"{container.alias}:{port}" if container.is_listening(port) else None

    def url(self, member: Member, port: int) -> str:
        """Return how this machine reaches a port of a member, as `http://host:port`."""
        return f"http://127.0.0.1:{_container(member).port(port)}"


def _container(member: Member) -> Container:
    if not isinstance(member, Container):
        raise TypeError(f"{member.name} runs in no container.")
    return member


def java_environment(temporary: Path, inherited: str = "") -> dict[str, str]:
    """Return the variables for a JVM in a container: as in `jvm.environment`, it compiles quickly and writes nowhere else.

    Args:
        temporary: Takes all temporary files, and is the home folder.
        inherited: The image's own JAVA_TOOL_OPTIONS.
    """
    options = f'-XX:TieredStopAtLevel=1 -XX:-UsePerfData "-Djava.io.tmpdir={temporary}" {inherited}'
    return {"HOME": str(temporary), "TMPDIR": str(temporary), "JAVA_TOOL_OPTIONS": options.strip()}
