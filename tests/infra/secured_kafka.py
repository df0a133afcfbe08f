"""A real Kafka that lets nobody in unknown: TLS with SCRAM, with tokens, or with a certificate of the client's."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any, Final

from infra.certificates import Authority
from infra.kafka_jvm import KafkaJvm
from infra.ports import free_port

HOST: Final = "127.0.0.1"
USER: Final = "rokt-worker"
PASSWORD: Final = "canary-scram-password"
LISTENERS: Final = ("SCRAM", "TOKENS", "CERTIFICATES")
JAAS: Final = "org.apache.kafka.common.security"


class SecuredKafka(KafkaJvm):
    """`at` are its addresses by listener, `authority` the one that clients are to trust."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.authority: Final = Authority(folder, "kafka")
        self.at: Final = {name: f"{HOST}:{free_port()}" for name in LISTENERS}
        self._certificate = self.authority.issue(HOST)

    def settings(self) -> dict[str, str]:
        """As `one_node` has it for an inner listener that only the tests use; with those of `LISTENERS` beside it."""
        inner = super().settings()
        protocols = {"SCRAM": "SASL_SSL", "TOKENS": "SASL_SSL", "CERTIFICATES": "SSL"}
        addresses = ",".join(f"{name}://{address}" for name, address in self.at.items())
        own = {
            "listeners": f"{inner['listeners']},{addresses}",
            "advertised.listeners": f"{inner['advertised.listeners']},{addresses}",
            "listener.security.protocol.map": ",".join(
                [inner["listener.security.protocol.map"], *(f"{n}:{p}" for n, p in protocols.items())]
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.certificates.ssl.client.auth": "required",
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": f"{JAAS}.scram.ScramLoginModule required;",
            "listener.name.tokens.sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.tokens.oauthbearer.sasl.jaas.config": (
                f"{JAAS}.oauthbearer.OAuthBearerLoginModule required;"
            ),
            "listener.name.tokens.oauthbearer.sasl.server.callback.handler.class": (
                f"{JAAS}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
            ),
        }
        return inner | own

    def format_options(self) -> list[str]:
        return ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]


def token(subject: str, seconds: int) -> str:
    """A token without a signature (RFC 7519, section 6), which a broker takes that is set up to trust it."""
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + seconds, "scope": "kafka"}
    parts: list[dict[str, Any]] = [{"alg": "none"}, claims]
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts), ""])
