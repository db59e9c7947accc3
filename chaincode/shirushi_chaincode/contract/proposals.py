"""Proposals to register, change or retire an issuer, and how many members approve of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shirushi_chaincode.contract import keys, state
from shirushi_core.fabric.chaincode import Stub
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_proposal import proposal_id

_FIELDS = frozenset({"proposal_id", "proposed_at", "proposed_by", "record", "state"})


class ProposalState(StrEnum):
    """Where a proposal stands. `stale` is never stored: it follows from the issuer's present record."""

    OPEN = "open"
    ADOPTED = "adopted"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed issuer record.

    JSON: {"proposal_id": hex, "proposed_at": unix s, "proposed_by": MSP id, "record": {...}, "state": "open"|"adopted"|"stale"}.
    """

    record: IssuerRecord
    proposed_by: str
    proposed_at: int
    state: ProposalState = ProposalState.OPEN

    @property
    def proposal_id(self) -> bytes:
        """The id, which the record alone gives."""
        return proposal_id(self.record)

    @property
    def lists_types(self) -> bool:
        """Whether the record lists the document types that its issuer may issue."""
        return self.record.document_types is not None

    def in_state(self, state: ProposalState) -> Proposal:
        """Return the same proposal in another state."""
        return dataclasses.replace(self, state=state)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "proposal_id": self.proposal_id.hex(),
            "proposed_at": self.proposed_at,
            "proposed_by": self.proposed_by,
            "record": self.record.to_json(),
            "state": self.state.value,
        }

    @classmethod
    def from_json(cls, value: Json) -> Proposal:
        """Parse what the contract wrote; raises InvalidInputError."""
        members = fields.an_object(value, "proposal", _FIELDS)
        return cls(
            record=IssuerRecord.from_json(members["record"]),
            proposed_by=fields.a_text(members["proposed_by"], "proposal: proposed_by"),
            proposed_at=fields.an_integer(members["proposed_at"], "proposal: proposed_at"),
            state=fields.a_member(members["state"], "proposal: state", ProposalState),
        )


def present_state(proposal: Proposal, issuer: IssuerRecord | None) -> ProposalState:
    """Return where a proposal stands, given the issuer's present record: an overtaken one is stale.

    So is one from before records listed document types: it would let its issuer issue any.
    """
    if proposal.state is not ProposalState.OPEN:
        return proposal.state
    is_overtaken = issuer is not None and issuer.sequence >= proposal.record.sequence
    return ProposalState.STALE if is_overtaken or not proposal.lists_types else ProposalState.OPEN


async def approvals(stub: Stub, proposal_id: bytes, channel_members: Sequence[str]) -> list[str]:
    """Return the present members that have approved, in the order given; approvals of former members do not count."""
    values = await stub.get_multiple_states(
        [keys.approval(proposal_id, member) for member in channel_members]
    )
    return [member for member, value in zip(channel_members, values, strict=True) if value is not None]


def majority(channel_members: Collection[str]) -> int:
    """Return how many approvals adopt a proposal: more than half of the members."""
    return len(channel_members) // 2 + 1


def view(proposal: Proposal, approved_by: Sequence[str], channel_members: Collection[str]) -> dict[str, Json]:
    """Return what the functions on proposals answer: the proposal, "approvals": [MSP ids] and "approvals_needed": int."""
    return proposal.to_json() | {
        "approvals": sorted(approved_by),
        "approvals_needed": majority(channel_members),
    }


async def find_proposal(stub: Stub, proposal_id: bytes) -> Proposal | None:
    """Return a stored proposal, if there is one."""
    value = await stub.get_state(keys.proposal(proposal_id))
    return None if value is None else Proposal.from_json(state.read(value))
