"""deploy/kubernetes: what can be said of the files alone; tests/cluster builds them and knows the schemas."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml
from dotenv import dotenv_values

from infra import rule_manifest
from infra.kustomized import BASE, COMPONENTS, FOLDER, OVERLAYS, RULES, Document, documents, kustomization, of_kind, pod
from infra.observability import unknown
from infra.promql import named
from worker import process, running
from worker.commands.main import main
from worker.settings import RoktSettings, ShutdownSettings, TransactionsSettings, groups, setting_name
from worker.stream.config import CLASSIC
from worker.topics.needed import PARTITIONS

SETTINGS = {setting_name(group, name) for group, kind in groups().items() for name in kind.model_fields}
SECRETS = {"WORKER_ROKT__API_KEY", "WORKER_LEDGER__URL", "WORKER_KAFKA__SECRET_PROPERTIES"}
OF_TRANSACTIONS = {"WORKER_TRANSACTIONS__API_KEY"}
PODS = of_kind("Deployment", "Job")
GIVEN = sorted(FOLDER.rglob("*.env"))
EVERY_BUILD = [*OVERLAYS.iterdir(), *COMPONENTS.iterdir(), BASE]


def each_pod() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", PODS, ids=lambda document: document["metadata"]["name"])


def each_deployment() -> pytest.MarkDecorator:
    found = of_kind("Deployment")
    return pytest.mark.parametrize("document", found, ids=lambda document: document["metadata"]["name"])


@each_pod()
def test_a_pod_is_stopped_only_after_it_drained_and_its_longest_call_ended(document: Document) -> None:
    [container] = pod(document)["containers"]
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    longest = before + ShutdownSettings().drain_seconds + RoktSettings.model_fields["timeout_seconds"].default
    closing = running.CLOSE_SECONDS + process.FLUSH_SECONDS
    assert pod(document)["terminationGracePeriodSeconds"] > longest + closing


@each_pod()
def test_a_pod_may_nothing_that_it_need_not(document: Document) -> None:
    spec = pod(document)
    assert (spec["securityContext"]["runAsNonRoot"], spec["automountServiceAccountToken"]) == (True, False)
    assert spec["securityContext"]["runAsUser"] == 10001
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


@each_pod()
def test_a_pods_command_is_one(document: Document, tmp_path: Path) -> None:
    [container] = pod(document)["containers"]
    name, *rest = [str(tmp_path) if word.startswith("/") else word for word in container["args"]]
    command = main.commands[name]
    assert isinstance(command, click.Command)
    command.make_context(name, rest)


@each_deployment()
def test_a_deployment_is_probed_where_it_answers_and_somebody_always_works(document: Document) -> None:
    [container] = pod(document)["containers"]
    ports = {port["name"] for port in container["ports"]}
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in probes.values()} <= ports
    assert (probes["livenessProbe"]["path"], probes["readinessProbe"]["path"]) == ("/livez", "/readyz")
    assert document["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    labels = document["spec"]["template"]["metadata"]["labels"]
    wanted = document["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= labels.items()
    assert wanted in [one["spec"]["selector"]["matchLabels"] for one in of_kind("PodDisruptionBudget")]
    spread = pod(document)["topologySpreadConstraints"]
    assert all(one["labelSelector"]["matchLabels"] == wanted for one in spread)


def test_the_next_worker_is_replaced_only_when_partitions_have_moved_to_the_new_one() -> None:
    [worker] = [one for one in of_kind("Deployment") if one["metadata"]["name"] == "rokt-worker"]
    heartbeats = CLASSIC["heartbeat.interval.ms"] / 1_000
    assert worker["spec"]["minReadySeconds"] >= 4 * heartbeats, "in two rounds, and the probe's own time"


def test_the_ports_are_those_that_are_listened_at() -> None:
    ports = {port["name"]: port["containerPort"] for one in PODS for port in pod(one)["containers"][0].get("ports", ())}
    given = dotenv_values(BASE / "worker.env")
    assert ports == {"health": int(given["WORKER_HEALTH__PORT"] or 0), "http": TransactionsSettings().port}


@each_pod()
def test_what_is_watched_and_what_is_let_in_is_every_pod(document: Document) -> None:
    labels = document["spec"]["template"]["metadata"]["labels"]
    [policy] = [one for one in of_kind("NetworkPolicy") if one["metadata"]["name"] == "rokt-worker"]
    [monitor] = of_kind("PodMonitor")
    for wanted in (policy["spec"]["podSelector"]["matchLabels"], monitor["spec"]["selector"]["matchLabels"]):
        assert wanted.items() <= labels.items()


def test_every_setting_that_is_named_is_one_that_there_is() -> None:
    text = "".join(path.read_text() for path in (*FOLDER.rglob("*.yaml"), *GIVEN))
    assert set(re.findall(r"\bWORKER_\w+__\w+", text)) <= SETTINGS


def test_no_build_has_a_secret_in_it_and_the_example_has_none_of_the_rest() -> None:
    assert not of_kind("Secret")
    example = yaml.safe_load((FOLDER / "secrets.example.yaml").read_text())
    assert set(example["stringData"]) == SECRETS | OF_TRANSACTIONS
    given = {name for path in GIVEN for name in dotenv_values(path)}
    assert given
    assert not given & (SECRETS | OF_TRANSACTIONS)


@pytest.mark.parametrize("folder", EVERY_BUILD, ids=lambda folder: folder.name)
def test_what_a_build_is_made_of_is_there(folder: Path) -> None:
    made_of = kustomization(folder)
    files = [name for one in made_of.get("configMapGenerator", ()) for name in one["envs"]]
    for name in (*made_of.get("resources", ()), *made_of.get("components", ()), *files):
        assert (folder / name).exists(), name


def test_the_scaler_goes_no_further_than_there_are_partitions_and_shrinks_slowly() -> None:
    [scaled] = of_kind("ScaledObject")
    assert scaled["spec"]["maxReplicaCount"] == PARTITIONS
    behaviour = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] >= 600
    assert behaviour["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    assert scaled["spec"]["fallback"]["behavior"] == "currentReplicas"


def test_the_scaler_asks_for_metrics_that_there_are_and_not_for_lag_alone() -> None:
    [scaled] = of_kind("ScaledObject")
    [trigger] = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
    assert unknown(trigger["query"]) == []
    assert f"or on () {trigger['threshold']} * count(" in trigger["query"]
    asked = {one.series for one in named(trigger["query"]).selectors}
    assert {"rokt_partition_lag", "rokt_circuit_open", "rokt_calls_held_back_seconds"} < asked


def test_the_rules_are_the_alerts() -> None:
    assert RULES.read_text() == rule_manifest.manifest(), "run `make rules`"


def test_every_object_is_named_for_the_worker() -> None:
    assert all(document["metadata"]["name"].startswith("rokt-") for document in documents())


def test_the_scrape_job_is_the_one_that_the_scaler_asks_about() -> None:
    [worker] = [one for one in of_kind("Deployment") if one["metadata"]["name"] == "rokt-worker"]
    job = worker["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
    [monitor] = of_kind("PodMonitor")
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        [relabeling] = endpoint["relabelings"]
        assert relabeling["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
        assert relabeling["targetLabel"] == "job"
    [scaled] = of_kind("ScaledObject")
    [query] = [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]
    jobs = {m.value for one in named(query).selectors for m in one.matchers if m.label == "job"}
    assert jobs == {job}
