"""deploy/kubernetes as files: documents by kind and name, without a tool of Kubernetes'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
BASE: Final = FOLDER / "base"
COMPONENTS: Final = FOLDER / "components"
OVERLAYS: Final = FOLDER / "overlays"
RULES: Final = COMPONENTS / "podmonitor" / "rules.yaml"

Document = dict[str, Any]


def documents(folder: Path = FOLDER) -> Iterator[Document]:
    """Every object that is written out, whichever build it is in; not the secrets' example."""
    for path in sorted(folder.rglob("*.yaml")):
        if path.name not in ("kustomization.yaml", "secrets.example.yaml"):
            yield from filter(None, yaml.load_all(path.read_text(), yaml.CSafeLoader))


def kustomization(folder: Path) -> Document:
    """What a folder's build is made of."""
    found: Document = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return found


def of_kind(*kinds: str) -> list[Document]:
    return [document for document in documents() if document["kind"] in kinds]


def pod(document: Document) -> Document:
    """The pods that an object makes."""
    made: Document = document["spec"]["template"]["spec"]
    return made
