"""deploy/kubernetes: what can be said of the files alone; `make kubernetes` builds them and knows the schemas."""

from __future__ import annotations

import re

import pytest
import yaml

from infra import rule_manifest
from infra.kustomized import COMPONENTS, FOLDER, OVERLAYS, RULES, Document, documents, kustomization, of_kind, pod
from infra.observability import unknown
from infra.promql import named
from worker.settings import RoktSettings, ShutdownSettings, groups, setting_name
from worker.topics.needed import PARTITIONS

SETTINGS = {setting_name(group, name) for group, kind in groups().items() for name in kind.model_fields}
SECRETS = {"WORKER_ROKT__API_KEY", "WORKER_LEDGER__URL", "WORKER_KAFKA__SECRET_PROPERTIES"}
PODS = of_kind("Deployment", "Job")
CLOSING_SECONDS = 10.0
EVERY_BUILD = [*OVERLAYS.iterdir(), *COMPONENTS.iterdir(), FOLDER / "base"]


def each_pod() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", PODS, ids=lambda document: document["metadata"]["name"])


@each_pod()
def test_a_pod_is_stopped_only_after_it_drained_and_its_longest_call_ended(document: Document) -> None:
    longest = ShutdownSettings().drain_seconds + RoktSettings.model_fields["timeout_seconds"].default
    assert pod(document)["terminationGracePeriodSeconds"] >= longest + CLOSING_SECONDS


@each_pod()
def test_a_pod_may_nothing_that_it_need_not(document: Document) -> None:
    spec = pod(document)
    assert (spec["securityContext"]["runAsNonRoot"], spec["automountServiceAccountToken"]) == (True, False)
    for container in spec["containers"]:
        context = container["securityContext"]
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= container["resources"].keys()


@each_pod()
def test_settings_come_from_the_config_map_and_secrets_from_the_mounted_folder(document: Document) -> None:
    [container] = pod(document)["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": "rokt-worker"}}]
    assert container["args"][-2:] == ["--secrets-dir", container["volumeMounts"][0]["mountPath"]]
    assert pod(document)["volumes"] == [{"name": "secrets", "secret": {"secretName": "rokt-worker"}}]


@pytest.mark.parametrize("document", of_kind("Deployment"), ids=lambda document: document["metadata"]["name"])
def test_a_deployment_is_probed_where_it_answers_and_somebody_always_works(document: Document) -> None:
    [container] = pod(document)["containers"]
    ports = {port["name"] for port in container["ports"]}
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in probes.values()} <= ports
    assert (probes["livenessProbe"]["path"], probes["readinessProbe"]["path"]) == ("/livez", "/readyz")
    assert document["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    labels = document["spec"]["template"]["metadata"]["labels"]
    assert document["spec"]["selector"]["matchLabels"].items() <= labels.items()
    budgets = [one["spec"]["selector"]["matchLabels"] for one in of_kind("PodDisruptionBudget")]
    policies = [one["spec"]["podSelector"]["matchLabels"] for one in of_kind("NetworkPolicy")]
    assert document["spec"]["selector"]["matchLabels"] in budgets
    assert document["spec"]["selector"]["matchLabels"] in policies


def test_every_setting_that_is_named_is_one_that_there_is() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*.yaml"))
    assert set(re.findall(r"\bWORKER_\w+__\w+", text)) <= SETTINGS


def test_no_build_has_a_secret_in_it_and_the_example_has_none_of_the_rest() -> None:
    assert not of_kind("Secret")
    example = yaml.safe_load((FOLDER / "secrets.example.yaml").read_text())
    assert set(example["stringData"]) == SECRETS
    given = {name for document in of_kind("ConfigMap") for name in document["data"]}
    assert not given & SECRETS


@pytest.mark.parametrize("folder", EVERY_BUILD, ids=lambda folder: folder.name)
def test_what_a_build_is_made_of_is_there(folder: object) -> None:
    assert isinstance(folder, type(FOLDER))
    made_of = kustomization(folder)
    for name in (*made_of.get("resources", ()), *made_of.get("components", ())):
        assert (folder / name).exists(), name


def test_the_scaler_goes_no_further_than_there_are_partitions_and_shrinks_slowly() -> None:
    [scaled] = of_kind("ScaledObject")
    assert scaled["spec"]["maxReplicaCount"] == PARTITIONS
    behaviour = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] >= 600
    assert behaviour["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]


def test_the_scaler_asks_for_metrics_that_there_are_and_not_for_lag_alone() -> None:
    [scaled] = of_kind("ScaledObject")
    [query] = [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]
    assert unknown(query) == []
    asked = {one.series for one in named(query).selectors}
    assert asked == {"rokt_partition_lag", "rokt_circuit_open", "rokt_calls_held_back_seconds"}


def test_the_rules_are_the_alerts() -> None:
    assert RULES.read_text() == rule_manifest.manifest(), "run `make rules`"


def test_every_object_is_named_for_the_worker() -> None:
    assert all(document["metadata"]["name"].startswith("rokt-") for document in documents())
