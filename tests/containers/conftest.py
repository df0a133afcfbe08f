"""An engine with the images, and the whole of deploy/compose.yaml on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from containers.engine import Engine, engine
from containers.stack import Stack
from infra.unavailable import UnavailableError


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    try:
        with engine() as found:
            yield found.with_images()
    except UnavailableError as error:
        pytest.skip(f"no containers: {error}")


@pytest.fixture(scope="session")
def stack(docker: Engine) -> Iterator[Stack]:
    made = Stack(docker)
    made.up()
    yield made
    made.down()
