"""Who has approved and installed what the topology asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from shirushi_core.fabric.lifecycle import Definition
from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.deployment import Deployment
from shirushi_network.fabric.peer_admin import PeerError, open_peer
from shirushi_network.layout import Layout
from shirushi_network.member_access import identity_of, members_here, tls_roots
from shirushi_network.topology import Member, Topology


@dataclass(frozen=True, slots=True)
class MemberDeployment:
    """One member: whether it approved the wanted definition, and installed its package (None: not known from here)."""

    member_id: str
    approved: bool
    installed: bool | None


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """A chaincode on the channel: the committed definition, and each member's part in the wanted one."""

    name: str
    package_id: str
    committed: Definition | None
    members: Sequence[MemberDeployment]

    @property
    def approved_by_any(self) -> bool:
        """Whether any member has approved the wanted definition."""
        return any(member.approved for member in self.members)


async def deployment_status(layout: Layout, topology: Topology, wanted: Deployment) -> DeploymentStatus:
    """Ask the peers of this machine's members; raises ConsortiumError if none of them answers."""
    here = members_here(layout, topology.members)
    installed = dict(
        zip(
            [member.id for member in here],
            await asyncio.gather(*(_installed(layout, each) for each in here)),
            strict=True,
        )
    )
    committed, approvals = await _agreed(layout, topology, here, wanted.definition)
    members = []
    for member in topology.members:
        packages = installed.get(member.id)
        has = None if packages is None else wanted.package.package_id in packages
        members.append(MemberDeployment(member.id, approvals.get(member.msp_id, False), has))
    return DeploymentStatus(wanted.definition.name, wanted.package.package_id, committed, members)


async def _installed(layout: Layout, member: Member) -> dict[str, str] | None:
    try:
        async with open_peer(member, identity_of(layout, member, "admin"), tls_roots(layout, member)) as peer:
            return await peer.installed()
    except PeerError:
        return None


async def _agreed(
    layout: Layout, topology: Topology, here: Sequence[Member], wanted: Definition
) -> tuple[Definition | None, dict[str, bool]]:
    """Return the committed definition and the approvals of the wanted one, from the first peer here that answers."""
    problem: ConsortiumError = ConsortiumError(f"no member's keys are in {layout.members}")
    for member in here:
        try:
            async with open_peer(
                member, identity_of(layout, member, "admin"), tls_roots(layout, member)
            ) as peer:
                committed = await peer.committed(topology.channel, wanted.name)
                if committed is not None and committed.definition.sequence == wanted.sequence:
                    return committed.definition, dict(committed.approvals)
                approvals = await peer.readiness(topology.channel, wanted)
                return (None if committed is None else committed.definition), approvals
        except PeerError as error:
            problem = error
    raise problem
