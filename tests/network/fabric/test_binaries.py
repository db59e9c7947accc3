"""Finding Fabric's programs, and refusing those that cannot serve; the programs here are stand-ins that say a version."""

from __future__ import annotations

from pathlib import Path

import pytest

from shirushi_network.fabric.binaries import BinariesError, find_binaries, parse_version


def install(
    folder: Path, version: str | None = "v3.1.5", names: tuple[str, ...] = ("orderer", "peer")
) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        said = (
            "echo hello"
            if version is None
            else f"printf '{name}:\\n Version: {version}\\n Go version: go1\\n'"
        )
        (folder / name).write_text(f"#!/bin/sh\n{said}\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_named_folder_counts_before_the_variable_and_that_before_the_path(tmp_path: Path) -> None:
    named, variable, path = (install(tmp_path / name) for name in ("named", "variable", "path"))
    environment = {"FABRIC_BIN": str(variable), "PATH": str(path)}
    assert find_binaries(named, environment).peer == named / "peer"
    assert find_binaries(None, environment).peer == variable / "peer"
    assert find_binaries(None, {"PATH": str(path)}).orderer == path / "orderer"


def test_a_missing_program_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    folder = install(tmp_path / "bin", names=("orderer",))
    with pytest.raises(
        BinariesError, match=r"^Fabric's peer is not in .*/bin: install Hyperledger Fabric 3\.1 or later"
    ):
        find_binaries(folder, {"PATH": str(install(tmp_path / "path"))})
    with pytest.raises(BinariesError, match="Fabric's orderer is not on PATH, nor in FABRIC_BIN"):
        find_binaries(None, {"PATH": str(tmp_path)})


@pytest.mark.parametrize("version", ["v2.5.12", "3.0.0", "v1.4.12"])
def test_a_version_too_old_is_named(tmp_path: Path, version: str) -> None:
    with pytest.raises(
        BinariesError, match=rf"orderer is version {version.lstrip('v')}: expected .* 3\.1 or later"
    ):
        find_binaries(install(tmp_path / "bin", version), {})


def test_a_program_that_is_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BinariesError, match="does not say its version"):
        find_binaries(install(tmp_path / "bin", None), {})


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("peer:\n Version: v3.1.5\n Commit SHA: 1", ("3.1.5", (3, 1))),
        ("orderer:\n Version: 4.0.0-beta\n", ("4.0.0-beta", (4, 0))),
        ("Version: latest", None),
        ("", None),
    ],
)
def test_versions_are_read(output: str, version: tuple[str, tuple[int, int]] | None) -> None:
    assert parse_version(output) == version
