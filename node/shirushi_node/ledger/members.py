"""The members of the embedded ledger, as their gateways see each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shirushi_core.fabric.block import bft_quorum
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.endorser import Endorser
from shirushi_node.ledger.proposals import SYSTEM_CHAINCODES


@dataclass(slots=True)
class Member:
    """One member's peer and orderer; stopped, it endorses, orders and answers nothing."""

    msp_id: str
    peer_address: str
    orderer_address: str
    endorser: Endorser
    running: bool = False


class Members:
    """All members of the channel."""

    def __init__(self, members: Sequence[Member], definitions: Mapping[str, ChaincodeDefinition]) -> None:
        self._members = {member.msp_id: member for member in members}
        self._definitions = definitions

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __getitem__(self, msp_id: str) -> Member:
        return self._members[msp_id]

    @property
    def ordering_quorum(self) -> int:
        """How many orderers must take a transaction."""
        return bft_quorum(len(self._members))

    @property
    def can_order(self) -> bool:
        """Whether enough orderers are running."""
        return sum(member.running for member in self) >= self.ordering_quorum

    def with_chaincode(self, name: str) -> dict[str, Member]:
        """Return the running members whose peers have a chaincode, by MSP id."""
        if name in SYSTEM_CHAINCODES:
            return {member.msp_id: member for member in self if member.running}
        definition = self._definitions.get(name)
        if definition is None:
            return {}
        servers = definition.backing if isinstance(definition.backing, Mapping) else None
        return {
            member.msp_id: member
            for member in self
            if member.running and (servers is None or member.msp_id in servers)
        }
