"""The sandbox as a process of its own, and in a thread: real connections, real resets."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from worker.sandbox.server import start_sandbox

HEADERS = {"rokt-api-key": "k", "rokt-tag-id": "t", "rokt-session-id": "s", "idempotency-key": "1"}
CONFIRM = {"cartId": "c", "orderId": "o", "items": [{"cartItemId": "i", "itemReservationId": "r"}]}


@contextmanager
def sandbox_process(*flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "worker", "sandbox", "--port", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("sandbox listening on http://127.0.0.1:"), line
            yield process, line.split()[-1]
        finally:
            process.kill()


def confirm(url: str, timeout: float = 10.0) -> httpx.Response:
    return httpx.post(f"{url}/v1/Cart/confirm", json=CONFIRM, headers=HEADERS, timeout=timeout)


def received(url: str) -> bytes | str:
    """What a bare socket gets for a confirm: bytes, or the name of the error."""
    body = b'{"cartId":"c","orderId":"o"}'
    head = b"POST /v1/Cart/confirm HTTP/1.1\r\nHost: x\r\nrokt-api-key: k\r\nrokt-tag-id: t\r\n"
    rest = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10) as connection:
        connection.sendall(head + rest)
        try:
            return connection.recv(65536)
        except ConnectionResetError as error:
            return type(error).__name__


def test_the_process_serves_until_a_signal_and_exits_0() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with sandbox_process("--seed", "1") as (process, url):
            assert confirm(url).json()["items"][0]["success"] is True
            assert confirm(url).status_code == 409
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
            assert (process.returncode, out, err) == (0, "", "")


def test_a_client_that_does_not_wait_for_the_end_of_a_hang_is_nothing_to_complain_of() -> None:
    with sandbox_process("--timeout-before", "1", "--hang-seconds", "300") as (process, url):
        with pytest.raises(httpx.ReadTimeout):
            confirm(url, timeout=0.2)
        assert httpx.get(f"{url}/sandbox/state").json()["summary"]["requests"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=10) == ("", "")


def test_a_signal_ends_the_process_while_calls_hang_and_requests_are_half_sent() -> None:
    with sandbox_process("--timeout-after", "1", "--hang-seconds", "300") as (process, url):
        hanging = threading.Thread(target=received, args=(url,))
        hanging.start()
        address = (urlsplit(url).hostname, urlsplit(url).port)
        with socket.create_connection(address) as half:
            half.sendall(b"POST /v1/Cart/confirm HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            deadline = time.monotonic() + 10
            while httpx.get(f"{url}/sandbox/state?summary=1").json()["summary"]["requests"] < 1:
                assert time.monotonic() < deadline
            started = time.monotonic()
            process.terminate()
            _, err = process.communicate(timeout=10)
        hanging.join()
        assert (process.returncode, err) == (0, "")
        assert time.monotonic() - started < 5


def test_a_port_that_is_taken_is_said_and_exits_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "worker", "sandbox", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Cannot listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reset_reaches_the_client_as_a_reset() -> None:
    with start_sandbox() as sandbox:
        for fault, confirms in (("reset_before", 0), ("reset_after", 1)):
            httpx.put(f"{sandbox.url}/sandbox/faults", json={fault: 1})
            assert received(sandbox.url) == "ConnectionResetError"
            orders = httpx.get(f"{sandbox.url}/sandbox/state").json()["orders"]
            assert orders.get("o", {"confirms": 0})["confirms"] == confirms


def test_a_time_out_is_a_silence_and_the_effect_stays() -> None:
    with start_sandbox() as sandbox:
        httpx.put(f"{sandbox.url}/sandbox/faults", json={"timeout_after": 1, "hang_seconds": 60})
        with pytest.raises(httpx.ReadTimeout):
            confirm(sandbox.url, timeout=0.2)
        httpx.delete(f"{sandbox.url}/sandbox/faults")
        assert confirm(sandbox.url).status_code == 409


def test_a_sandbox_in_a_thread_starts_and_stops_and_frees_its_port() -> None:
    sandbox = start_sandbox()
    port = urlsplit(sandbox.url).port
    assert port
    assert confirm(sandbox.url).status_code == 200
    with pytest.raises(OSError, match="in use"):
        start_sandbox(port=port)
    sandbox.stop()
    sandbox.stop()
    with start_sandbox(port=port) as again:
        assert httpx.get(f"{again.url}/sandbox/state?summary=1").json()["summary"]["requests"] == 0
