"""Apache Kafka in a container, where there is a Docker engine and it has the image or can pull it."""

from __future__ import annotations

import gc
import os
import re
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]
from requests.exceptions import RequestException
from testcontainers.core.container import DockerContainer

from infra import maven
from infra.kafka_api import answers, create_topics
from infra.kafka_settings import one_node
from infra.ports import free_port
from infra.unavailable import UnavailableError

IMAGE: Final = "WORKER_TEST_KAFKA_IMAGE"
VERSION: Final = maven.pinned(Path(__file__).with_name("kafka.pom.xml"), "kafka.version")
PORT: Final = 9092
ENGINE_SECONDS: Final = 3
PULL_SECONDS: Final = 120.0
# While it pulls, the engine tells of its progress all the time.
SILENCE_SECONDS: Final = 30
START_SECONDS: Final = 60.0


class KafkaDocker:
    """One node in a container, on a port of the loopback interface that it keeps for all its life."""

    def __init__(self) -> None:
        image = os.environ.get(IMAGE) or f"apache/kafka:{VERSION}"
        _require(image)
        port = free_port()
        self.bootstrap: Final = f"127.0.0.1:{port}"
        settings = one_node(f"0.0.0.0:{PORT}", "127.0.0.1:9093", self.bootstrap)
        self._container = DockerContainer(image)
        self._container.with_envs(**{_variable(name): value for name, value in settings.items()})
        # Docker takes a pair of address and port where testcontainers writes only of a port.
        self._container.ports[str(PORT)] = ("127.0.0.1", port)  # type: ignore[assignment]

    @property
    def version(self) -> str:
        """As the running broker says in its log; empty when it has not yet."""
        found = re.findall(r"Kafka version: (\S+)", self._log())
        return str(found[-1]) if found else ""

    def start(self) -> None:
        try:
            self._container.start()
        except Exception as error:  # whatever it is, there may be another way to a Kafka
            raise UnavailableError(f"the container does not start ({type(error).__name__}: {_line(error)})") from error
        self._wait()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """The same container again, so with its data."""
        self._container.get_wrapped_container().restart(timeout=15)
        self._wait()

    def remove(self) -> None:
        with suppress(DockerException, RequestException):
            self._container.stop()

    def create_topics(self, names: tuple[str, ...], partitions: int) -> None:
        create_topics(self.bootstrap, names, partitions)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.bootstrap):
            self._container.reload()
            if self._container.status in {"exited", "dead"}:
                raise UnavailableError("the container ended", self._log()[-3000:])
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"the container did not answer within {START_SECONDS:.0f} s", self._log()[-3000:]
                )
            time.sleep(0.1)

    def _log(self) -> str:
        return "".join(part.decode(errors="replace") for part in self._container.get_logs())


def _require(image: str) -> None:
    client = _engine(ENGINE_SECONDS)
    try:
        client.images.get(image)
    except ImageNotFound:
        _pull(image)
    except (DockerException, RequestException) as error:
        raise UnavailableError(f"no engine answers ({_line(error)})") from None
    finally:
        client.close()


def _engine(seconds: int) -> docker.DockerClient:
    """A client whose every request is bounded by this, once the engine has told its version."""
    with warnings.catch_warnings():
        # The client leaves a socket that did not connect to the garbage collector, which complains later, elsewhere.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return docker.from_env(timeout=seconds)
        except (DockerException, RequestException) as error:
            reason = _line(error)
        gc.collect()
    raise UnavailableError(f"no engine answers ({reason})")


def _pull(image: str) -> None:
    deadline = time.monotonic() + PULL_SECONDS
    client = _engine(SILENCE_SECONDS)
    try:
        for step in client.api.pull(image, stream=True, decode=True):
            if "error" in step:
                raise UnavailableError(f"image {image} cannot be pulled ({_line(step['error'])})")
            if time.monotonic() > deadline:
                raise UnavailableError(f"image {image} was not pulled within {PULL_SECONDS:.0f} s")
    except (DockerException, RequestException) as error:
        raise UnavailableError(f"image {image} cannot be pulled ({_line(error)})") from None
    finally:
        client.close()


def _variable(setting: str) -> str:
    return "KAFKA_" + setting.replace(".", "_").upper()


def _line(error: object) -> str:
    return " ".join(str(error).split())[:200]
