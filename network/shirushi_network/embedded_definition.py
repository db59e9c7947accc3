"""The embedded ledger's definition of the anchors chaincode, noted on its chain as Fabric's members commit theirs.

Witnesses read from it by which version of the rules logs are derived, from the block on that has it.
"""

from __future__ import annotations

from shirushi_client.gateway import CallOptions, CommitError, GatewayError
from shirushi_core.fabric.lifecycle import LIFECYCLE, Definition, commit_args, definition
from shirushi_network.engine import Progress
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.member_access import admin_contract, members_here
from shirushi_network.member_keys import ANCHORS
from shirushi_network.topology import MAJORITY, AnchorsDefinition, Topology
from shirushi_node.ledger.system.lifecycle import ALREADY_COMMITTED

_OPTIONS = CallOptions(timeout=20.0)


def anchors_definition(wanted: AnchorsDefinition) -> Definition:
    """Return what the topology says of the anchors chaincode, as a definition."""
    endorsement = None if wanted.endorsement == MAJORITY else wanted.endorsement
    return definition(ANCHORS, wanted.version, wanted.sequence, endorsement)


async def note_definition(layout: Layout, topology: Topology, progress: Progress) -> None:
    """Have the topology's definition committed, unless the chain has it; raises ConsortiumError."""
    wanted = anchors_definition(topology.anchors)
    function, argument = commit_args(wanted)
    first = members_here(layout, topology.members)[0]
    what = f"{ANCHORS} {wanted.version}, sequence {wanted.sequence}"
    try:
        async with admin_contract(layout, topology, first, LIFECYCLE) as contract:
            await contract.submit(function.decode(), arguments=[argument], options=_OPTIONS)
    except (GatewayError, CommitError) as error:
        if f"{ALREADY_COMMITTED} {wanted.sequence} of" in str(error):
            return
        raise ConsortiumError(f"the definition of {what}, could not be committed: {error}") from error
    progress(f"committed {what}")
