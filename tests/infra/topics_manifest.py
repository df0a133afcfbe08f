"""deploy/topics.yaml from the one description of the topics: `python -m infra.topics_manifest`."""

from __future__ import annotations

from typing import Any, Final

import yaml

from worker.settings import LedgerSettings, TopicSettings
from worker.stream.config import event_types
from worker.topics.needed import Needed, duration, needed

HEAD: Final = """\
# The topics that the worker reads and writes, as Strimzi's operator makes them (KafkaTopic). For other tools it is all
# said as JSON by `rokt-worker topics --json`; by hand, `rokt-worker topics --create` changes nothing that is there.
# Made by `make topics` from worker/topics/needed.py, for the default names. The sources are the shop's: leave out those
# that are there, and compare with `rokt-worker topics --check`.
"""


def manifest() -> str:
    """The file's text."""
    names = TopicSettings()
    topics = needed(
        event_types(names),
        names.outcomes,
        names.dead_letter_suffix,
        ledger_days=LedgerSettings().retention_days,
        transactions=names.transactions,
    )
    return HEAD + "".join(
        f"---\n# {_role(topic)}\n{yaml.safe_dump(_document(topic), sort_keys=False)}" for topic in topics
    )


def _role(topic: Needed) -> str:
    about = f"{topic.role} of {topic.of}" if topic.of else topic.role
    return f"{about}, kept for {duration(topic.retention_ms)}"


def _document(topic: Needed) -> dict[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1beta2",
        "kind": "KafkaTopic",
        "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": "kafka"}},
        "spec": {
            "partitions": topic.partitions,
            "replicas": topic.replication,
            "config": topic.configs(topic.replication),
        },
    }


if __name__ == "__main__":
    print(manifest(), end="")
