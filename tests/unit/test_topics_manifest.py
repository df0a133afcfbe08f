"""deploy/topics.yaml is what `rokt-worker topics` describes."""

from __future__ import annotations

from pathlib import Path

import yaml

from infra.topics_manifest import manifest

FILE = Path(__file__).parents[2] / "deploy" / "topics.yaml"


def test_it_is_as_the_description_has_it() -> None:
    assert FILE.read_text() == manifest(), "run `make topics`"


def test_it_has_every_topic_once() -> None:
    names = [document["metadata"]["name"] for document in yaml.safe_load_all(FILE.read_text())]
    sources = ["checkout-completed", "order-cancelled", "cart-abandoned"]
    assert sorted(names) == sorted([*sources, *(f"{s}.dlq" for s in sources), "rokt-outcomes", "rokt-transactions"])
