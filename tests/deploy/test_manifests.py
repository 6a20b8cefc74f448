"""What is in deploy/ is judged by the schemas of those who read it, and by what we promise of it."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import msgspec
import pytest
import yaml  # type: ignore[import-untyped]

from tests.deploy import kserve_schema
from unisono.cli.app import make_app
from unisono.drivers.config import Config
from unisono.drivers.definitions import load_definitions
from unisono.drivers.serving.settings import Workers

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VERSIONS = ("1.33.0", "1.37.0")  # the oldest that is still kept, and the newest


def documents(folder: str) -> dict[str, Any]:
    """Of a folder, by kind."""
    found = [yaml.safe_load(path.read_text()) for path in sorted((DEPLOY / folder).glob("*.yaml"))]
    return {document["kind"]: document for document in found}


KUBERNETES = documents("kubernetes")
KSERVE = documents("kserve")
POD = KUBERNETES["Deployment"]["spec"]["template"]["spec"]
PODS = {"kubernetes": POD, "kserve": KSERVE["ServingRuntime"]["spec"]}
CONFIG = msgspec.convert(tomllib.loads(KUBERNETES["ConfigMap"]["data"]["unisono.toml"]), Config)


def containers(pod: Any) -> Iterator[Any]:
    yield from pod.get("initContainers", ())
    yield from pod["containers"]


each_container = pytest.mark.parametrize(
    ("pod", "container"),
    [(pod, container) for pod in PODS.values() for container in containers(pod)],
    ids=[f"{name}-{container['name']}" for name, pod in PODS.items() for container in containers(pod)],
)


# Schemas --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", sorted(KUBERNETES.keys() - {"Kustomization"}))
def test_a_manifest_is_what_kubernetes_takes(kind: str, version: str) -> None:
    kubernetes_validate.validate(KUBERNETES[kind], version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", sorted(KSERVE))
def test_a_manifest_is_what_kserve_takes(kind: str, version: str) -> None:
    kserve_schema.validate(KSERVE[kind], version)


def plant(document: Any, *path: Any, value: object) -> Any:
    """A copy with another value somewhere."""
    changed = copy.deepcopy(document)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    "broken",
    [
        plant(KUBERNETES["Deployment"], "spec", "replicas", value="two"),
        plant(KUBERNETES["Deployment"], "spec", "template", "spec", "contaners", value=[]),
        plant(KUBERNETES["Deployment"], "spec", "template", "spec", "containers", 0, "resources", "limit", value={}),
        plant(KUBERNETES["HorizontalPodAutoscaler"], "spec", "minReplica", value=1),
    ],
)
def test_the_schemas_of_kubernetes_see_what_is_wrong(broken: Any) -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


@pytest.mark.parametrize(
    "broken",
    [
        plant(KSERVE["ServingRuntime"], "spec", "protocolVersion", value=["v2"]),
        plant(KSERVE["ServingRuntime"], "spec", "multiModel", value="no"),
        plant(KSERVE["ServingRuntime"], "spec", "containers", 0, "readyProbe", value={}),
        plant(KSERVE["ServingRuntime"], "spec", "volumes", 0, "configMap", "nam", value="x"),
        plant(KSERVE["InferenceService"], "spec", "predictor", "minReplica", value=1),
        plant(KSERVE["InferenceService"], "spec", "predictor", "model", "modelFormat", value="x"),
    ],
)
def test_the_schemas_of_kserve_see_what_is_wrong(broken: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        kserve_schema.validate(broken, VERSIONS[-1])


def test_kustomize_takes_every_manifest() -> None:
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert sorted(KUBERNETES["Kustomization"]["resources"]) == sorted(files)


# What they promise ----------------------------------------------------------------------------------------------------


@each_container
def test_a_container_is_confined(pod: Any, container: Any) -> None:
    context = {**pod.get("securityContext", {}), **container["securityContext"]}
    assert context["runAsNonRoot"] and context["runAsUser"] == 10001
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys() & container["resources"]["requests"].keys()
    assert not re.search(r":latest$|^[^:]+$", container["image"])


@each_container
def test_what_a_container_mounts_is_there_and_what_is_not_its_own_is_only_read(pod: Any, container: Any) -> None:
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        assert ("emptyDir" in volumes[mount["name"]]) != mount.get("readOnly", False)


def scripts(container: Any) -> Iterator[list[str]]:
    """What `unisono` is called with, in a container whose entry point it is, or whose shell calls it."""
    if "command" not in container:
        yield container["args"]
    for called in re.findall(r"unisono ([^;&|]*)", " ".join(container["args"] if "command" in container else [])):
        yield shlex.split(called)


@each_container
def test_what_a_container_runs_is_a_command_of_ours(pod: Any, container: Any) -> None:
    called = list(scripts(container))
    assert called
    for arguments in called:
        run, _, ignored = make_app().parse_args(arguments, exit_on_error=False, print_error=False)
        assert run.__name__ == arguments[0]
        assert not ignored


SIDECARS = [container for pod in PODS.values() for container in containers(pod) if "command" in container]


@pytest.mark.parametrize("sidecar", SIDECARS, ids=list(PODS))
def test_a_shell_that_is_process_1_ends_when_it_is_told_to(sidecar: Any) -> None:
    script = sidecar["args"][0].replace("unisono stream late --quiet", "echo went")
    process = subprocess.Popen([*sidecar["command"], script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "went\n"
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("sidecar", SIDECARS, ids=list(PODS))
def test_a_sidecar_that_cannot_fold_fails_so_that_it_is_seen(sidecar: Any) -> None:
    script = sidecar["args"][0].replace("unisono stream late --quiet", "false")
    assert subprocess.run([*sidecar["command"], script], timeout=20, check=False).returncode == 1


@pytest.mark.parametrize(("name", "prefix"), [("kubernetes", ""), ("kserve", "/v2")])
def test_the_server_is_probed_where_it_tells_the_truth(name: str, prefix: str) -> None:
    (server,) = [one for one in PODS[name]["containers"] if "command" not in one]
    paths = {probe: server[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {
        "startupProbe": f"{prefix}/health/ready",
        "readinessProbe": f"{prefix}/health/ready",
        "livenessProbe": f"{prefix}/health/live",
    }
    assert [port["containerPort"] for port in server["ports"]] == [CONFIG.serve.port]


def test_pods_are_given_the_time_that_the_server_takes_to_stop() -> None:
    workers: Workers = CONFIG.serve.workers
    readiness = POD["containers"][0]["readinessProbe"]
    assert workers.linger_s > readiness["periodSeconds"] * readiness["failureThreshold"]
    assert POD["terminationGracePeriodSeconds"] > workers.linger_s + workers.grace_s
    assert workers.count == int(POD["containers"][0]["resources"]["limits"]["cpu"])


def test_everything_that_selects_pods_selects_these() -> None:
    labels = KUBERNETES["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    for selector in (
        KUBERNETES["Deployment"]["spec"]["selector"]["matchLabels"],
        KUBERNETES["Service"]["spec"]["selector"],
        KUBERNETES["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        KUBERNETES["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    target = KUBERNETES["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", KUBERNETES["Deployment"]["metadata"]["name"])
    assert KUBERNETES["PodDisruptionBudget"]["spec"]["minAvailable"] < KUBERNETES["Deployment"]["spec"]["replicas"]


@pytest.mark.parametrize("name", PODS)
def test_every_path_in_the_configuration_is_mounted(name: str) -> None:
    (server,) = [one for one in PODS[name]["containers"] if "command" not in one]
    mounted = {mount["mountPath"] for mount in server["volumeMounts"]}
    named = [CONFIG.store, CONFIG.registry.artifacts, CONFIG.serve.tokens.file, *CONFIG.events.values()]
    assert all(any(Path(path).is_relative_to(mount) for mount in mounted) for path in named)
    assert {"/srv/project", "/tmp"} <= mounted


def test_the_definitions_in_the_configuration_are_sound(tmp_path: Path) -> None:
    for name, text in KUBERNETES["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(text)
    definitions = load_definitions(tmp_path / "definitions.py")
    assert [*definitions.predictors] == ["late"]
    assert CONFIG.events.keys() == {"deliveries"}


def test_no_secret_is_in_any_file() -> None:
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            assert not re.search(r"uns_[0-9a-f]{16}_|password: [\"']?\w{6,}[\"']?$|://\w+:\w+@", path.read_text())
    assert "Secret" not in KUBERNETES  # they are made on the command line, as the comments say


# The image ------------------------------------------------------------------------------------------------------------

DOCKERFILE = DEPLOY / "Dockerfile"


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    hadolint = Path(sys.executable).with_name("hadolint")
    return subprocess.run([hadolint, "--no-color", path], capture_output=True, text=True, check=False)


def test_the_dockerfile_passes_its_linter() -> None:
    done = lint(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("python:3.11-slim-trixie AS build", "python AS build", "DL3006"),
        ("USER 10001:10001", "USER root", "DL3002"),
        ("--no-cache-dir -c", "-c", "DL3042"),
        ("WORKDIR /srv/project", "WORKDIR srv/project", "DL3000"),
    ],
)
def test_the_linter_sees_what_is_wrong(tmp_path: Path, old: str, new: str, rule: str) -> None:
    text = DOCKERFILE.read_text()
    assert old in text
    (tmp_path / "Dockerfile").write_text(text.replace(old, new))
    assert rule in lint(tmp_path / "Dockerfile").stdout


def test_what_the_image_copies_is_there_and_reaches_the_build() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    files = [name for line in copied for name in line.split()]
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert files
    for name in files:
        assert (ROOT / name).exists()
        assert f"!{name}" in allowed


def test_the_image_serves_where_the_manifests_look_for_it() -> None:
    text = DOCKERFILE.read_text()
    assert 'ENTRYPOINT ["unisono"]' in text
    assert f"EXPOSE {CONFIG.serve.port}" in text
    assert "USER 10001:10001" in text
    (health,) = re.findall(r"^HEALTHCHECK .*\n +CMD (\[.*\])$", text, re.MULTILINE)
    command = msgspec.json.decode(health)
    compile(command[-1], "HEALTHCHECK", "exec")
    assert f"127.0.0.1:{CONFIG.serve.port}/health/ready" in command[-1]
