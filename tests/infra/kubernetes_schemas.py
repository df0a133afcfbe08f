"""JSON schemas of everything that Kubernetes, KEDA and prometheus-operator take, strict, for kubeconform.

kubeconform's own are on a web host. These are made of what the projects publish themselves, inside their Go modules:
the OpenAPI document of the API server, and the definitions of the custom resources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

Schema = dict[str, Any]

OPENAPI: Final = Path("api", "openapi-spec", "swagger.json")
CUSTOM: Final = (Path("config", "crd", "bases"), Path("example", "prometheus-operator-crd"))
HERE: Final = "#/definitions/"
REFERENCE: Final = re.compile(rf'"{HERE}([^"]+)"')
EITHER: Final = {"anyOf": [{"type": "string"}, {"type": "number"}]}
QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
ABOUT_IT: Final = {"$ref": f"{HERE}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
LOCATION: Final = "{{ .ResourceKind }}{{ .KindSuffix }}.json"


class Loader(yaml.CSafeLoader):
    """To which a plain `=` is a text, as it is to everybody else's."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: str(node.value))


def write(modules: list[Path], folder: Path) -> None:
    """A file for each kind of object, by the names of LOCATION."""
    definitions: dict[str, Schema] = {}
    kinds: dict[str, str] = {}
    for module in modules:
        for kind, name, schema in _of_module(module):
            definitions[name] = _strict(schema)
            if kind:
                kinds[kind] = name
    for kind, name in kinds.items():
        whole = {
            "$ref": HERE + name,
            "definitions": {other: definitions[other] for other in _closure(name, definitions)},
        }
        (folder / f"{kind}.json").write_text(json.dumps(whole))


def _closure(name: str, definitions: dict[str, Schema]) -> set[str]:
    """It, and all that it refers to."""
    found, new = set[str](), {name}
    while new:
        found |= new
        new = {other for one in new for other in REFERENCE.findall(json.dumps(definitions[one]))} - found
    return found


def _of_module(module: Path) -> Iterator[tuple[str, str, Schema]]:
    """The file, where it is an object's; the definition's name; the schema."""
    if (document := module / OPENAPI).exists():
        for name, schema in json.loads(document.read_text())["definitions"].items():
            schema = EITHER if name == QUANTITY else schema
            known = schema.get("x-kubernetes-group-version-kind", [])
            if len(known) == 1:  # more than one: ListOptions and the like
                yield _file(**known[0]), name, _named(schema, **known[0])
            else:
                yield "", name, schema
    for path in (path for folder in CUSTOM for path in (module / folder).glob("*.yaml")):
        spec = yaml.load(path.read_text(), Loader)["spec"]
        group, kind = spec["group"], spec["names"]["kind"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            about = _named(schema, group, version["name"], kind)
            yield _file(group, version["name"], kind), f"{group}.{version['name']}.{kind}", about


def _file(group: str, version: str, kind: str) -> str:
    return "-".join(filter(None, (kind.lower(), group.split(".")[0], version)))


def _named(schema: Schema, group: str, version: str, kind: str) -> Schema:
    """With what the object says of itself."""
    properties = schema.get("properties", {})
    own = {"apiVersion": {"const": f"{group}/{version}" if group else version}, "kind": {"const": kind}}
    metadata = {"metadata": ABOUT_IT} if properties.get("metadata", {}).get("type") == "object" else {}
    return schema | {"properties": properties | own | metadata, "required": [*schema.get("required", ()), *own]}


def _strict(schema: Any) -> Any:
    """As JSON Schema has it, and with no properties but those that are named."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "int-or-string" in (schema.get("format"), schema.get("x-kubernetes-int-or-string") and "int-or-string"):
        return EITHER
    made = {key: _each(value) if key == "properties" else _strict(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def _each(properties: dict[str, Any]) -> dict[str, Any]:
    """The names of properties are not words of the schema."""
    return {name: _strict(schema) for name, schema in properties.items()}
