"""What the registry answers, over a socket: an id it does not know is the record's fault, all else is not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from socket import socket
from typing import Any

import pytest

from worker.decode.registry import Access, Registry
from worker.decode.schemas import FILES, Resolved, Unusable, load
from worker.errors import RegistryUnavailable
from worker.events import EventType

READERS: dict[EventType, dict[str, Any]] = {kind: load(name) for kind, name in FILES.items()}
COMPLETED = json.dumps(READERS["CheckoutCompleted"])
CANARY = "canary-7f3a"

Answer = tuple[int, bytes]
Answers = Callable[[str], Answer | Awaitable[Answer]]


def told(status: int, body: object) -> Answer:
    return status, json.dumps(body).encode()


@asynccontextmanager
async def asked(
    answers: Answers, timeout_seconds: float = 5.0, **more: Any
) -> AsyncIterator[tuple[Registry, list[str]]]:
    """A registry client of ours, and the paths that the registry was asked for."""
    paths: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            paths.append(head.split(" ")[1])
            found = answers(paths[-1].partition("?")[0])
            status, body = found if isinstance(found, tuple) else await found
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: application/vnd.schemaregistry.v1+json\r\n".encode())
            writer.write(f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
            await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        registry = Registry(Access({"url": f"http://127.0.0.1:{port}"} | more, timeout_seconds), READERS)
        try:
            yield registry, paths
        finally:
            await registry.close()


def fetched(answers: Answers, timeout_seconds: float = 5.0) -> Resolved | Unusable:
    async def main() -> Resolved | Unusable:
        async with asked(answers, timeout_seconds) as (registry, _):
            return await registry.fetch(7)

    return asyncio.run(main())


def test_a_schema_that_the_registry_knows_is_ready_to_read_with() -> None:
    found = fetched(lambda _: told(200, {"schema": COMPLETED}))
    assert isinstance(found, Resolved)


def test_an_id_that_the_registry_does_not_know_is_the_records_fault() -> None:
    found = fetched(lambda _: told(404, {"error_code": 40403, "message": "Schema 7 not found"}))
    assert isinstance(found, Unusable)


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>Not Found</html>"),
        (404, b""),
        told(404, {"error_code": 404, "message": "HTTP 404 Not Found"}),
        told(401, {"error_code": 401, "message": "Unauthorized"}),
        (401, b""),
        told(403, {"error_code": 40301, "message": "Forbidden"}),
        told(429, {"error_code": 429, "message": "slow down"}),
        told(500, {"error_code": 50001, "message": "backend"}),
        (502, b"<html>Bad Gateway</html>"),
        (503, b""),
        (504, b""),
        (302, b""),
        (200, b"<html>hello</html>"),
        (200, b""),
    ],
)
def test_every_other_answer_is_the_registrys_trouble_and_not_the_records(answer: Answer) -> None:
    with pytest.raises(RegistryUnavailable):
        fetched(lambda _: answer)


def test_a_registry_that_does_not_answer_in_time_is_unavailable() -> None:
    async def never(_: str) -> Answer:
        await asyncio.sleep(0.3)
        return told(200, {"schema": COMPLETED})

    with pytest.raises(RegistryUnavailable):
        fetched(never, 0.05)


def test_a_registry_that_is_down_is_unavailable() -> None:
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        async def main() -> None:
            registry = Registry(Access({"url": f"http://127.0.0.1:{port}"}, 5.0), READERS)
            try:
                with pytest.raises(RegistryUnavailable):
                    await registry.fetch(7)
            finally:
                await registry.close()

        asyncio.run(main())


@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF"])
def test_a_schema_of_another_kind_is_the_records_fault(kind: str) -> None:
    assert isinstance(fetched(lambda _: told(200, {"schema": "{}", "schemaType": kind})), Unusable)


def test_a_schema_is_asked_for_once_however_many_records_need_it() -> None:
    async def main() -> None:
        async with asked(lambda _: told(200, {"schema": COMPLETED})) as (registry, paths):
            assert registry.cached(7) is None
            found = await asyncio.gather(*[registry.fetch(7) for _ in range(20)])
            assert len(paths) == 1
            assert all(one is found[0] for one in found)
            assert registry.cached(7) is found[0]

    asyncio.run(main())


def test_an_id_that_was_unknown_once_is_asked_for_again() -> None:
    answers = [told(404, {"error_code": 40403, "message": "no"}), told(200, {"schema": COMPLETED})]

    async def main() -> None:
        async with asked(lambda _: answers.pop(0)) as (registry, _):
            assert isinstance(await registry.fetch(7), Unusable)
            assert registry.cached(7) is None
            assert isinstance(await registry.fetch(7), Resolved)

    asyncio.run(main())


def test_a_registry_that_was_down_once_is_asked_again() -> None:
    answers = [(503, b""), told(200, {"schema": COMPLETED})]

    async def main() -> None:
        async with asked(lambda _: answers.pop(0)) as (registry, _):
            with pytest.raises(RegistryUnavailable):
                await registry.fetch(7)
            assert isinstance(await registry.fetch(7), Resolved)

    asyncio.run(main())


def test_the_schemas_that_a_schema_refers_to_are_asked_for_too() -> None:
    writer = json.loads(COMPLETED)
    items = next(one for one in writer["fields"] if one["name"] == "items")
    line = items["type"]["items"] | {"name": "Line", "namespace": "com.shop"}
    items["type"]["items"] = "com.shop.Line"
    reference = {"name": "com.shop.Line", "subject": "line", "version": 3}

    def answers(path: str) -> Answer:
        if path == "/schemas/ids/7":
            return told(200, {"schema": json.dumps(writer), "references": [reference]})
        assert path == "/subjects/line/versions/3"
        return told(200, {"subject": "line", "version": 3, "id": 2, "schema": json.dumps(line)})

    assert isinstance(fetched(answers), Resolved)


def test_a_registry_that_goes_away_between_a_schema_and_its_reference_is_unavailable() -> None:
    reference = {"name": "com.shop.Line", "subject": "line", "version": 3}

    def answers(path: str) -> Answer:
        return told(200, {"schema": COMPLETED, "references": [reference]}) if "ids" in path else (503, b"")

    with pytest.raises(RegistryUnavailable):
        fetched(answers)


def test_no_credential_is_in_the_text_of_an_unavailable_registry() -> None:
    async def main() -> None:
        more: dict[str, Any] = {"basic.auth.user.info": f"me:{CANARY}"}
        async with asked(lambda _: (401, CANARY.encode()), **more) as (registry, _):
            with pytest.raises(RegistryUnavailable) as error:
                await registry.fetch(7)
            assert CANARY not in str(error.value)
            assert error.value.__suppress_context__

    asyncio.run(main())


def test_no_credential_is_in_the_text_of_the_registrys_access() -> None:
    assert CANARY not in repr(Access({"url": "http://registry", "basic.auth.user.info": f"me:{CANARY}"}, 5.0))


def test_a_schema_of_ours_is_registered_or_looked_up_as_it_is_asked() -> None:
    async def main() -> None:
        def answers(path: str) -> Answer:
            if path.endswith("/versions"):
                return told(200, {"id": 11})
            return told(200, {"subject": "s", "version": 1, "id": 12, "schema": "{}"})

        schema = {"type": "record", "name": "X", "fields": []}
        async with asked(answers) as (registry, paths):
            assert await registry.register("s", schema, auto_register=True) == 11
            assert paths[-1].startswith("/subjects/s/versions")
        async with asked(answers) as (registry, paths):
            assert await registry.register("s", schema, auto_register=False) == 12
            assert [path for path in paths if "/versions" in path] == []

    asyncio.run(main())


@pytest.mark.parametrize("answer", [told(409, {"error_code": 409, "message": CANARY}), (503, b""), (401, b"")])
def test_a_schema_of_ours_that_is_not_taken_is_waited_for(answer: Answer) -> None:
    async def main() -> None:
        async with asked(lambda _: answer) as (registry, _):
            with pytest.raises(RegistryUnavailable) as error:
                await registry.register("s", {"type": "record", "name": "X", "fields": []}, auto_register=True)
            assert CANARY not in str(error.value)

    asyncio.run(main())
