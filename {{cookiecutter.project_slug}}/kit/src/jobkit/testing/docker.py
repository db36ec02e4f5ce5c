"""The Docker backend: what is tested is the image that is shipped, built from the project's own Dockerfile."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Mapping
from pathlib import Path

from ..cluster import engine
from ..cluster.container_broker import ContainerBroker
from ..cluster.container_place import ContainerPlace
from ..cluster.container_session import ContainerSession
from ..errors import ConfigurationError
from ..project import Project

_KAFKA = "apache/kafka"


class DockerBackend:
    """Everything runs in containers of one network."""

    name = "docker"

    def __init__(self, project: Project, folder: Path, images: Mapping[str, str | None], held: int, say: Callable[[str], None]) -> None:
        """Find, pull or build the images.

        Args:
            project: Whose job is tested.
            folder: The session's folder; every container sees it at the same path.
            images: What was chosen for `flink`, `kafka` and `job`, or None.
            held: A file descriptor that is held as long as there are containers.
            say: Told what takes long.

        Raises:
            ConfigurationError: When there is no engine, or an image cannot be had.
        """
        self._engine = engine.require()
        self._folder = folder
        if project.kafka is None and images["kafka"] is None:
            raise ConfigurationError(
                "The project does not say which Kafka broker tests start.",
                where=f"{project.root / 'pyproject.toml'}, [tool.jobkit]",
                remedy='Write kafka = "4.1.1", or the version that you run.',
            )
        kafka = images["kafka"] or f"{_KAFKA}:{project.kafka}"
        say(f"the broker's image: {kafka}")
        self._kafka = self._engine.image(kafka, option="--kafka-image", variable="JOBKIT_KAFKA_IMAGE")
        if images["job"]:
            say(f"the job's image: {images['job']}")
            self._job = self._engine.image(images["job"], option="--job-image", variable="JOBKIT_JOB_IMAGE")
        else:
            self._job = self._build(project, images["flink"], say)
        self._session = ContainerSession(self._engine, held=[held])

    def place(self, folder: Path) -> ContainerPlace:
        """Return the network of the session, with the job's image."""
        return ContainerPlace(folder, image=self._job, session=self._session, folders=[self._folder])

    def broker(self, folder: Path) -> ContainerBroker:
        """Start a broker in a container."""
        return ContainerBroker(folder, image=self._kafka, session=self._session)

    def close(self) -> None:
        """Remove all containers and networks."""
        self._session.stop()

    def _build(self, project: Project, flink: str | None, say: Callable[[str], None]) -> str:
        """Build the job's image; one worker of pytest-xdist at a time, the others find the layers of the first."""
        arguments = {}
        if flink:
            say(f"Flink's image: {flink}")
            arguments["FLINK_IMAGE"] = self._engine.image(flink, option="--flink-image", variable="JOBKIT_FLINK_IMAGE")
        log = project.work / "test-results" / "docker-build.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        say(f"building the job's image from its Dockerfile; {log}")
        with (project.work / "image.lock").open("w") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            return self._engine.build(project.root, tag=f"{project.root.name}:test", log=log, arguments=arguments)
