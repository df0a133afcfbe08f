"""A real API server takes every overlay and component: what no schema knows, rules between fields, is asked of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.builds import ALL_TOGETHER, EACH_OVERLAY, OF_COMPONENTS, makers, of_kind
from infra import kube_apiserver
from infra.kube_apiserver import ApiServer
from infra.kustomize import Kustomize, objects
from infra.kustomized import OVERLAYS
from infra.unavailable import UnavailableError

Document = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    try:
        found, remove = kube_apiserver.find()
    except UnavailableError as error:
        pytest.skip(str(error))
    yield found
    remove()


def takes(server: ApiServer, found: list[Document]) -> list[str]:
    """What each object has become: the server's version of it. Every one is taken, without a warning."""
    versions = []
    for document in found:
        done = server.apply(document)
        assert done.is_success, f"{document['kind']} {document['metadata']['name']}: {done.text}"
        assert "Warning" not in done.headers, done.headers["Warning"]
        versions.append(done.json()["metadata"]["resourceVersion"])
    return versions


def inside(server: ApiServer, namespace: str, manifests: str) -> list[Document]:
    """The objects, to be made in a namespace that is there."""
    server.namespace(namespace)
    found = objects(manifests)
    for document in found:
        document["metadata"]["namespace"] = namespace
    return found


def pods(found: list[Document]) -> Iterator[Document]:
    """Those that the controllers would make."""
    for one in makers(found):
        template = copy.deepcopy(one["spec"]["template"])
        about = template["metadata"] | {"name": one["metadata"]["name"], "namespace": one["metadata"]["namespace"]}
        yield template | {"apiVersion": "v1", "kind": "Pod", "metadata": about}


@pytest.mark.timeout(1_800)  # the first time it is built
@pytest.mark.parametrize("overlay", EACH_OVERLAY)
def test_an_overlay_is_taken_and_a_second_time_changes_nothing(
    overlay: str, server: ApiServer, kustomize: Kustomize
) -> None:
    found = objects(kustomize.build(OVERLAYS / overlay))
    server.namespace(found[0]["metadata"]["namespace"])
    assert takes(server, found) == takes(server, found)


@pytest.mark.parametrize("components", OF_COMPONENTS, ids=lambda names: "+".join(names) or "base")
def test_components_are_taken_and_their_pods_let_in_by_the_strictest_standard(
    components: tuple[str, ...], server: ApiServer, kustomize: Kustomize, tmp_path: Path
) -> None:
    namespace = f"of-{len(components)}-{components[0] if components else 'base'}"
    found = inside(server, namespace, kustomize.build_of(components, tmp_path))
    takes(server, found)
    for pod in pods(found):
        done = server.create(pod, dry=True)
        assert done.status_code == 201, done.text


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("runAsNonRoot: true", "runAsNonRoot: false"),
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        ("serviceAccountName: rokt-worker", "serviceAccountName: rokt-wurker"),
    ],
)
def test_a_pod_that_may_too_much_or_is_nobodys_is_refused(
    right: str, wrong: str, server: ApiServer, kustomize: Kustomize, tmp_path: Path
) -> None:
    manifests = kustomize.build_of(ALL_TOGETHER, tmp_path)
    assert right in manifests
    found = inside(server, "refusing", manifests.replace(right, wrong))
    takes(server, of_kind(objects(manifests), "ServiceAccount"))
    answers = [server.create(pod, dry=True) for pod in pods(found)]
    assert {answer.status_code for answer in answers} == {403}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("maxSurge: 1", "maxSurge: 0"),
        ("      app.kubernetes.io/name: rokt-worker\n", "      app.kubernetes.io/name: rokt-wurker\n"),
        ("behavior: currentReplicas", "behavior: currentReplica"),
        ("name: health\n", "name: the-port-of-the-health-checks\n"),
    ],
)
def test_a_rule_between_fields_that_is_broken_is_noticed(
    right: str, wrong: str, server: ApiServer, kustomize: Kustomize, tmp_path: Path
) -> None:
    manifests = kustomize.build_of(("keda",), tmp_path)
    assert right in manifests
    found = inside(server, "breaking", manifests.replace(right, wrong, 1))
    assert [done.status_code for done in (server.apply(one, dry=True) for one in found) if not done.is_success] == [422]
