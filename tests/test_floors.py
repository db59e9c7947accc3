"""The floors of the design: each imports only what stands below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ALLOWED = {
    "core/shirushi_core": {"shirushi_core"},
    "chaincode/shirushi_chaincode": {"shirushi_core", "shirushi_chaincode"},
    "client/shirushi_client": {"shirushi_core", "shirushi_client"},
    "node/shirushi_node": {"shirushi_core", "shirushi_chaincode", "shirushi_client", "shirushi_node"},
    "network/shirushi_network": {
        "shirushi_core",
        "shirushi_chaincode",
        "shirushi_client",
        "shirushi_node",
        "shirushi_network",
    },
    "benchmarks/shirushi_benchmarks": {
        "shirushi_core",
        "shirushi_chaincode",
        "shirushi_client",
        "shirushi_node",
        "shirushi_network",
        "shirushi_benchmarks",
    },
}


def imported_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield node.module or ""


def ours(folder: str) -> Iterator[tuple[Path, str]]:
    for file in sorted((ROOT / folder).rglob("*.py")):
        for module in imported_modules(file):
            if module.startswith("shirushi_"):
                yield file, module


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_floor_imports_only_what_it_stands_on(folder: str) -> None:
    found = list(ours(folder))
    strays = [
        f"{file.relative_to(ROOT)}: {module}"
        for file, module in found
        if module.split(".")[0] not in ALLOWED[folder]
    ]
    assert strays == []


def test_proofs_know_nothing_of_fabric() -> None:
    strays = [
        f"{file.name}: {module}"
        for file in sorted((ROOT / "core/shirushi_core/proofs").rglob("*.py"))
        for module in imported_modules(file)
        if module.startswith(("shirushi_core.fabric", "fabric_protos", "grpc"))
    ]
    assert strays == []


def test_core_does_no_input_or_output_and_knows_no_clock() -> None:
    forbidden = {
        "asyncio",
        "io",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "subprocess",
        "time",
        "grpc",
    }
    strays = [
        f"{file.relative_to(ROOT)}: {module}"
        for file in sorted((ROOT / "core/shirushi_core").rglob("*.py"))
        for module in imported_modules(file)
        if module.split(".")[0] in forbidden
    ]
    assert strays == []


def test_the_embedded_ledger_does_not_know_the_anchors_contract() -> None:
    strays = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "node/shirushi_node/ledger").rglob("*.py"))
        if "shirushi_core.proofs" in file.read_text(encoding="utf-8")
    ]
    assert strays == []


def test_the_gateway_client_does_not_know_the_anchors_contract() -> None:
    strays = [
        f"{file.relative_to(ROOT)}: {module}"
        for file in sorted((ROOT / "client/shirushi_client/gateway").rglob("*.py"))
        for module in imported_modules(file)
        if module.startswith("shirushi_core.proofs")
        or (module.startswith("shirushi_client") and not module.startswith("shirushi_client.gateway"))
    ]
    assert strays == []
