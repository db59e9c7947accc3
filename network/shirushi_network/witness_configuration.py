"""What a member's witness is told: witness.json, rendered from the topology and the members' bundles.

The file holds nothing secret: it names where the keys are, as the witness itself sees them. So one rendering does for a
process and for a container, which sees no other member's folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_access import tls_roots
from shirushi_network.member_bundle import check_entry, public_bundle_of
from shirushi_network.member_parts import WITNESS_FOLDER
from shirushi_network.topology import Member, Topology, listen_host
from shirushi_network.witness_settings import FILE

GENESIS = "genesis.block"
DATA = "data"


def witness_configuration(
    layout: Layout,
    topology: Topology,
    member: Member,
    *,
    home: PurePath,
    data: PurePath,
    genesis: PurePath,
    policy: PurePath | None = None,
) -> dict[str, Any]:
    """Return the configuration of a member's witness.

    `home` is the member's folder, `data` where it keeps its log, `genesis` the genesis block, and `policy` the trust policy file that it
    serves, as the witness sees them. Raises BundleError for a bundle
    that is missing or of another topology, MemberKeysError, ConsortiumError if the member runs no witness.
    """
    if member.witness is None:
        raise ConsortiumError(f"{member.id} runs no witness: topology.toml has none for it")
    witnesses = [each for each in topology.members if each.witness is not None]
    return {
        "ledger": topology.channel,
        "member": member.id,
        "msp_id": member.msp_id,
        "quorum": min(topology.quorum, len(witnesses)),
        "listen": {"host": listen_host(member.witness.host), "port": member.witness.port},
        "keys": str(home / WITNESS_FOLDER),
        "identity": str(home / "users" / "client" / "msp"),
        "genesis": str(genesis),
        "data": str(data),
        "policy": None if policy is None else str(policy),
        "peer": {"address": member.peer.address, "tls_roots": tls_roots(layout, member).decode()},
        "others": [_other(layout, topology, each) for each in witnesses if each.id != member.id],
    }


def hand_out_policy(layout: Layout) -> None:
    """Put the trust policy, and what is kept of earlier versions, where witnesses of this folder serve them from.

    A container sees its own folder only, and of a file that is mounted no newer one: so each node's folder has a copy.
    """
    files = [layout.trust_policy, *layout.root.glob(f"{layout.trust_policy.stem}.v*.json")]
    for folder in layout.nodes.glob("*/witness"):
        for file in files:
            if file.is_file() and folder.is_dir():
                write_atomically(folder / file.name, file.read_bytes())


def write_configuration(folder: Path, configuration: Mapping[str, Any], genesis: bytes) -> None:
    """Write what a witness reads from its own folder."""
    content = json.dumps(configuration, ensure_ascii=False, indent=2).encode() + b"\n"
    write_atomically(folder / FILE, content)
    path = folder / GENESIS
    if not path.exists() or path.read_bytes() != genesis:
        write_atomically(path, genesis)


def _other(layout: Layout, topology: Topology, member: Member) -> dict[str, Any]:
    bundle = public_bundle_of(layout, member)
    check_entry(bundle, member)
    if bundle.witness is None or member.witness is None:
        raise ConsortiumError(f"the bundle of {member.id} has no witness keys")
    return {
        "member": member.id,
        "name_en": member.name_en,
        "url": member.witness.url,
        "tls_root": tls_roots(layout, member).decode(),
        "cosigner": str(bundle.witness.cosigner_key(topology.channel, member.id)),
    }
