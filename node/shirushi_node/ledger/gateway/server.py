"""What the calls of one member's gateway stand on."""

from __future__ import annotations

from dataclasses import dataclass, field

from shirushi_node.ledger.blocks import EventReader
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.gateway.planning import Planner
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.limits import Limits
from shirushi_node.ledger.members import Member, Members
from shirushi_node.ledger.proposals import ProposalChecker


@dataclass(frozen=True, slots=True)
class Gateway:
    """One member's gateway: its own peer, the other members, the channel."""

    own: Member
    members: Members
    channel: Channel
    planner: Planner
    checker: ProposalChecker
    events: EventReader
    clock: Clock
    limits: Limits = field(default_factory=Limits)
