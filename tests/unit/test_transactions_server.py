"""The endpoint's server, over sockets: whatever comes, an answer in one form or none."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from infra.ports import free_port
from worker.errors import SettingsError
from worker.settings import TransactionsSettings
from worker.transactions.server import GOODBYE_SECONDS, Server

POST = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


async def unread(_: Scope, __: Receive, send: Send) -> None:
    """Answers without a look at the body, as for wrong credentials."""
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, int]]:
    settings = TransactionsSettings(open=True, host="127.0.0.1", port=free_port())
    server = Server(unread, settings, stop_seconds=20)
    try:
        yield server, settings.port
    finally:
        await server.close()


async def answered(port: int, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        found = await reader.read()
    writer.close()
    return found


def test_what_is_no_http_is_answered_in_the_form_of_all_errors() -> None:
    async def ask() -> bytes:
        async with serving() as (_, port):
            return await answered(port, b"\x16\x03\x01 canary\r\n\r\n")

    head, _, body = asyncio.run(ask()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert set(json.loads(body)) == {"description", "errors"}


def test_what_is_no_http_behind_an_answer_ends_the_connection_and_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> bytes:
        async with serving() as (_, port):
            return await answered(port, POST, b"zz\r\nno chunk\r\n")

    assert asyncio.run(ask()).count(b"HTTP/1.1") == 1
    assert not [line for line in caplog.records if line.levelname == "ERROR" or line.exc_info]


def test_a_key_needs_its_certificate(tmp_path: Path) -> None:
    settings = TransactionsSettings(open=True, host="127.0.0.1", port=free_port(), key_location=tmp_path / "key.pem")

    async def begin() -> None:
        Server(unread, settings, stop_seconds=1)

    with pytest.raises(SettingsError, match="CERTIFICATE_LOCATION is not set"):
        asyncio.run(begin())


def test_one_who_keeps_a_connection_and_says_nothing_holds_up_no_stop() -> None:
    async def stop() -> float:
        async with serving() as (server, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.1)
            began = asyncio.get_running_loop().time()
            await server.close()
            writer.close()
            return asyncio.get_running_loop().time() - began

    assert asyncio.run(stop()) < GOODBYE_SECONDS + 5
