"""What the channel runs: packages installed, definitions approved by each member and committed by a majority.

Everything goes through the members' own peers. Each step looks first at what is there, so that it can be done again, by
each member on its own machine, in any order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import grpc
from fabric_protos.peer import transaction_pb2

from shirushi_client.gateway import CallOptions, CommitError, GatewayError
from shirushi_core.fabric.lifecycle import (
    LIFECYCLE,
    Definition,
    approve_args,
    commit_args,
    definition,
)
from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.chaincode_package import ChaincodePackage, ccaas_package
from shirushi_network.fabric.peer_admin import ApprovalLostError, open_peer
from shirushi_network.layout import Layout
from shirushi_network.member_access import admin_contract, identity_of, tls_roots
from shirushi_network.member_keys import ANCHORS
from shirushi_network.topology import MAJORITY, AnchorsDefinition, Member, Topology

SUBMIT_SECONDS = 30.0
DISCOVERY_SECONDS = 60.0
"""How long peers that have just joined may take to find each other by gossip."""

SETTLING_SECONDS = 15.0
"""How long a peer may take to commit a block that others have committed already."""

RETRY_SECONDS = 0.5

# What a gateway answers while its peer does not know the others yet, or orderers have no leader.
_PASSING = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNAVAILABLE,
    }
)

_BEHIND = "chaincode definition not agreed to by this org"
"""What a peer answers that has not committed yet the approval that others know of."""


class DeploymentError(ConsortiumError):
    """A chaincode that could not be installed, approved or committed as the topology says."""


class WaitingError(DeploymentError):
    """Members that are needed do not answer yet: too few orderers, or peers that have not found each other."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A chaincode to run: what is installed at each peer, and what members approve."""

    package: ChaincodePackage
    definition: Definition


def anchors_package(wanted: AnchorsDefinition) -> ChaincodePackage:
    """Return the package of the anchors chaincode: the same at every member, for each has a server of its own."""
    return ccaas_package(f"{ANCHORS}_{wanted.version}")


def deployments(topology: Topology, servers: Mapping[str, str]) -> list[Deployment]:
    """Return what a consortium runs: the anchors chaincode, and others at servers of their own (name → address)."""
    anchors = topology.anchors
    endorsement = None if anchors.endorsement == MAJORITY else anchors.endorsement
    own = Deployment(
        anchors_package(anchors), definition(ANCHORS, anchors.version, anchors.sequence, endorsement)
    )
    others = [
        Deployment(ccaas_package(f"{name}_1.0", address), definition(name, "1.0", 1, None))
        for name, address in servers.items()
    ]
    return [own, *others]


async def install(layout: Layout, member: Member, package: ChaincodePackage) -> bool:
    """Install a package at a member's peer; False if it is there. Raises PeerError."""
    admin = identity_of(layout, member, "admin")
    async with open_peer(member, admin, tls_roots(layout, member)) as peer:
        if package.package_id in await peer.installed():
            return False
        await peer.install(package.content)
    return True


async def approve(layout: Layout, topology: Topology, member: Member, wanted: Deployment) -> bool:
    """Approve a definition for a member; False if it has approved just that. Raises ConsortiumError."""
    if await _is_approved(layout, topology, member, wanted):
        return False
    function, argument = approve_args(wanted.definition, wanted.package.package_id)
    try:
        await _submit(layout, topology, member, function, argument, [member.msp_id], SUBMIT_SECONDS)
    except DeploymentError:
        # An earlier attempt that nobody answered may have been ordered all the same.
        if not await _is_approved(layout, topology, member, wanted):
            raise
    return True


async def _is_approved(layout: Layout, topology: Topology, member: Member, wanted: Deployment) -> bool:
    name, sequence = wanted.definition.name, wanted.definition.sequence
    admin = identity_of(layout, member, "admin")
    async with open_peer(member, admin, tls_roots(layout, member)) as peer:
        committed = await peer.committed(topology.channel, name)
        _check_sequence(wanted.definition, committed.definition if committed else None)
        try:
            approved = await peer.approved(topology.channel, name, sequence)
        except ApprovalLostError:
            # It can neither be read nor made again under this sequence; the hashes on the ledger say that it was made.
            return True
    return approved is not None and (approved.definition, approved.package_id) == (
        wanted.definition,
        wanted.package.package_id,
    )


async def approvals(
    layout: Layout, topology: Topology, member: Member, wanted: Definition
) -> dict[str, bool] | None:
    """Return MSP id → whether it approved a definition, as a member's peer knows; None once it is committed."""
    client = identity_of(layout, member, "admin")
    async with open_peer(member, client, tls_roots(layout, member)) as peer:
        committed = await peer.committed(topology.channel, wanted.name)
        if committed is not None and committed.definition.sequence >= wanted.sequence:
            return None
        return await peer.readiness(topology.channel, wanted)


