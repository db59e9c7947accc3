"""What clients find a consortium by: the connection file, and a profile for each identity (docs/formats/connection.md)."""

from __future__ import annotations

import json
from typing import Any

from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.topology import Member, Topology

VERIFIER = "verifier"
ISSUER = "issuer"


def write_connection(layout: Layout, topology: Topology) -> None:
    """Write the connection file: members, endpoints, TLS roots, quorum."""
    members = [
        {
            "id": member.id,
            "msp_id": member.msp_id,
            "name": {"en": member.name_en, "ja": member.name_ja},
            "peer": f"{member.peer.address}",
            "tls_name": None,
            "tls_root": f"members/{member.id}/tlsca/cert.pem",
        }
        for member in topology.members
    ]
    _write(
        layout,
        "consortium.json",
        {
            "channel": topology.channel,
            "format": "shirushi/connection/v1",
            "members": members,
            "quorum": topology.quorum,
        },
    )


def write_profiles(layout: Layout, topology: Topology) -> None:
    """Write the profiles: the city's issuer, a verifier, and each member's admin."""
    layout.users.mkdir(mode=0o700, exist_ok=True)
    city = topology.member(topology.issuer.member)
    issuer = _identity(city, "issuer") | {
        "issuer": topology.issuer.id,
        "seal_key": f"members/{city.id}/users/issuer/seal/key.pem",
    }
    _write(layout, f"users/{ISSUER}.json", issuer)
    _write(layout, f"users/{VERIFIER}.json", _identity(city, "client"))
    for member in topology.members:
        _write(layout, f"users/admin-{member.id}.json", _identity(member, "admin"))


def _identity(member: Member, user: str) -> dict[str, Any]:
    msp = f"members/{member.id}/users/{user}/msp"
    return {
        "certificate": f"{msp}/signcerts/cert.pem",
        "key": f"{msp}/keystore/priv_sk",
        "member": member.id,
        "msp_id": member.msp_id,
    }


def _write(layout: Layout, name: str, value: dict[str, Any]) -> None:
    data = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"
    write_atomically(layout.root / name, data)
