"""Dockerfile and compose file: valid by the tools' own parsers, and as closed as they say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
DOCKERFILE, COMPOSE = REPOSITORY / "Dockerfile", REPOSITORY / "compose.yaml"
SERVICES = {"redis", "prepare", "api", "collector", "watch", "daemon", "webserver",
            "data-generator"}  # fmt: skip


def tool(name: str) -> str:
    """Return a linter of this environment."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: pip install '.[dev]'")
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services with what they share merged in."""
    return dict(yaml.safe_load(COMPOSE.read_text("utf-8"))["services"])


def test_the_compose_file_is_valid() -> None:
    """OPS4: `compose config` takes it, with every profile."""
    command = [tool("docker-compose"), "--file", str(COMPOSE), "--profile", "*", "config", "-q"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not result.stderr


def test_the_dockerfile_has_no_finding() -> None:
    """hadolint, with every rule."""
    command = [tool("hadolint"), "--no-color", str(DOCKERFILE)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_only_the_api_is_published(services: dict[str, Any]) -> None:
    """OPS4: on loopback; Dagster's interface by a profile; Redis on the inner network alone."""
    assert set(services) == SERVICES
    ports = {name: said["ports"] for name, said in services.items() if "ports" in said}
    assert ports.pop("webserver") == ["127.0.0.1:${DAGSTER_PORT:-3000}:3000"]
    assert ports == {"api": ["127.0.0.1:${API_PORT:-8000}:8000"]}
    assert services["webserver"]["profiles"] == ["dagster-ui"]
    assert services["redis"]["networks"] == ["inside"]
    networks = yaml.safe_load(COMPOSE.read_text("utf-8"))["networks"]
    assert networks["inside"] == {"internal": True}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_bounded_and_looked_after(services: dict[str, Any], name: str) -> None:
    """Memory limit, restart policy, health check, no privilege, nothing written beside volumes."""
    said = services[name]
    assert re.fullmatch(r"\d+[mg]", said["mem_limit"])
    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    if name == "prepare":
        assert said["restart"] == "no"
    else:
        assert said["restart"] == "unless-stopped"
        assert said["healthcheck"]["test"][0] == "CMD"
    if name != "redis":
        assert said["image"] == "leak-assets:local"


def test_no_secret_stands_in_the_files(services: dict[str, Any]) -> None:
    """What may be secret comes from the environment, and has no default."""
    for said in services.values():
        for value in said.get("environment", {}).values():
            assert re.fullmatch(r"\$\{[A-Z_]+:-\}", value)
    text = DOCKERFILE.read_text("utf-8")
    assert not re.search(r"(?i)password|secret_|token|api_key", text)
    assert "!.env" not in (REPOSITORY / ".dockerignore").read_text("utf-8")


def test_the_image_runs_as_nobody_special() -> None:
    """The last user is a number that is not root's."""
    users = re.findall(r"^USER (.*)$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert users[-1] == "10001:10001"
    pinned = re.search(r"torch==([\d.]+)", DOCKERFILE.read_text("utf-8"))
    assert pinned is not None
    assert f"torch=={pinned[1]}" in (REPOSITORY / "constraints.txt").read_text("utf-8")
