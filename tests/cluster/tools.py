"""kustomize and kubeconform, built from Go modules, and the schemas of what deploy/kubernetes is made of.

Kubernetes's own come from the OpenAPI document in its module, KEDA's and prometheus-operator's from their definitions
in theirs; a field that none of them knows is refused.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from infra.cache import cache_folder, only_one

TOOLS: Final = ("sigs.k8s.io/kustomize/kustomize/v5@v5.5.0", "github.com/yannh/kubeconform/cmd/kubeconform@v0.6.7")
KUBERNETES: Final = "k8s.io/kubernetes@v1.31.4"
DEFINED: Final = {
    "github.com/kedacore/keda/v2@v2.16.1": "config/crd/bases/keda.sh_scaledobjects.yaml",
    "github.com/prometheus-operator/prometheus-operator@v0.79.2": "example/prometheus-operator-crd/*_p*.yaml",
}
NAME: Final = "{kind}-{group}-{version}.json"


class MissingError(Exception):
    """They cannot be had here, and why."""


def tools() -> Path:
    """The folder with both programs and `schemas`. Raises MissingError."""
    if shutil.which("go") is None:
        raise MissingError("there is no Go to build kustomize and kubeconform with")
    folder = cache_folder() / f"kubernetes-{KUBERNETES.rpartition('@')[2]}"
    with only_one(cache_folder() / "kubernetes.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                made = Path(scratch, "made")
                _build(made)
                made.rename(folder)
    return folder


def _build(folder: Path) -> None:
    folder.mkdir()
    for tool in TOOLS:
        _go("install", tool, folder=folder)
    schemas = folder / "schemas"
    schemas.mkdir()
    _kubernetes(_module(KUBERNETES) / "api/openapi-spec/swagger.json", schemas)
    for module, files in DEFINED.items():
        for file in _module(module).glob(files):
            _defined(yaml.safe_load(file.read_text()), schemas)


def _kubernetes(document: Path, schemas: Path) -> None:
    definitions: dict[str, Any] = json.loads(document.read_text())["definitions"]
    (schemas / "all.json").write_text(json.dumps({"definitions": {n: _strict(d) for n, d in definitions.items()}}))
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            file = schemas / _file(kind["kind"], kind["group"], kind["version"])
            file.write_text(json.dumps({"$ref": f"all.json#/definitions/{name}"}))


def _defined(resource: dict[str, Any], schemas: Path) -> None:
    spec = resource["spec"]
    for version in spec["versions"]:
        schema = _strict(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"$ref": "all.json#/definitions/" + META}
        (schemas / _file(spec["names"]["kind"], spec["group"], version["name"])).write_text(json.dumps(schema))


META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def _file(kind: str, group: str, version: str) -> str:
    return f"{kind}-{group}-{version}.json".lower().replace("--", "-")


def _strict(schema: Any) -> Any:
    """The same, that refuses what it does not name. A quantity and a port may be a number or a word."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(value) for name, value in schema.items()}
    if made.get("format") == "int-or-string" or made.pop("x-kubernetes-int-or-string", False):
        made = {name: value for name, value in made.items() if name not in ("type", "anyOf", "format")}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made and "type" in made:
        made["additionalProperties"] = False
    return made


def _module(name: str) -> Path:
    told = json.loads(_go("mod", "download", "-json", name))
    return Path(told["Dir"])


def _go(*arguments: str, folder: Path | None = None) -> str:
    import os

    environment = os.environ | ({"GOBIN": str(folder)} if folder else {})
    done = subprocess.run(["go", *arguments], env=environment, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise MissingError(f"go {' '.join(arguments)}: {done.stderr[-300:]}")
    return done.stdout
