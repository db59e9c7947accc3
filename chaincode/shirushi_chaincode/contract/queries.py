"""The contract's queries: they read, and change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_chaincode.contract import access, keys, state
from shirushi_chaincode.contract.paging import PAGE_FIELDS, Page, read_page
from shirushi_chaincode.contract.proposals import Proposal, approvals, present_state, view
from shirushi_core.fabric.chaincode import Stub
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json

_BATCH_FIELDS = frozenset({"batch_id"})
_TARGET_FIELDS = frozenset({"batch_id", "commitment"})
_ISSUER_FIELDS = frozenset({"issuer"})
_LIST_FIELDS = PAGE_FIELDS | {"issuer"}


@dataclass(frozen=True, slots=True)
class Target:
    """A certificate in a batch, or the whole batch (`commitment` None)."""

    batch_id: bytes
    commitment: bytes | None

    @classmethod
    def from_json(cls, argument: Json) -> Target:
        """Parse {"batch_id": hex, "commitment": hex | null}; raises InvalidInputError."""
        members = fields.an_object(argument, "argument", _TARGET_FIELDS)
        commitment = members["commitment"]
        return cls(
            batch_id=fields.hash_bytes(members["batch_id"], "batch_id"),
            commitment=None if commitment is None else fields.hash_bytes(commitment, "commitment"),
        )


@dataclass(frozen=True, slots=True)
class BatchListing:
    """Which page of an issuer's batches is asked for."""

    issuer: str
    page: Page

    @classmethod
    def from_json(cls, argument: Json) -> BatchListing:
        """Parse {"bookmark", "issuer", "page_size"}; raises InvalidInputError."""
        members = fields.an_object(argument, "argument", _LIST_FIELDS)
        return cls(
            issuer=_issuer_id(members["issuer"]),
            page=Page.from_fields(members["page_size"], members["bookmark"]),
        )


def read_batch_id(argument: Json) -> bytes:
    """Parse {"batch_id": hex}; raises InvalidInputError."""
    return fields.hash_bytes(fields.an_object(argument, "argument", _BATCH_FIELDS)["batch_id"], "batch_id")


def read_issuer_id(argument: Json) -> str:
    """Parse {"issuer": id}; raises InvalidInputError."""
    return _issuer_id(fields.an_object(argument, "argument", _ISSUER_FIELDS)["issuer"])


async def get_batch(stub: Stub, batch_id: bytes) -> Json:
    """Return a batch's issuance anchor."""
    return (await state.get_anchor(stub, batch_id)).to_json()


async def get_status(stub: Stub, target: Target) -> Json:
    """Return the status records of a certificate and of its batch; null where there is none, which means valid.

    For `commitment` null the certificate's is null. Whether a commitment is in the batch at all is for a proof to show.
    """
    await state.get_anchor(stub, target.batch_id)
    targets: list[tuple[bytes, bytes | None]] = [(target.batch_id, None)]
    if target.commitment is not None:
        targets.append((target.batch_id, target.commitment))
    records = dict(zip(targets, await state.find_statuses(stub, targets), strict=True))
    of_batch = records[target.batch_id, None]
    of_certificate = None if target.commitment is None else records[target.batch_id, target.commitment]
    return {
        "batch_id": target.batch_id.hex(),
        "batch_status": None if of_batch is None else of_batch.to_json(),
        "certificate_status": None if of_certificate is None else of_certificate.to_json(),
        "commitment": None if target.commitment is None else target.commitment.hex(),
    }


async def get_history(stub: Stub, target: Target) -> Json:
    """Return every status record of a certificate, or of a whole batch, oldest first."""
    await state.get_anchor(stub, target.batch_id)
    key = keys.status(target.batch_id, target.commitment)
    newest_first = [state.read(change.value) async for change in stub.get_history_for_key(key)]
    return newest_first[::-1]


async def get_issuer(stub: Stub, issuer_id: str) -> Json:
    """Return an issuer's present record."""
    return (await state.get_issuer(stub, issuer_id)).to_json()


async def list_issuers(stub: Stub, page: Page) -> Json:
    """Return a page of the issuers' present records, by id."""
    found, bookmark = await read_page(stub, keys.ISSUERS, page)
    return {"bookmark": bookmark, "issuers": [state.read(each.value) for each in found]}


async def list_batches(stub: Stub, listing: BatchListing) -> Json:
    """Return a page of an issuer's issuance anchors, in the order of time."""
    await state.get_issuer(stub, listing.issuer)
    found, bookmark = await read_page(stub, keys.issued_by(listing.issuer), listing.page)
    batch_ids = [keys.batch_id_of(each.key) for each in found]
    anchors = await state.find_anchors(stub, batch_ids)
    return {"batches": [anchors[batch_id].to_json() for batch_id in batch_ids], "bookmark": bookmark}


async def list_proposals(stub: Stub, page: Page) -> Json:
    """Return a page of the proposals, with who has approved them, by proposal id."""
    channel_members = await access.members(stub)
    found, bookmark = await read_page(stub, keys.PROPOSALS, page)
    proposals = [Proposal.from_json(state.read(each.value)) for each in found]
    issuers = await stub.get_multiple_states([keys.issuer(proposal.record.id) for proposal in proposals])
    views: list[Json] = []
    for proposal, value in zip(proposals, issuers, strict=True):
        issuer = None if value is None else state.read_issuer(value)
        approved_by = await approvals(stub, proposal.proposal_id, channel_members)
        shown = proposal.in_state(present_state(proposal, issuer))
        views.append(view(shown, approved_by, channel_members))
    return {"bookmark": bookmark, "proposals": views}


def _issuer_id(value: Json) -> str:
    return fields.check_identifier(fields.a_text(value, "issuer"), "issuer")
