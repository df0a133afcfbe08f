"""deploy/observability/alerts.yaml as prometheus-operator takes it: `python -m infra.rule_manifest`."""

from __future__ import annotations

from typing import Any, Final

import yaml

from infra.observability import ALERTS

HEAD: Final = "# Made by `make rules` from ../../../observability/alerts.yaml, which says what each is about.\n"


def manifest() -> str:
    """The file's text."""
    spec: dict[str, Any] = yaml.safe_load(ALERTS.read_text())
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "rokt-worker"},
        "spec": spec,
    }
    return HEAD + yaml.safe_dump(document, sort_keys=False, width=120)


if __name__ == "__main__":
    print(manifest(), end="")
