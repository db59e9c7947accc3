"""Speaking to members' nodes with the keys that are on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import grpc
import grpc.aio

from shirushi_client.gateway import Contract, Identity, connect, signers
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_of, is_here
from shirushi_network.member_keys import load_signing_identity
from shirushi_network.topology import Member, Topology


def members_here(layout: Layout, members: Iterable[Member]) -> list[Member]:
    """Return the members whose keys are on this machine."""
    return [member for member in members if is_here(layout, member)]


def identity_of(layout: Layout, member: Member, user: str) -> SigningIdentity:
    """Return a user of a member of this machine; raises MemberKeysError."""
    return load_signing_identity(layout.members / member.id / "users" / user / "msp", member.msp_id)


def asking_identity(layout: Layout, topology: Topology, member: Member) -> SigningIdentity:
    """Return who asks a member's nodes: its own client, else that of a member that is here. Raises ConsortiumError."""
    here = members_here(layout, topology.members)
    if not here:
        raise ConsortiumError(
            f"no member's keys are in {layout.members}: make them with `shirushi member init`"
        )
    return identity_of(layout, member if member in here else here[0], "client")


def tls_roots(layout: Layout, member: Member) -> bytes:
    """Return the PEM roots of a member's TLS certificates, and the CAs below; raises BundleError, MemberKeysError."""
    bundle = bundle_of(layout, member)
    return b"".join((*bundle.tls_ca_certificates, *bundle.tls_intermediate_certificates))


@asynccontextmanager
async def admin_contract(
    layout: Layout, topology: Topology, member: Member, chaincode: str
) -> AsyncIterator[Contract]:
    """Give a chaincode as one member's admin calls it, at that member's own peer."""
    signing = identity_of(layout, member, "admin")
    credentials = grpc.ssl_channel_credentials(tls_roots(layout, member))
    async with grpc.aio.secure_channel(member.peer.address, credentials) as channel:
        identity = Identity(member.msp_id, signing.identity.certificate_pem)
        async with connect(channel, identity, signers.from_private_key(signing.key)) as gateway:
            yield gateway.get_network(topology.channel).get_contract(chaincode)
