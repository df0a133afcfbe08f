"""A Docker engine, with compose, and the images of deploy/compose.yaml: those that can be pulled, else built here.

The engine is the one that there is, else one of our own, as root. What cannot be pulled is made of the distribution's
packages and of Maven's jars; what is under test, deploy/Dockerfile and deploy/compose.yaml, is used as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra import go_modules, kafka_jvm, maven, registry
from infra.process import ServerProcess
from infra.unavailable import UnavailableError

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = Path(__file__).parent / "images"
COMPOSE: Final = ("github.com/docker/compose/v2@v2.29.7", "h1:92dZa2M71isE1Qi6D7z1i+0P1pyeyWMwrxBuRIXe52w=")
BUILD_SECONDS: Final = 900.0
AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
PULLED: Final = "python:3.13-slim-bookworm"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Engine:
    """`environment` is what its client is started with."""

    environment: Mapping[str, str]

    def docker(self, *arguments: str, within: float = 900.0, check: bool = True) -> str:
        """What a command of the client prints. Raises CalledProcessError."""
        done = subprocess.run(
            ["docker", *arguments],
            env=dict(self.environment),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if check and done.returncode != 0:
            said = (done.stdout + done.stderr)[-3000:]
            raise AssertionError(f"docker {' '.join(arguments)} ended with {done.returncode}: {said}")
        return done.stdout

    def with_images(self) -> Engine:
        """With every image that compose needs, by the variables that it reads."""
        base = self._base()
        build = {**self.environment, "DOCKER_BUILDKIT": "0"}
        images = {"BASE_IMAGE": base, "WORKER_IMAGE": "rokt-worker:local"}
        builder = Engine(build)
        context = tempfile.mkdtemp(prefix="rokt-worker-images-")
        try:
            shutil.copytree(IMAGES, context, dirs_exist_ok=True)
            for name, pom in (("kafka", kafka_jvm.POM), ("registry", registry.POM)):
                shutil.copytree(maven.resolve(pom), Path(context, name))
            for name in ("kafka", "registry", "postgres"):
                tag = f"rokt-worker-{name}:local"
                of = [f"--build-arg=BASE={base}", f"--target={name}", "-t", tag, context]
                builder.docker("build", "-q", "--network=host", *of)
                images[f"{name.upper()}_IMAGE"] = tag
        finally:
            shutil.rmtree(context)
        own = ["-f", "deploy/Dockerfile", f"--build-arg=BASE={base}", "-t", images["WORKER_IMAGE"], "."]
        builder.docker("build", "-q", "--network=host", *own)
        return Engine({**self.environment, **images})

    def _base(self) -> str:
        if given := os.environ.get("BASE_IMAGE"):
            return given
        with suppress(AssertionError, subprocess.TimeoutExpired):
            self.docker("pull", "-q", PULLED, within=120)
            return PULLED
        tag = "rokt-worker-base:local"
        if self.docker("images", "-q", tag).strip():
            return tag
        with tempfile.TemporaryDirectory(prefix="rokt-worker-base-") as folder:
            what = ["--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", folder]
            subprocess.run(["debootstrap", *what], check=True, capture_output=True)
            shutil.copy(AUTHORITIES, folder + AUTHORITIES)  # of this machine's way to the packages
            Path(folder, "etc/pip.conf").write_text(f"[global]\ncert = {AUTHORITIES}\n")
            with subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE) as packed:
                load = ["docker", "import", "-", tag]
                environment = dict(self.environment)
                subprocess.run(load, env=environment, stdin=packed.stdout, check=True, capture_output=True)
        return tag


@contextmanager
def engine() -> Iterator[Engine]:
    """One that answers, until the end. Raises UnavailableError."""
    if shutil.which("docker") is None:
        raise UnavailableError("docker is not on the PATH")
    environment = dict(os.environ)
    if _answers(environment):
        yield Engine(_with_compose(environment))
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise UnavailableError("no Docker engine answers, and none can be started")
    own = ServerProcess("dockerd", lambda: _answers(environment))
    folder = own.folder
    environment["DOCKER_HOST"] = f"unix://{folder}/socket"
    places = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    try:
        own.start(["dockerd", *places, "-H", environment["DOCKER_HOST"]], START_SECONDS)
        yield Engine(_with_compose(environment))
    finally:
        own.stop(STOP_SECONDS)
        own.remove()


def _answers(environment: Mapping[str, str]) -> bool:
    asked = subprocess.run(["docker", "info"], env=dict(environment), capture_output=True, timeout=20, check=False)
    return asked.returncode == 0


def _with_compose(environment: dict[str, str]) -> dict[str, str]:
    asked = subprocess.run(["docker", "compose", "version"], env=environment, capture_output=True, check=False)
    if asked.returncode == 0:
        return environment
    return environment | {"DOCKER_CONFIG": str(go_modules.once("compose-2.29.7", "Docker Compose", _build_compose))}


def _build_compose(folder: Path, beside: Path) -> None:
    plugins = folder / "cli-plugins"
    plugins.mkdir()
    source = go_modules.source(beside, *COMPOSE)
    go_modules.build(source, plugins, beside, "./cmd", options=(), seconds=BUILD_SECONDS)
    (plugins / "cmd").rename(plugins / "docker-compose")
