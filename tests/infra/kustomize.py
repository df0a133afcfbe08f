"""kustomize and kubeconform, built from Go modules once, and the schemas that kubeconform goes by."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from infra import go_modules, kubernetes_schemas
from infra.kustomized import BASE, COMPONENTS

MODULE: Final = Path(__file__).with_name("kubernetes_build")
PROGRAMS: Final = ("sigs.k8s.io/kustomize/kustomize/v5", "github.com/yannh/kubeconform/cmd/kubeconform")
# Read, not built: the sums are of what was looked at.
SOURCES: Final[Mapping[str, str]] = {
    "k8s.io/kubernetes@v1.35.4": "h1:o/8dBC/pHVpYoGV4OAIytAlNPZbdYVTXJHoYvXC4qzM=",
    "github.com/kedacore/keda/v2@v2.18.1": "h1:h6bRt/IOxxtZpJlHSqhdH/lcInH7Z9obxg/JvWOmGAw=",
    "github.com/prometheus-operator/prometheus-operator@v0.92.1": "h1:rHWuFo6SVya4FBSCNg2DCzyc4xAv54zk3eDTzp5mQZc=",
}
GET_SECONDS: Final = 600.0
RUN_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Kustomize:
    """The programs, in one folder with the schemas."""

    folder: Path

    def build(self, folder: Path) -> str:
        """What is applied; as YAML."""
        done = self._run("kustomize", "build", str(folder))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def build_of(self, components: Sequence[str], scratch: Path) -> str:
        """The base with these components."""
        made_of = [f"{kind}:\n" for kind in ("resources", "components")]
        for at, folders in enumerate(([BASE], [COMPONENTS / name for name in components])):
            made_of[at] += "".join(f"- {os.path.relpath(folder, scratch.resolve())}\n" for folder in folders)
        (scratch / "kustomization.yaml").write_text("".join(made_of))
        return self.build(scratch)

    def conform(self, manifests: str) -> subprocess.CompletedProcess[str]:
        """What kubeconform says of it; its exit code is 0 where all is well."""
        location = self.folder / kubernetes_schemas.LOCATION
        return self._run("kubeconform", "-strict", "-summary", "-schema-location", str(location), given=manifests)

    def _run(self, program: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / program, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    def __str__(self) -> str:
        return "kustomize and kubeconform: built from Go modules"


def objects(manifests: str) -> list[dict[str, Any]]:
    """Of what kustomize says."""
    return list(yaml.load_all(manifests, yaml.CSafeLoader))


def find() -> tuple[Kustomize, Callable[[], None]]:
    """Nothing to give back. Raises UnavailableError, with the reason, where they cannot be built."""
    return Kustomize(go_modules.once(f"kustomize-{_version()}", "kustomize and kubeconform", _make)), lambda: None


def _version() -> str:
    made_of = (MODULE / "go.sum", MODULE / "go.mod", Path(kubernetes_schemas.__file__))
    return hashlib.sha256(b"".join(p.read_bytes() for p in made_of) + str(SOURCES).encode()).hexdigest()[:16]


def _make(made: Path, beside: Path) -> None:
    go_modules.build(MODULE, made, beside, *PROGRAMS, options=("-ldflags=-s -w",), seconds=GET_SECONDS)
    kubernetes_schemas.write([go_modules.source(beside, *pinned) for pinned in SOURCES.items()], made)
