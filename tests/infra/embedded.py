"""librdkafka's mock cluster: a broker inside this process, which clients in any process can use."""

from __future__ import annotations

import ctypes
from typing import Final

import confluent_kafka.cimpl

BROKER: Final = 1
PRODUCER: Final = 0


class EmbeddedKafka:
    """A mock cluster of one broker on a free port of the loopback interface."""

    def __init__(self) -> None:
        self._library = _library()
        self._client = self._new_client()
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._client, 1))
        if not self._cluster:
            raise RuntimeError("librdkafka refused a mock cluster")
        self.bootstrap: Final[str] = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        # Otherwise the first member of a group waits three seconds for others.
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    def create_topics(self, names: tuple[str, ...], partitions: int) -> None:
        for name in names:
            error = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
            if error:
                raise RuntimeError(f"topic {name}: {self._library.rd_kafka_err2str(error).decode()}")

    def kill(self) -> None:
        """Cuts all connections and takes no new ones; what was written stays."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, BROKER)

    def restart(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, BROKER)

    def set_round_trip(self, seconds: float) -> None:
        """Every answer takes this long."""
        self._library.rd_kafka_mock_broker_set_rtt(self._cluster, BROKER, int(seconds * 1000))

    def fail_requests(self, api_key: int, *errors: int) -> None:
        """The next requests of this kind (0 = Produce, 8 = OffsetCommit, …) fail with these Kafka error codes."""
        codes = (ctypes.c_int * len(errors))(*errors)
        count = ctypes.c_size_t(len(errors))
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, ctypes.c_int16(api_key), count, codes)

    def fail_topic(self, name: str, error: int) -> None:
        """What metadata says of the topic from now on; 0 = nothing wrong."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), error)

    def stop(self) -> None:
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._client)
            self._cluster = ctypes.c_void_p()

    def _new_client(self) -> ctypes.c_void_p:
        text = ctypes.create_string_buffer(512)
        settings = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        # The cluster speaks through its owner's log, and says much when it is taken down on purpose.
        self._library.rd_kafka_conf_set(settings, b"log_level", b"0", text, len(text))
        client = ctypes.c_void_p(self._library.rd_kafka_new(PRODUCER, settings, text, len(text)))
        if not client:
            raise RuntimeError(f"librdkafka: {text.value.decode()}")
        return client


def _library() -> ctypes.CDLL:
    # Symbols are looked up in what the extension module is linked with: its own librdkafka.
    library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    for name in ("rd_kafka_mock_cluster_bootstraps", "rd_kafka_err2str"):
        getattr(library, name).restype = ctypes.c_char_p
    return library
