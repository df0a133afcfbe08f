"""A real Kubernetes API server with its etcd, built from Go modules once. Without nodes and controllers.

Nothing runs in it: it takes objects, or refuses them, as every cluster does: defaults, rules between fields, admission,
KEDA's and prometheus-operator's definitions included.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra import go_modules
from infra.kustomize import SOURCES
from infra.once import start_or_remove
from infra.ports import free_port
from infra.process import ServerProcess
from infra.worker import until

MODULE: Final = Path(__file__).with_name("apiserver_build")
PROGRAMS: Final = ("go.etcd.io/etcd/server/v3", "k8s.io/kubernetes/cmd/kube-apiserver")
# They are to be there soon, not to be fast.
OPTIONS: Final = ("-gcflags=all=-N -l", "-ldflags=-s -w")
BUILD_SECONDS: Final = 1_500.0
CUSTOM: Final = {
    "keda": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}
START_SECONDS: Final = 60.0
ASK_SECONDS: Final = 30.0
WHO: Final = "tests"


class ApiServer:
    """One server, on a port of the loopback interface, where whoever has the token may do everything."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._etcd_port, self._port, self._token = free_port(), free_port(), secrets.token_hex()
        self._etcd = ServerProcess("etcd", self._etcd_answers)
        self._process = ServerProcess("kube-apiserver", self._answers)
        self._certificate = self._process.folder / "apiserver.crt"
        self._client: httpx.Client | None = None

    def start(self) -> None:
        at = f"http://127.0.0.1:{self._etcd_port}"
        peers = f"http://127.0.0.1:{free_port()}"
        own = {
            "data-dir": self._etcd.folder / "data",
            "listen-client-urls": at,
            "advertise-client-urls": at,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        }
        self._etcd.start([str(self._programs / "server"), *_options(own)], START_SECONDS)
        folder = self._process.folder
        (folder / "tokens.csv").write_text(f"{self._token},{WHO},{WHO},system:masters\n")
        (folder / "tokens.csv").chmod(0o600)
        _key(folder / "accounts.pem")
        own = {
            "etcd-servers": at,
            "bind-address": "127.0.0.1",
            "secure-port": self._port,
            "cert-dir": folder,
            "token-auth-file": folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": folder / "accounts.pem",
            "service-account-signing-key-file": folder / "accounts.pem",
            "service-cluster-ip-range": "10.0.0.0/24",
        }
        self._process.start([str(self._programs / "kube-apiserver"), *_options(own)], START_SECONDS)
        for file in sorted(self._programs.glob("*.yaml")):
            definition = yaml.load(file.read_text(), yaml.CSafeLoader)
            assert self.apply(definition).is_success
            assert until(partial(self._is_established, definition["metadata"]["name"]), START_SECONDS)

    def apply(self, document: dict[str, Any], *, dry: bool = False) -> httpx.Response:
        """Server-side, and strict: a field that is not known, or named twice, is refused."""
        about = {"fieldManager": WHO, "fieldValidation": "Strict", "force": "true"} | ({"dryRun": "All"} if dry else {})
        return self._ask("PATCH", self._path(document), about, document)

    def create(self, document: dict[str, Any], *, dry: bool = False) -> httpx.Response:
        path = self._path(document).rpartition("/")[0]
        return self._ask("POST", path, {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {}), document)

    def namespace(self, name: str, **labels: str) -> None:
        """One in which pods may only what the strictest of Kubernetes' standards lets them."""
        enforced = {"pod-security.kubernetes.io/enforce": "restricted"} | labels
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": enforced}}
        assert self.apply(document).is_success

    def remove(self) -> None:
        if self._client is not None:
            self._client.close()
        for process in (self._process, self._etcd):
            process.stop()
            process.remove()

    def _path(self, document: dict[str, Any]) -> str:
        version, about = document["apiVersion"], document["metadata"]
        root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
        known = self._ask("GET", root).raise_for_status().json()["resources"]
        [kind] = [one for one in known if one["kind"] == document["kind"] and "/" not in one["name"]]
        inside = f"/namespaces/{about.get('namespace', 'default')}" if kind["namespaced"] else ""
        return f"{root}{inside}/{kind['name']}/{about['name']}"

    def _ask(
        self, method: str, path: str, query: dict[str, str] | None = None, document: dict[str, Any] | None = None
    ) -> httpx.Response:
        if self._client is None:
            self._client = httpx.Client(
                base_url=f"https://127.0.0.1:{self._port}",
                verify=ssl.create_default_context(cafile=str(self._certificate)),
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=ASK_SECONDS,
                trust_env=False,
            )
        kind = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        content = None if document is None else json.dumps(document)
        return self._client.request(method, path, params=query, content=content, headers={"Content-Type": kind})

    def _is_established(self, name: str) -> bool:
        told = self._ask("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}").json()
        conditions = told.get("status", {}).get("conditions") or ()
        return ("Established", "True") in [(one["type"], one["status"]) for one in conditions]

    def _answers(self) -> bool:
        try:
            return self._certificate.exists() and self._ask("GET", "/readyz").is_success
        except (httpx.TransportError, ssl.SSLError):
            return False

    def _etcd_answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._etcd_port}/readyz", timeout=1, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def __str__(self) -> str:
        return "Kubernetes' API server: built from Go modules"


def _options(given: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in given.items()]


def _key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    unlocked = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, unlocked)
    )
    path.chmod(0o600)


def find() -> tuple[ApiServer, Callable[[], None]]:
    """Raises UnavailableError, with the reason, where it cannot be built or does not start."""
    made_of = (MODULE / "go.sum").read_bytes() + " ".join([*OPTIONS, str(CUSTOM), *SOURCES]).encode()
    version = hashlib.sha256(made_of).hexdigest()[:16]
    server = ApiServer(go_modules.once(f"apiserver-{version}", "API server of Kubernetes", _make))
    start_or_remove(server)
    return server, server.remove


def _make(made: Path, beside: Path) -> None:
    for module, sum_ in SOURCES.items():
        for file in (file for name, files in CUSTOM.items() if f"/{name}" in module for file in files):
            whole = go_modules.source(beside, module, sum_) / file
            shutil.copyfile(whole, made / whole.name)
    go_modules.build(MODULE, made, beside, *PROGRAMS, options=OPTIONS, seconds=BUILD_SECONDS)
