"""deploy/Dockerfile: what is in the image, as whom it runs, and how it ends."""

from __future__ import annotations

import json
import time

import pytest

from containers.engine import Engine
from containers.stack import Stack

IMAGE = "rokt-worker:local"
pytestmark = pytest.mark.timeout(1_800)  # the first one builds every image
LOCKED = ["run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none"]


def test_it_runs_as_nobody_in_particular_on_a_file_system_that_is_read_only(docker: Engine) -> None:
    assert docker.docker(*LOCKED, "--entrypoint=id", IMAGE, "-u").strip() == "10001"
    assert docker.docker(*LOCKED, IMAGE, "--version").startswith("rokt-worker")
    said = docker.docker(*LOCKED, "--entrypoint=sh", IMAGE, "-c", "rokt-worker run 2>&1; true")
    assert "WORKER_KAFKA__BOOTSTRAP_SERVERS: is not set" in said


def test_there_is_no_compiler_in_it_and_no_pip_beside_the_worker(docker: Engine) -> None:
    look = "for name in gcc cc c++ make; do command -v $name; done; ls /opt/worker/bin | grep pip; true"
    assert docker.docker(*LOCKED, "--entrypoint=sh", IMAGE, "-c", look) == ""


def test_the_ledgers_folder_can_be_written_where_it_is_a_volume(docker: Engine) -> None:
    mounted = [*LOCKED, "-v", "/var/lib/rokt-worker", "--entrypoint=sh", IMAGE, "-c"]
    assert docker.docker(*mounted, "touch ledger.db && ls") == "ledger.db\n"


def test_its_size_beyond_the_base_is_stated(docker: Engine) -> None:
    base = docker.environment["BASE_IMAGE"]
    sizes = [int(docker.docker("image", "inspect", "--format={{.Size}}", name)) for name in (IMAGE, base)]
    print(f"\nimage {sizes[0] / 1e6:.0f} MB, of which its base is {sizes[1] / 1e6:.0f} MB")
    assert sizes[0] > sizes[1]


def test_sigterm_ends_a_worker_in_order(stack: Stack, docker: Engine) -> None:
    one = stack.workers()[0]
    began = time.monotonic()
    docker.docker("stop", "--time=40", one)
    print(f"\nstopped in {time.monotonic() - began:.1f} s")
    state = json.loads(docker.docker("inspect", "--format={{json .State}}", one))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    lines = docker.docker("logs", "--tail=2", one)
    docker.docker("start", one)
    stack.up()
    assert lines == "" or "worker.stopped" in lines
