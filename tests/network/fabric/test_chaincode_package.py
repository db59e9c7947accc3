"""Chaincode packages, and the external builder that takes them in."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from shirushi_core.errors import InvalidInputError
from shirushi_network.fabric.builder import write_builder
from shirushi_network.fabric.chaincode_package import ccaas_package


def files(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=BytesIO(gzip.decompress(content))) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]


def test_the_same_content_is_the_same_package_everywhere() -> None:
    package = ccaas_package("anchors_1.0")
    assert package == ccaas_package("anchors_1.0")
    assert package.package_id == f"anchors_1.0:{hashlib.sha256(package.content).hexdigest()}"
    assert package.package_id == (
        "anchors_1.0:3b9a8f08dfb96585eea978fd9540fc66cc5c734696be90ae202d8838e11d59c3"
    )


def test_a_package_says_its_type_and_label_and_where_its_server_is() -> None:
    outer = files(ccaas_package("basic_1.0", "127.0.0.1:9999").content)
    assert json.loads(outer["metadata.json"]) == {"label": "basic_1.0", "type": "ccaas"}
    inner = files(outer["code.tar.gz"])
    assert json.loads(inner["connection.json"]) == {
        "address": "127.0.0.1:9999",
        "dial_timeout": "10s",
        "tls_required": False,
    }


@pytest.mark.parametrize("label", ["", "a b", "a/b", "-a", "a\n"])
def test_a_label_fabric_would_refuse_is_refused(label: str) -> None:
    with pytest.raises(InvalidInputError, match="is no package label"):
        ccaas_package(label)


class Build:
    """One run of the builder's scripts as a peer runs them."""

    def __init__(self, root: Path, kind: str = "ccaas", label: str = "basic_1.0") -> None:
        self.builder, self.source, self.metadata = root / "builder", root / "source", root / "metadata"
        self.output, self.release_folder = root / "output", root / "release"
        for folder in (self.source, self.metadata, self.output, self.release_folder):
            folder.mkdir()
        write_builder(self.builder)
        (self.metadata / "metadata.json").write_text(json.dumps({"type": kind, "label": label}))
        (self.source / "connection.json").write_text('{"address":"package"}')

    def run(self, script: str, *folders: Path) -> int:
        command = [self.builder / "bin" / script, *folders]
        return subprocess.run(command, cwd="/", env={"PATH": "/usr/bin:/bin"}, timeout=30).returncode

    def build(self) -> Path:
        assert self.run("detect", self.source, self.metadata) == 0
        assert self.run("build", self.source, self.metadata, self.output) == 0
        assert self.run("release", self.output, self.release_folder) == 0
        return self.release_folder / "chaincode" / "server" / "connection.json"


def test_the_builder_takes_chaincode_as_a_service_only(tmp_path: Path) -> None:
    build = Build(tmp_path, kind="golang")
    assert build.run("detect", build.source, build.metadata) != 0


def test_the_package_s_own_connection_counts_where_the_member_has_none(tmp_path: Path) -> None:
    assert json.loads(Build(tmp_path).build().read_bytes()) == {"address": "package"}


def test_the_member_s_connection_counts_before_the_package_s_and_stays_private(tmp_path: Path) -> None:
    build = Build(tmp_path)
    (build.builder / "connections").mkdir()
    (build.builder / "connections" / "basic_1.0.json").write_text('{"address":"own"}')
    (build.builder / "connections" / "basic_1.1.json").write_text('{"address":"other"}')
    released = build.build()
    assert json.loads(released.read_bytes()) == {"address": "own"}
    assert released.stat().st_mode & 0o077 == 0


def test_indexes_of_a_package_are_released(tmp_path: Path) -> None:
    build = Build(tmp_path)
    (build.source / "META-INF" / "statedb" / "couchdb").mkdir(parents=True)
    build.build()
    assert (build.release_folder / "statedb" / "couchdb").is_dir()