async def commit(layout: Layout, topology: Topology, member: Member, wanted: Definition) -> None:
    """Commit a definition that a majority has approved, endorsed by those who did; raises ConsortiumError."""
    agreed = await approvals(layout, topology, member, wanted)
    if agreed is None:
        return
    approving = sorted(msp_id for msp_id, approved in agreed.items() if approved)
    if len(approving) < topology.majority:
        missing = ", ".join(each.name_en for each in topology.members if not agreed.get(each.msp_id))
        raise DeploymentError(
            f"{wanted.name} {wanted.version}, sequence {wanted.sequence}, is approved by {len(approving)} of "
            f"{len(agreed)} members; {topology.majority} are needed. Not yet: {missing}"
        )
    function, argument = commit_args(wanted)
    try:
        await _submit(layout, topology, member, function, argument, approving, DISCOVERY_SECONDS)
    except DeploymentError:
        # Another member, on its own machine, may have committed it at the same moment; this peer hears of it last.
        if not await _becomes_committed(layout, topology, member, wanted):
            raise


async def _becomes_committed(layout: Layout, topology: Topology, member: Member, wanted: Definition) -> bool:
    """Say whether a member's own peer commits, within SETTLING_SECONDS, a definition that it does not have yet."""
    try:
        async with asyncio.timeout(SETTLING_SECONDS):
            while True:
                if await approvals(layout, topology, member, wanted) is None:
                    return True
                await asyncio.sleep(RETRY_SECONDS)
    except TimeoutError:
        return False


async def deploy(
    layout: Layout,
    topology: Topology,
    members: Sequence[Member],
    wanted: Deployment,
    progress: Callable[[str], None],
) -> bool:
    """Install and approve at the members of this machine, and commit once a majority has approved.

    Returns whether the definition is committed; members elsewhere may still have to approve. Raises ConsortiumError.
    """
    what = f"{wanted.definition.name} {wanted.definition.version}"
    installed = await asyncio.gather(*(install(layout, member, wanted.package) for member in members))
    if any(installed):
        progress(f"installed {what} at {sum(installed)} peers")
    approved = await asyncio.gather(*(approve(layout, topology, member, wanted) for member in members))
    if any(approved):
        progress(f"approved {what}, sequence {wanted.definition.sequence}, for {sum(approved)} members")
    agreed = await _agreed(layout, topology, members, wanted.definition)
    if agreed is None:
        return True
    if sum(agreed.values()) < topology.majority:
        progress(
            f"{what} is approved by {sum(agreed.values())} of {len(agreed)} members; "
            f"{topology.majority} are needed before it can be committed"
        )
        return False
    await commit(layout, topology, members[0], wanted.definition)
    progress(f"committed {what}, sequence {wanted.definition.sequence}")
    return True


async def _agreed(
    layout: Layout, topology: Topology, members: Sequence[Member], wanted: Definition
) -> dict[str, bool] | None:
    """Return the approvals once the first member's peer knows of all that were made here."""
    here = {member.msp_id for member in members}
    try:
        async with asyncio.timeout(DISCOVERY_SECONDS):
            while True:
                agreed = await approvals(layout, topology, members[0], wanted)
                if agreed is None or all(agreed.get(msp_id) for msp_id in here):
                    return agreed
                await asyncio.sleep(RETRY_SECONDS)
    except TimeoutError:
        raise WaitingError(
            f"the peer of {members[0].name_en} has not seen what was approved of {wanted.name} within "
            f"{DISCOVERY_SECONDS:.0f} s"
        ) from None


def _check_sequence(wanted: Definition, committed: Definition | None) -> None:
    """Raise DeploymentError unless a definition is the committed one or the next."""
    sequence = committed.sequence if committed else 0
    what = f"topology.toml asks for sequence {wanted.sequence} of {wanted.name}"
    if wanted.sequence not in (sequence, sequence + 1) or wanted.sequence == 0:
        raise DeploymentError(
            f"{what} and the channel is at {sequence}: expected {sequence or 1} or {sequence + 1}"
        )
    if committed is not None and wanted.sequence == sequence and not wanted.same_content(committed):
        raise DeploymentError(
            f"{what}, which is committed with other content (version {committed.version}): a new version or "
            f"policy takes sequence {sequence + 1}"
        )


def _may_pass(error: GatewayError | CommitError) -> bool:
    """Say whether a refusal passes: for lack of peers or orderers, or because others change the same at the same moment."""
    if isinstance(error, CommitError):
        return error.code == int(transaction_pb2.MVCC_READ_CONFLICT)
    return error.code in _PASSING and not any(
        "chaincode response" in detail.message and _BEHIND not in detail.message for detail in error.details
    )


async def _submit(
    layout: Layout,
    topology: Topology,
    member: Member,
    function: bytes,
    argument: bytes,
    organizations: Sequence[str],
    patience: float,
) -> None:
    """Submit a lifecycle transaction, again while what hinders it passes; raises DeploymentError."""
    options = CallOptions(timeout=SUBMIT_SECONDS)
    name = function.decode()
    last: GatewayError | CommitError | None = None
    try:
        async with (
            asyncio.timeout(patience),
            admin_contract(layout, topology, member, LIFECYCLE) as contract,
        ):
            while True:
                try:
                    await contract.submit(
                        name,
                        arguments=[argument],
                        endorsing_organizations=organizations,
                        options=options,
                    )
                    return
                except (GatewayError, CommitError) as error:
                    if not _may_pass(error):
                        raise
                    last = error
                await asyncio.sleep(RETRY_SECONDS)
    except TimeoutError:
        raise WaitingError(
            f"{name} of {member.name_en} did not go through: {last or 'no answer in time'}"
        ) from None
    except (GatewayError, CommitError) as error:
        raise DeploymentError(f"{name} of {member.name_en} was refused: {error}") from error
