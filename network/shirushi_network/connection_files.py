"""What clients find a consortium by: the connection file, and a profile for each identity (docs/formats/connection.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_of, is_here
from shirushi_network.topology import Member, Topology

VERIFIER = "verifier"
ISSUER = "issuer"


def write_connection(layout: Layout, topology: Topology) -> bool:
    """Write the connection file: members, peers, witnesses, TLS roots, quorum; returns whether anything changed.

    What an operator set beside, such as a `tls_name`, stays with its member. The TLS roots of members elsewhere are
    written out of their bundles. Raises BundleError for a bundle that cannot be read.
    """
    before = _read(layout.connection)
    known = {each.get("id"): each for each in before.get("members", []) if isinstance(each, dict)}
    members = [
        {"tls_name": None}
        | known.get(member.id, {})
        | {
            "id": member.id,
            "msp_id": member.msp_id,
            "name": {"en": member.name_en, "ja": member.name_ja},
            "peer": f"{member.peer.address}",
            "tls_root": _tls_root(layout, member),
            "witness": None
            if member.witness is None
            else {"tls_root": _tls_root(layout, member), "url": member.witness.url},
        }
        for member in topology.members
    ]
    after = before | {
        "channel": topology.channel,
        "format": "shirushi/connection/v1",
        "members": members,
        "quorum": topology.quorum,
    }
    if after == before:
        return False
    _write(layout, layout.connection.name, after)
    return True


def write_profiles(layout: Layout, topology: Topology) -> None:
    """Write the profiles of the members here: the city's issuer, a verifier, and admins; what is there is kept."""
    layout.users.mkdir(mode=0o700, exist_ok=True)
    here = [member for member in topology.members if is_here(layout, member)]
    profiles = {f"admin-{member.id}": _identity(member, "admin") for member in here}
    city = topology.member(topology.issuer.member)
    if city in here:
        profiles[ISSUER] = _identity(city, "issuer") | {
            "issuer": topology.issuer.id,
            "seal_key": f"members/{city.id}/users/issuer/seal/key.pem",
        }
    if here:
        profiles[VERIFIER] = _identity(city if city in here else here[0], "client")
    for name, profile in profiles.items():
        path = layout.users / f"{name}.json"
        if not path.exists():
            _write(layout, f"users/{name}.json", profile)


def _tls_root(layout: Layout, member: Member) -> str:
    """Return the file of a member's TLS roots; of one elsewhere it is written first, if it changed."""
    if is_here(layout, member):
        return f"members/{member.id}/tlsca/cert.pem"
    path = layout.bundles / f"{member.id}.tlsca.pem"
    bundle = bundle_of(layout, member)
    roots = b"".join((*bundle.tls_ca_certificates, *bundle.tls_intermediate_certificates))
    if not path.exists() or path.read_bytes() != roots:
        write_atomically(path, roots)
    return f"{layout.bundles.name}/{path.name}"


def _read(path: Path) -> dict[str, Any]:
    """Return a connection file's content, nothing if there is none or it cannot be read."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


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
