"""Rokt takes a call and its answer makes no sense: it is done, what is missing is left out, and the log says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.brokers import Broker
from infra.events import completed, encoded
from infra.worker import Worker


class Mumbling(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "8")
        self.end_headers()
        self.wfile.write(b"not json")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mumbling() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mumbling)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_call_whose_answer_cannot_be_read_is_done_and_said_to_be_unread(
    broker: Broker, mumbling: str, tmp_path: Path
) -> None:
    worker = Worker(broker, mumbling, tmp_path)
    worker.create_topics()
    broker.produce(worker.completed, encoded(completed("ada")), key="ada")
    worker.start()
    try:
        [outcome] = worker.read_outcomes(1)
        assert worker.stop() == 0
    finally:
        worker.end()
    assert outcome["status"] == "succeeded"
    assert [item["itemConfirmationId"] for item in outcome["items"]] == [None]
    [line] = worker.lines("call.answer_unread")
    assert line["idempotency_key"] == outcome["idempotencyKey"]
