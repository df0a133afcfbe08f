"""Every overlay and component of deploy/kubernetes builds, is known to the schemas of whom it speaks to, and fits."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from cluster.builds import ALL_TOGETHER, EACH_OVERLAY, OF_COMPONENTS, Objects, of_kind, pods
from infra.kustomize import Kustomize, objects
from infra.kustomized import FOLDER, OVERLAYS, pod
from worker import loading, process, running
from worker.settings import Settings


def conforms(kustomize: Kustomize, manifests: str) -> None:
    done = kustomize.conform(manifests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(objects(manifests))} resources found" in done.stdout
    assert "Skipped: 0" in done.stdout


def settings(found: Objects, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What a worker of this build makes of its ConfigMap and of the secrets' example."""
    [config] = of_kind(found, "ConfigMap")
    for name, value in config["data"].items():
        monkeypatch.setenv(name, value)
    example = yaml.safe_load((FOLDER / "secrets.example.yaml").read_text())
    for name, value in example["stringData"].items():
        (folder / name).write_text(value)
    return loading.load(os.environ, None, folder)


@pytest.mark.parametrize("overlay", EACH_OVERLAY)
def test_an_overlay_builds_and_every_field_is_known(overlay: str, kustomize: Kustomize) -> None:
    conforms(kustomize, kustomize.build(OVERLAYS / overlay))


@pytest.mark.parametrize("components", OF_COMPONENTS, ids=lambda names: "+".join(names) or "base")
def test_components_build_and_every_field_is_known(
    components: tuple[str, ...], kustomize: Kustomize, tmp_path: Path
) -> None:
    conforms(kustomize, kustomize.build_of(components, tmp_path))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("terminationGracePeriodSeconds: 4", "terminationGracePeriod: 4"),
        ("maxReplicaCount: ", "maxReplicas: "),
        ("podMetricsEndpoints:", "podMetricEndpoints:"),
        ("annotations:\n        description: A", "note:\n        description: A"),
        ("kind: ScaledObject", "kind: ScaleObject"),
        ("containerPort: 8080", "containerPort: health"),
    ],
)
def test_what_is_misspelt_is_noticed(right: str, wrong: str, kustomize: Kustomize) -> None:
    manifests = kustomize.build(OVERLAYS / "production")
    assert right in manifests
    assert kustomize.conform(manifests.replace(right, wrong)).returncode != 0


@pytest.mark.parametrize("overlay", EACH_OVERLAY)
def test_a_worker_takes_the_settings_of_an_overlay(
    overlay: str, kustomize: Kustomize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = objects(kustomize.build(OVERLAYS / overlay))
    given = settings(found, tmp_path, monkeypatch)
    assert given.ledger.url.get_secret_value().startswith("postgresql://"), "its file system is read-only"
    [worker] = [one for one in pods(found) if one["containers"][0]["name"] == "worker"]
    assert {"name": "health", "containerPort": given.health.port} in worker["containers"][0]["ports"]


@pytest.mark.parametrize("overlay", EACH_OVERLAY)
def test_every_pod_of_an_overlay_has_the_time_to_drain_and_to_end_its_longest_call(
    overlay: str, kustomize: Kustomize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = objects(kustomize.build(OVERLAYS / overlay))
    given = settings(found, tmp_path, monkeypatch)
    longest = given.shutdown.drain_seconds + given.rokt.timeout_seconds
    closing = running.CLOSE_SECONDS + process.FLUSH_SECONDS
    assert min(one["terminationGracePeriodSeconds"] for one in pods(found)) > longest + closing


@pytest.mark.parametrize("overlay", EACH_OVERLAY)
def test_an_overlay_has_no_secret_and_no_image_without_a_version(overlay: str, kustomize: Kustomize) -> None:
    found = objects(kustomize.build(OVERLAYS / overlay))
    assert not of_kind(found, "Secret")
    images = {container["image"] for one in pods(found) for container in one["containers"]}
    assert all(":" in image and not image.endswith(":latest") for image in images)
    assert {one["metadata"]["namespace"] for one in found} != {""}


def test_a_change_of_settings_is_a_rolling_restart(kustomize: Kustomize, tmp_path: Path) -> None:
    """Every pod refers to the ConfigMap by a name that is made of what is in it."""
    names = set()
    for overlay in EACH_OVERLAY:
        found = objects(kustomize.build(OVERLAYS / overlay))
        [config] = of_kind(found, "ConfigMap")
        references = {str(one["containers"][0]["envFrom"]) for one in pods(found)}
        assert references == {str([{"configMapRef": {"name": config["metadata"]["name"]}}])}
        names.add(config["metadata"]["name"])
    assert len(names) == len(EACH_OVERLAY)


def test_static_members_are_a_stateful_set_whose_pods_give_their_names(kustomize: Kustomize, tmp_path: Path) -> None:
    found = objects(kustomize.build_of(ALL_TOGETHER, tmp_path))
    [stateful] = of_kind(found, "StatefulSet")
    [container] = pod(stateful)["containers"]
    assert container["env"] == [
        {"name": "WORKER_KAFKA__INSTANCE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    ]
    assert [one["metadata"]["name"] for one in of_kind(found, "Deployment")] == ["rokt-transactions"]
    [scaled] = of_kind(found, "ScaledObject")
    assert scaled["spec"]["scaleTargetRef"] == {"kind": "StatefulSet", "name": "rokt-worker"}


def test_where_the_scaler_says_how_many_workers_there_are_nobody_else_does(kustomize: Kustomize) -> None:
    found = objects(kustomize.build(OVERLAYS / "production"))
    [scaled] = of_kind(found, "ScaledObject")
    [target] = [one for one in of_kind(found, "Deployment") if one["metadata"]["name"] == "rokt-worker"]
    assert scaled["spec"]["scaleTargetRef"] == {"name": target["metadata"]["name"]}
    assert "replicas" not in target["spec"]


def test_a_replay_is_added_as_the_runbook_shows(kustomize: Kustomize, tmp_path: Path) -> None:
    chapter = (FOLDER.parent / "RUNBOOK.md").read_text().split("# On Kubernetes")[1]
    [shown] = re.findall(r"```yaml\n(.*?)```", chapter, re.DOTALL)
    copy = Path(shutil.copytree(FOLDER, tmp_path / "kubernetes"))
    overlay = Path(shutil.copytree(copy / "overlays" / "production", copy / "overlays" / "replay"))
    (file,) = overlay.glob("kustomization.yaml")
    made_of, added = yaml.safe_load(file.read_text()), yaml.safe_load(shown)
    made_of["components"] += added.pop("components")
    assert not made_of.keys() & added.keys()
    file.write_text(yaml.safe_dump(made_of | added))
    manifests = kustomize.build(overlay)
    conforms(kustomize, manifests)
    found = objects(manifests)
    [job] = of_kind(found, "Job")
    [container] = pod(job)["containers"]
    assert job["metadata"]["labels"]["app.kubernetes.io/name"] == "rokt-worker-replay"
    assert container["args"][:5] == ["replay", "--since", "2026-11-17", "--until", "2026-11-18"]
    assert container["image"].startswith("registry.example/")
    rest = [one for one in found if one is not job]
    assert rest == objects(kustomize.build(OVERLAYS / "production"))
