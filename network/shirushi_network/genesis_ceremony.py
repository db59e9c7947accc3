"""The genesis block out of everybody's bundles: each checked, the block the same bytes on every member's machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fabric_protos.common import common_pb2

from shirushi_core.fabric.genesis import MemberBundle, genesis_block
from shirushi_network.bundle_checks import check_bundle, check_distinct
from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import (
    BundleError,
    PublicBundle,
    bundle_path,
    is_here,
    public_bundle_of,
)
from shirushi_network.topology import Topology


class GenesisExistsError(ConsortiumError):
    """Another genesis block is in the place of the one to write."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """A member's bundle, and whether its keys are on this machine."""

    bundle: PublicBundle
    local: bool


def collect(layout: Layout, topology: Topology, now: datetime) -> list[Contribution]:
    """Return every member's bundle, checked, in the topology's order; raises BundleError, also naming all that miss."""
    missing = [
        member.id
        for member in topology.members
        if not is_here(layout, member) and not bundle_path(layout, member).exists()
    ]
    if missing:
        raise BundleError(
            f"no bundle of {', '.join(missing)}: ask each for the file that `shirushi member export` writes there, and "
            "give it to `shirushi member add`"
        )
    found = []
    for member in topology.members:
        bundle = public_bundle_of(layout, member)
        check_bundle(bundle, member, now)
        found.append(Contribution(bundle, is_here(layout, member)))
    check_distinct([each.bundle for each in found])
    return found


def build(topology: Topology, bundles: Sequence[MemberBundle]) -> common_pb2.Block:
    """Return the genesis block; the same topology and bundles, in its order, give the same block."""
    return genesis_block(topology.channel, bundles, topology.blocks, topology.bft)


def write_genesis(path: Path, block: common_pb2.Block, *, force: bool, has_ledger: bool) -> bool:
    """Write the block and say whether the file changed; a different one is replaced by `force` only.

    And not even so if it `has_ledger`, one that began with it. Raises GenesisExistsError, OSError.
    """
    data = block.SerializeToString(deterministic=True)
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = None
    if found == data:
        return False
    if has_ledger:
        raise GenesisExistsError(
            f"{path} {'is missing' if found is None else 'is another block'} and there is a ledger: put the block "
            "back that the ledger began with, or use another data folder"
        )
    if found is not None and not force:
        raise GenesisExistsError(
            f"{path} is another block: a member's bundle or the topology has changed since; if the channel has not begun "
            "anywhere, replace it with --force"
        )
    write_atomically(path, data)
    return True
