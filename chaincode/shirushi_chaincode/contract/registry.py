"""`propose_issuer`, `approve_issuer`, `withdraw_approval`: the one path by which the registry of issuers changes.

A record is adopted by the transaction that brings the approvals to a majority of the members. Each approving
transaction reads every member's approval and writes its own, so of two that run at the same time the later one does
not commit, and is simply sent again: no majority is missed, none is counted from approvals that were withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_chaincode.contract import access, keys, state, ticks
from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_chaincode.contract.proposals import (
    Proposal,
    ProposalState,
    approvals,
    find_proposal,
    majority,
    present_state,
    view,
)
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import Stub
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.issuer import IssuerRecord

_PROPOSE_FIELDS = frozenset({"record"})
_ID_FIELDS = frozenset({"proposal_id"})


@dataclass(frozen=True, slots=True)
class ProposalReference:
    """What `approve_issuer` and `withdraw_approval` are asked: {"proposal_id": hex}."""

    proposal_id: bytes

    @classmethod
    def from_json(cls, argument: Json) -> ProposalReference:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(argument, "argument", _ID_FIELDS)
        return cls(fields.hash_bytes(members["proposal_id"], "proposal_id"))


def read_record(argument: Json) -> IssuerRecord:
    """Parse what `propose_issuer` is asked: {"record": {...}}; raises InvalidInputError."""
    record = IssuerRecord.from_json(fields.an_object(argument, "propose_issuer", _PROPOSE_FIELDS)["record"])
    if record.document_types is None:
        raise InvalidInputError(
            "issuer record: the field 'document_types' is missing; list the document types that the issuer may issue"
        )
    return record


async def propose_issuer(stub: Stub, record: IssuerRecord) -> Json:
    """Propose a record and approve it; a record that was proposed before is approved, by whomever it was proposed."""
    channel_members = await access.members(stub)
    admin_of = access.require_admin(stub, channel_members)
    proposal = Proposal(record, proposed_by=admin_of, proposed_at=state.transaction_time(stub))
    known = await find_proposal(stub, proposal.proposal_id)
    if known is not None:
        return await _approve(stub, known, admin_of, channel_members)
    present = await state.find_issuer(stub, record.id)
    due = 1 if present is None else present.sequence + 1
    if record.sequence != due:
        raise ContractError(
            Code.SEQUENCE_MISMATCH,
            f"the next record of issuer {record.id} has sequence {due}, this one has {record.sequence}",
        )
    if present is not None:
        _require_keys_kept(present, record)
    return await _add_approval(stub, proposal, admin_of, [], channel_members, is_new=True)


async def approve_issuer(stub: Stub, request: ProposalReference) -> Json:
    """Approve a proposal for the submitter's member; again is the same as once."""
    channel_members = await access.members(stub)
    admin_of = access.require_admin(stub, channel_members)
    proposal = await _get_proposal(stub, request.proposal_id)
    return await _approve(stub, proposal, admin_of, channel_members)


async def withdraw_approval(stub: Stub, request: ProposalReference) -> Json:
    """Take the approval of the submitter's member back, until the majority is there; without one, nothing happens."""
    channel_members = await access.members(stub)
    admin_of = access.require_admin(stub, channel_members)
    proposal = await _get_proposal(stub, request.proposal_id)
    await _require_open(stub, proposal)
    approved_by = await approvals(stub, request.proposal_id, channel_members)
    if admin_of in approved_by:
        await ticks.leave_tick(stub)
        approved_by.remove(admin_of)
        await stub.del_state(keys.approval(request.proposal_id, admin_of))
        state.emit(stub, [_vote("issuer_withdrawal", stub, proposal, admin_of)])
    return view(proposal, approved_by, channel_members)


def _require_keys_kept(present: IssuerRecord, proposed: IssuerRecord) -> None:
    """Raise KEY_DROPPED unless every key stays: old seals are judged by the present record, at their own time."""
    kept = {(key.use, key.key_id, key.not_before) for key in proposed.keys}
    for key in present.keys:
        if (key.use, key.key_id, key.not_before) not in kept:
            raise ContractError(
                Code.KEY_DROPPED,
                f"{key.use} key {key.key_id.hex()} of issuer {present.id} has to stay, with its not_before "
                f"{key.not_before}; to take it out of use, set its not_after",
            )


async def _approve(stub: Stub, proposal: Proposal, admin_of: str, channel_members: tuple[str, ...]) -> Json:
    approved_by = await approvals(stub, proposal.proposal_id, channel_members)
    if admin_of in approved_by and proposal.state is ProposalState.ADOPTED:
        return view(proposal, approved_by, channel_members)
    await _require_open(stub, proposal)
    # A member that approved already comes here too: members may have left since, and the majority with them.
    if admin_of in approved_by and len(approved_by) < majority(channel_members):
        return view(proposal, approved_by, channel_members)
    return await _add_approval(stub, proposal, admin_of, approved_by, channel_members, is_new=False)


async def _add_approval(
    stub: Stub,
    proposal: Proposal,
    admin_of: str,
    approved_by: list[str],
    channel_members: tuple[str, ...],
    *,
    is_new: bool,
) -> Json:
    await ticks.leave_tick(stub)
    approved_by = sorted({*approved_by, admin_of})
    adopted = len(approved_by) >= majority(channel_members)
    if adopted:
        proposal = proposal.in_state(ProposalState.ADOPTED)
    entries: list[Json] = []
    if is_new:
        entries.append({"kind": "issuer_proposal", "proposal": proposal.to_json()})
    entries.append(_vote("issuer_approval", stub, proposal, admin_of))
    approval: Json = {
        "approved_at": state.transaction_time(stub),
        "msp_id": admin_of,
        "tx_id": stub.tx_id,
    }
    await stub.put_state(keys.approval(proposal.proposal_id, admin_of), encode(approval))
    if adopted:
        await stub.put_state(keys.issuer(proposal.record.id), encode(proposal.record.to_json()))
        entries.append({"kind": "issuer", "record": proposal.record.to_json()})
    if adopted or is_new:
        await stub.put_state(keys.proposal(proposal.proposal_id), encode(proposal.to_json()))
    state.emit(stub, entries)
    return view(proposal, approved_by, channel_members)


async def _get_proposal(stub: Stub, proposal_id: bytes) -> Proposal:
    proposal = await find_proposal(stub, proposal_id)
    if proposal is None:
        raise ContractError(
            Code.PROPOSAL_NOT_FOUND, f"no proposal {proposal_id.hex()}; list_proposals names those there are"
        )
    return proposal


async def _require_open(stub: Stub, proposal: Proposal) -> None:
    issuer = await state.find_issuer(stub, proposal.record.id)
    name = f"proposal {proposal.proposal_id.hex()}"
    match present_state(proposal, issuer):
        case ProposalState.ADOPTED:
            raise ContractError(
                Code.PROPOSAL_ADOPTED, f"{name} is adopted; propose another record to change it"
            )
        case ProposalState.STALE if not proposal.lists_types:
            raise ContractError(
                Code.PROPOSAL_STALE,
                f"{name} is from before issuers' records listed their document types; propose the record again with them",
            )
        case ProposalState.STALE:
            raise ContractError(
                Code.PROPOSAL_STALE,
                f"{name} is overtaken: issuer {proposal.record.id} has a record of sequence "
                f"{proposal.record.sequence} already; propose the next one",
            )


def _vote(kind: str, stub: Stub, proposal: Proposal, admin_of: str) -> Json:
    return {
        "kind": kind,
        "msp_id": admin_of,
        "proposal_id": proposal.proposal_id.hex(),
        "tx_id": stub.tx_id,
    }
