"""A worker on a Kafka that is secured, with the settings of deploy/kafka, and what is said where they are wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from infra import events
from infra.brokers import Broker
from infra.certificates import Authority
from infra.commands import rokt_worker
from infra.once import start_or_remove
from infra.rokt import Rokt
from infra.secured_kafka import PASSWORD, USER, SecuredKafka, token
from infra.unavailable import UnavailableError
from infra.worker import Worker, until

EXAMPLES = Path(__file__).parents[2] / "deploy" / "kafka"
CLIENT_SECRET = "canary-client-secret"
LISTENERS = {"scram": "SCRAM", "oauthbearer": "TOKENS", "mtls": "CERTIFICATES"}
SECRETS = {
    "scram": {"sasl.password": PASSWORD},
    "oauthbearer": {"sasl.oauthbearer.client.secret": CLIENT_SECRET},
    "mtls": {},
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    try:
        kafka = SecuredKafka(tmp_path_factory.mktemp("secured"))
        start_or_remove(kafka)
    except UnavailableError as error:
        pytest.skip(f"no secured Kafka: {error.reason}")
    yield kafka
    kafka.remove()


@pytest.fixture
def broker(secured: SecuredKafka) -> Broker:
    """The same cluster, by the way that only the tests have."""
    return Broker("kafka", secured.version, "JVM, jars by Maven", secured)


class Provider:
    """An OpenID provider's token endpoint; `asked` has who asked."""

    def __init__(self) -> None:
        asked = self.asked = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append(self.headers.get("authorization", ""))
                body = json.dumps(
                    {"access_token": token(USER, 300), "token_type": "Bearer", "expires_in": 300}
                ).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


def use(
    worker: Worker, kafka: SecuredKafka, example: str, provider: Provider, secrets: dict[str, str], **others: str
) -> list[str]:
    """Gives the worker an example's settings, with this cluster's own values; what to start a command with."""
    given = dotenv_values(EXAMPLES / f"{example}.env")
    properties: dict[str, Any] = json.loads(given["WORKER_KAFKA__PROPERTIES"] or "")
    certificate = str(kafka.authority.issue("worker.example.com"))
    ours = {
        "ssl.ca.location": str(kafka.authority.file),
        "ssl.certificate.location": certificate,
        "ssl.key.location": certificate,
        "sasl.oauthbearer.token.endpoint.url": provider.url,
    } | others
    properties |= {name: value for name, value in ours.items() if name in properties}
    worker.settings["WORKER_KAFKA__BOOTSTRAP_SERVERS"] = kafka.at[LISTENERS[example]]
    worker.settings["WORKER_KAFKA__PROPERTIES"] = json.dumps(properties)
    folder = worker.folder / "secrets"
    folder.mkdir()
    (folder / "WORKER_KAFKA__SECRET_PROPERTIES").write_text(json.dumps(secrets))
    return ["--secrets-dir", str(folder)]


@pytest.mark.parametrize("example", LISTENERS)
def test_an_event_is_settled_over_a_secured_connection(
    example: str, secured: SecuredKafka, broker: Broker, worker: Worker, rokt: Rokt, provider: Provider
) -> None:
    worker.arguments = use(worker, secured, example, provider, SECRETS[example])
    broker.produce(worker.completed, json.dumps(events.completed("ada")))
    worker.start()
    assert worker.all_committed(), worker.output()
    assert rokt.state_of(events.reservation("ada", 0)) == "confirmed"
    assert len(worker.read_outcomes(1)) == 1
    assert worker.stop() == 0
    assert bool(provider.asked) == (example == "oauthbearer")
    assert not [secret for secret in SECRETS[example].values() if secret in worker.output()]


@pytest.mark.parametrize(
    ("example", "secrets", "said"),
    [
        ("scram", {"sasl.password": "canary-wrong"}, "authentication"),
        ("mtls", {}, "certificate"),
    ],
    ids=["a wrong password", "an authority that nobody knows"],
)
def test_what_is_wrong_is_said_by_the_doctor_without_the_secret(
    example: str, secrets: dict[str, str], said: str, secured: SecuredKafka, worker: Worker, provider: Provider
) -> None:
    others = {"ssl.ca.location": str(Authority(worker.folder, "stranger").file)} if example == "mtls" else {}
    options = use(worker, secured, example, provider, secrets, **others)
    answer = rokt_worker("doctor", "--json", "--timeout", "5", *options, settings=worker.settings, folder=worker.folder)
    brokers = [line for line in json.loads(answer.out) if line["state"] == "red" and "broker" in json.dumps(line)]
    assert answer.code == 1
    assert said in json.dumps(brokers).lower()
    assert "canary-wrong" not in answer.out + answer.err


def test_a_worker_with_a_wrong_password_says_so_and_waits_for_a_right_one(
    secured: SecuredKafka, worker: Worker, provider: Provider
) -> None:
    worker.arguments = use(worker, secured, "scram", provider, {"sasl.password": "canary-wrong"})
    worker.start()
    assert until(lambda: "uthentication" in worker.output())
    assert worker.processes[-1].poll() is None
    assert worker.stop() == 0
    assert "canary-wrong" not in worker.output()
