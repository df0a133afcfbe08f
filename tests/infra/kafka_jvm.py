"""Apache Kafka on this machine's Java, from its own jars, in KRaft mode."""

from __future__ import annotations

import base64
import re
import uuid
from pathlib import Path
from typing import Final

from infra import maven
from infra.jvm import java, quick
from infra.kafka_api import answers, create_topics
from infra.kafka_settings import one_node
from infra.ports import free_port
from infra.process import ServerProcess

POM: Final = Path(__file__).with_name("kafka.pom.xml")
LOGGING: Final = Path(__file__).with_name("kafka.log4j2.xml")
FORMAT_SECONDS: Final = 60.0
START_SECONDS: Final = 60.0


class KafkaJvm:
    """One node with its data in a temporary folder, on the same port for all its life."""

    def __init__(self) -> None:
        command, jars = java(), maven.resolve(POM)
        self.bootstrap: Final = f"127.0.0.1:{free_port()}"
        self._process = ServerProcess("kafka", lambda: answers(self.bootstrap))
        logging = f"-Dlog4j2.configurationFile={LOGGING}"
        self._java = [command, *quick(self._process.folder), "-cp", f"{jars}/*", logging]
        self._settings = self._process.folder / "server.properties"

    @property
    def version(self) -> str:
        """As the running broker says in its log; empty when it has not yet."""
        found = re.findall(r"Kafka version: (\S+)", self._process.log.read_text())
        return str(found[-1]) if found else ""

    def start(self) -> None:
        if not self._settings.exists():
            self._format()
        self._process.start([*self._java, "-Xmx512m", "kafka.Kafka", str(self._settings)], START_SECONDS)

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        self._process.kill()

    def restart(self) -> None:
        """On the same port, with the data that are there."""
        self._process.stop()
        self.start()

    def remove(self) -> None:
        self._process.remove()

    def create_topics(self, names: tuple[str, ...], partitions: int) -> None:
        create_topics(self.bootstrap, names, partitions)

    def settings(self) -> dict[str, str]:
        """What its file of properties holds."""
        return one_node(self.bootstrap, f"127.0.0.1:{free_port()}", self.bootstrap)

    def format_options(self) -> list[str]:
        """What else its storage is formatted with."""
        return []

    def _format(self) -> None:
        settings = self.settings() | {"log.dirs": str(self._process.folder / "data")}
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        own = b"K" + uuid.uuid4().bytes[1:]  # an id that begins with "-" would be read as an option
        cluster = base64.urlsafe_b64encode(own).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings), *self.format_options()]
        self._process.run([*self._java, "-Xmx128m", *tool], FORMAT_SECONDS)
