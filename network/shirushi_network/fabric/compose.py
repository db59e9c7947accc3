"""Nodes as containers, driven and watched through the docker SDK."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import requests.exceptions

from shirushi_network.errors import ConsortiumError, StartError
from shirushi_network.fabric.containers import (
    DOCKERFILES,
    IMAGES,
    PROJECT,
    bind_mounts,
    container_name,
    container_spec,
)
from shirushi_network.fabric.nodes import Node, NodeKind, NodeState
from shirushi_network.fabric.service import read_service_environment

STOP_SECONDS = 30


class ContainerError(ConsortiumError):
    """The docker engine that cannot be reached, or that refuses."""


class ComposeNodes:
    """Runs a data folder's nodes as containers."""

    def __init__(self, data: Path, progress: Callable[[str], None]) -> None:
        self._data = data
        self._progress = progress
        self._client: Any = None

    def check(self) -> None:
        engine = self._engine()
        for kind, image in IMAGES.items():
            try:
                engine.images.get(image)
            except docker.errors.ImageNotFound:
                self._fetch(kind, image)

    def start(self, node: Node) -> None:
        container = self._container(node)
        if container is not None and container.status == "running":
            return
        if container is not None:
            container.remove(force=True)
        spec, owner = container_spec(node), self._data.stat()
        environment = dict(spec.environment)
        if spec.environment_file is not None:
            environment |= read_service_environment((self._data / spec.environment_file).parent)
        mounts = [
            docker.types.Mount(mount.inside, str(source), type="bind", read_only=not mount.writable)
            for source, mount in bind_mounts(spec, self._data)
        ]
        try:
            self._engine().containers.run(
                spec.image,
                list(spec.command) or None,
                name=container_name(PROJECT, node),
                detach=True,
                environment=environment,
                mounts=mounts,
                network_mode="host",
                user=f"{owner.st_uid}:{owner.st_gid}",
                working_dir=spec.working_folder if spec.environment_file is None else "/",
                restart_policy={"Name": "unless-stopped"},
                labels={"com.docker.compose.project": PROJECT, "com.docker.compose.service": node.id},
            )
        except (docker.errors.APIError, requests.exceptions.RequestException) as error:
            raise StartError(f"{node.name} could not be started as a container: {_reason(error)}") from error

    def stop(self, node: Node) -> bool:
        container = self._container(node)
        if container is None:
            return False
        was_running = container.status == "running"
        try:
            container.stop(timeout=STOP_SECONDS)
            container.remove(force=True)
        except docker.errors.APIError as error:
            raise ContainerError(f"{node.name} could not be stopped: {_reason(error)}") from error
        return bool(was_running)

    def state(self, node: Node) -> NodeState:
        container = self._container(node)
        if container is None:
            return NodeState(False, "stopped")
        if container.status == "running":
            return NodeState(True, f"container {container.name}")
        if container.status == "restarting":
            return NodeState(False, f"container {container.name} ends and is started again")
        return NodeState(False, f"container {container.name} {container.status}")

    def log(self, node: Node, lines: int) -> list[str]:
        container = self._container(node)
        return [] if container is None else container.logs(tail=lines).decode(errors="replace").splitlines()

    def _container(self, node: Node) -> Any:
        """Return a node's container, None if there is none; raises ContainerError if it is another data folder's."""
        try:
            container = self._engine().containers.get(container_name(PROJECT, node))
        except docker.errors.NotFound:
            return None
        except (docker.errors.APIError, requests.exceptions.RequestException) as error:
            raise ContainerError(f"the docker engine does not answer: {_reason(error)}") from error
        folders = [mount.get("Source", "") for mount in container.attrs["Mounts"]]
        if not folders or not all(Path(folder).is_relative_to(self._data) for folder in folders):
            raise ContainerError(
                f"the container {container.name} is there and uses {', '.join(folders) or 'nothing of ours'}: one "
                "machine runs one consortium of containers; bring that one down first"
            )
        return container

    def _engine(self) -> Any:
        if self._client is None:
            try:
                self._client = docker.from_env()
                self._client.ping()
            except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
                self._client = None
                where = os.environ.get("DOCKER_HOST", "its usual socket")
                raise ContainerError(
                    f"no docker engine answers at {where}: start it, or choose another --engine ({_reason(error)})"
                ) from error
        return self._client

    def _fetch(self, kind: NodeKind, image: str) -> None:
        if kind in DOCKERFILES:
            raise ContainerError(
                f"the image {image} is not here: build it with `docker build -t {image} -f {DOCKERFILES[kind]} .`"
            )
        self._progress(f"fetching the image {image}")
        try:
            self._engine().images.pull(image)
        except (docker.errors.APIError, requests.exceptions.RequestException) as error:
            raise ContainerError(
                f"the image {image} is not here and could not be fetched: {_reason(error)}"
            ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().rpartition("\n")[2]
