"""What a member's chaincode service is told: the variables in nodes/<member>/chaincode/service.env."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.nodes import NodePaths
from shirushi_network.member_keys import ANCHORS
from shirushi_network.topology import Member, listen_host

FILE = "service.env"
PACKAGE_ID = "CHAINCODE_ID"


def service_environment(member: Member, package_id: str, paths: NodePaths) -> dict[str, str]:
    """Return the variables of a member's service: mutual TLS with its own peer, operations on 127.0.0.1."""
    tls = paths.home(member) / "chaincodes" / ANCHORS / "tls"
    return {
        "CHAINCODE_SERVER_ADDRESS": f"{listen_host(member.chaincode.host)}:{member.chaincode.port}",
        PACKAGE_ID: package_id,
        "CHAINCODE_TLS_CERT_FILE": str(tls / "server.crt"),
        "CHAINCODE_TLS_KEY_FILE": str(tls / "server.key"),
        "CHAINCODE_TLS_CLIENT_CACERT_FILE": str(tls / "ca.crt"),
        "CHAINCODE_OPERATIONS_ADDRESS": f"127.0.0.1:{member.chaincode.operations_port}",
    }


def render_service_environment(variables: Mapping[str, str]) -> bytes:
    """Return the file form, a variable a line, as Docker and systemd read it too."""
    return "".join(f"{name}={value}\n" for name, value in variables.items()).encode()


def read_service_environment(folder: Path) -> dict[str, str]:
    """Read a service's variables; raises ConsortiumError naming the file."""
    path = folder / FILE
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConsortiumError(f"{path} cannot be read: {error.strerror}") from error
    return dict(line.split("=", 1) for line in lines if "=" in line)
