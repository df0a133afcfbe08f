"""What is built of deploy/kubernetes, and what is looked for in it."""

from __future__ import annotations

from typing import Any

from infra.kustomized import COMPONENTS, OVERLAYS, pod

EACH_OVERLAY = sorted(path.name for path in OVERLAYS.iterdir())
EACH_COMPONENT = sorted(path.name for path in COMPONENTS.iterdir())
ALL_TOGETHER = ("keda", "podmonitor", "transactions", "replay", "static-members")
OF_COMPONENTS = [(), *((name,) for name in EACH_COMPONENT), ALL_TOGETHER]
Objects = list[dict[str, Any]]


def of_kind(found: Objects, *kinds: str) -> Objects:
    return [one for one in found if one["kind"] in kinds]


def makers(found: Objects) -> Objects:
    """Those that make pods."""
    return of_kind(found, "Deployment", "StatefulSet", "Job")


def pods(found: Objects) -> Objects:
    """The pods that they make."""
    return [pod(one) for one in makers(found)]
