"""Every overlay and component of deploy/kubernetes builds, and the schemas of all whom it speaks to know all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.tools import MissingError, tools
from infra.kustomized import COMPONENTS, FOLDER, OVERLAYS

BUILDS = [FOLDER / "base", *sorted(OVERLAYS.iterdir()), *sorted(COMPONENTS.iterdir())]


@pytest.fixture(scope="session")
def programs() -> Path:
    try:
        return tools()
    except MissingError as error:
        pytest.skip(str(error))


def built(programs: Path, folder: Path, scratch: Path) -> str:
    """What a folder makes; a component, on top of the base."""
    if folder.parent == COMPONENTS:
        beside = FOLDER / f".{scratch.name}"  # kustomize follows relative paths only
        beside.mkdir()
        try:
            made_of = {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": ["../base"],
                "components": [f"../components/{folder.name}"],
            }
            (beside / "kustomization.yaml").write_text(yaml.safe_dump(made_of))
            return _kustomize(programs, beside)
        finally:
            (beside / "kustomization.yaml").unlink(missing_ok=True)
            beside.rmdir()
    return _kustomize(programs, folder)


def _kustomize(programs: Path, folder: Path) -> str:
    done = subprocess.run(
        [str(programs / "kustomize"), "build", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def judged(programs: Path, objects: str) -> subprocess.CompletedProcess[str]:
    where = f"{programs}/schemas/{{{{ .ResourceKind }}}}-{{{{ .Group }}}}-{{{{ .ResourceAPIVersion }}}}.json"
    core = f"{programs}/schemas/{{{{ .ResourceKind }}}}-{{{{ .ResourceAPIVersion }}}}.json"
    command = [
        str(programs / "kubeconform"),
        "-strict",
        "-summary",
        "-schema-location",
        where,
        "-schema-location",
        core,
    ]
    return subprocess.run(command, input=objects, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("folder", BUILDS, ids=lambda folder: folder.name)
def test_it_builds_and_every_field_is_known(folder: Path, programs: Path, tmp_path: Path) -> None:
    objects = built(programs, folder, tmp_path)
    done = judged(programs, objects)
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(list(yaml.safe_load_all(objects)))
    assert f"{count} resources found" in done.stdout
    assert "Skipped: 0" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("terminationGracePeriod: 4", "terminationGracePeriodSeconds: 4"), ("maxReplicas: ", "maxReplicaCount: ")],
)
def test_a_field_that_is_misspelt_is_noticed(wrong: str, right: str, programs: Path, tmp_path: Path) -> None:
    objects = built(programs, OVERLAYS / "production", tmp_path)
    assert right in objects
    assert judged(programs, objects.replace(right, wrong)).returncode != 0


def test_static_members_are_a_stateful_set_whose_pods_give_their_names(programs: Path, tmp_path: Path) -> None:
    objects: list[dict[str, Any]] = list(yaml.safe_load_all(built(programs, COMPONENTS / "static-members", tmp_path)))
    [stateful] = [one for one in objects if one["kind"] == "StatefulSet"]
    [container] = stateful["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [
        {"name": "WORKER_KAFKA__INSTANCE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    ]
    assert not [one for one in objects if one["kind"] == "Deployment"]


def test_no_overlay_has_a_secret_or_an_image_without_a_version(programs: Path, tmp_path: Path) -> None:
    for overlay in OVERLAYS.iterdir():
        objects = built(programs, overlay, tmp_path)
        assert "kind: Secret\n" not in objects
        images = [line.split("image:")[1].strip() for line in objects.splitlines() if " image:" in line]
        assert images
        assert all(":" in image and not image.endswith(":latest") for image in images)
