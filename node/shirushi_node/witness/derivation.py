"""From checked blocks to log entries and status records: the same at every member, byte for byte.

Entries are those of the `anchors` events of a block's valid transactions, in order, in canonical JSON; a block that has any
ends with a status entry. A peer's word that a transaction is valid is not taken for its content: that its creator signed it, and
that members enough endorsed it, is checked again here.

Source: docs/formats/contract.md (events, keys); core/handlers/validation/builtin/v20 (endorsements).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_event_pb2

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.envelope import EndorserTransaction
from shirushi_core.fabric.policy import SignedData, valid_signers
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.epoch import epoch_of_key
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_proposal import IssuerProposal, IssuerVote
from shirushi_core.proofs.log_entry import Content, entry_bytes, read_content, read_event
from shirushi_core.proofs.status import StatusRecord
from shirushi_node.ledger.clock import IGNORING_EXPIRY
from shirushi_node.witness.block_check import CheckedBlock, ValidTransaction
from shirushi_node.witness.errors import DerivationError

CHAINCODE = "anchors"
EVENT = "anchors"
ENDORSEMENT_POLICY = "/Channel/Application/Endorsement"

MAX_ENDORSEMENTS = 256
"""Endorsements looked at of one transaction."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What a block adds to the log, but for the status entry at its end; positions count from the block's first entry."""

    block: int
    entries: tuple[bytes, ...] = ()
    statuses: tuple[StatusRecord, ...] = ()
    batches: tuple[tuple[bytes, int], ...] = ()  # batch id, position
    issuers: tuple[tuple[str, int, int], ...] = ()  # issuer id, sequence, position


def derive(block: CheckedBlock) -> Derived:
    """Return a block's entries and status records; raises DerivationError naming block and transaction."""
    growing = _Growing()
    for each in block.transactions:
        if each.envelope.header.type == common_pb2.CONFIG or each.endorsed is None:
            continue
        try:
            _take_in(growing, each, each.endorsed, block.config)
        except ShirushiError as error:
            raise DerivationError(
                f"transaction {each.envelope.header.tx_id} of block {block.number} is not one that the contract "
                f"{CHAINCODE} makes: {error}; the log stops before this block until the members have settled it"
            ) from None
    return Derived(
        block=block.number,
        entries=tuple(growing.entries),
        statuses=tuple(growing.statuses),
        batches=tuple(growing.batches),
        issuers=tuple(growing.issuers),
    )


class _Growing:
    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.statuses: list[StatusRecord] = []
        self.batches: list[tuple[bytes, int]] = []
        self.issuers: list[tuple[str, int, int]] = []


def _take_in(
    growing: _Growing, transaction: ValidTransaction, endorsed: EndorserTransaction, config: ChannelConfig
) -> None:
    written = _written(endorsed)
    if endorsed.chaincode_name != CHAINCODE:
        if written:
            raise InvalidInputError(
                f"chaincode {endorsed.chaincode_name} wrote to its state, and no event tells what"
            )
        return
    event = _event(endorsed)
    if event is None:
        if any(epoch_of_key(key) is None for key in written):
            raise InvalidInputError("it writes and has no event")
        return  # a query, a repetition, or a tick
    if transaction.envelope.header.channel_id != config.channel_id:
        raise InvalidInputError(f"it is of channel {transaction.envelope.header.channel_id}")
    _check_signatures(transaction, endorsed, config)
    reader = _EntryReader(transaction, config.channel_id, written)
    for entry in read_event(event):
        position = len(growing.entries)
        growing.entries.append(entry_bytes(entry))
        match reader.read(entry):
            case IssuanceAnchor() as anchor:
                growing.batches.append((anchor.statement.batch_id, position))
            case StatusRecord() as record:
                growing.statuses.append(record)
            case IssuerRecord() as record:
                growing.issuers.append((record.id, record.sequence, position))


def _written(endorsed: EndorserTransaction) -> dict[str, bytes | None]:
    """Return what a transaction writes to the contract's state."""
    found: dict[str, bytes | None] = {}
    for rw_set in endorsed.rw_sets:
        if rw_set.namespace == CHAINCODE:
            if rw_set.metadata_writes or rw_set.collections:
                raise InvalidInputError(
                    "it writes metadata or private data, which the contract does not have"
                )
            found.update((write.key, write.value) for write in rw_set.writes)
    return found


def _event(endorsed: EndorserTransaction) -> bytes | None:
    """Return the payload of a transaction's event; raises InvalidInputError if it is another than the contract's."""
    if not endorsed.event:
        return None
    event = chaincode_event_pb2.ChaincodeEvent.FromString(endorsed.event)  # envelope.py has read it before
    if not (event.chaincode_id or event.event_name or event.tx_id or event.payload):
        return None
    if (event.event_name, event.tx_id) != (EVENT, endorsed.header.tx_id):
        raise InvalidInputError(f"expected its event {EVENT!r}, found {event.event_name[:64]!r}")
    return bytes(event.payload)


def _check_signatures(
    transaction: ValidTransaction, endorsed: EndorserTransaction, config: ChannelConfig
) -> None:
    """Check the creator's signature, and endorsements by a majority of the channel's members; raises ShirushiError.

    The channel's own policy for endorsements has to be met too. Certificates' ends of validity are for endorsers and
    orderers to check, with a clock.
    """
    envelope = transaction.envelope
    creator = config.msps.validate(envelope.header.creator, IGNORING_EXPIRY)
    creator.verify(envelope.signature, envelope.payload)
    if len(endorsed.endorsements) > MAX_ENDORSEMENTS:
        raise InvalidInputError(f"it has more than {MAX_ENDORSEMENTS} endorsements")
    payload = endorsed.response_payload
    signed = (
        SignedData(payload + each.endorser, each.endorser, each.signature) for each in endorsed.endorsements
    )
    signers = valid_signers(signed, config.msps, IGNORING_EXPIRY)
    members = {signer.msp_id for signer in signers} & set(config.application_orgs)
    needed = len(config.application_orgs) // 2 + 1
    if len(members) < needed:
        raise InvalidInputError(
            f"expected endorsements of {needed} of {len(config.application_orgs)} members, found {len(members)}"
        )
    config.policies.get(ENDORSEMENT_POLICY).evaluate(signers)


class _EntryReader:
    """Reads a transaction's entries, and holds them against the transaction and what it wrote."""

    def __init__(
        self, transaction: ValidTransaction, ledger: str, written: Mapping[str, bytes | None]
    ) -> None:
        self._tx_id = transaction.envelope.header.tx_id
        self._time = transaction.envelope.header.timestamp_seconds
        self._ledger = ledger
        self._written = written

    def read(self, entry: Mapping[str, Json]) -> Content:
        """Return what an entry is about; raises InvalidInputError."""
        match content := read_content(entry):
            case IssuanceAnchor():
                self._check_anchor(content)
            case StatusRecord():
                self._require_own(content.tx_id, content.changed_at)
                target = "batch" if content.commitment is None else content.commitment.hex()
                self._require_written(f"status/{content.batch_id.hex()}/{target}", content.to_json())
            case IssuerRecord():
                self._require_written(f"issuer/{content.id}", content.to_json())
            case IssuerProposal():
                self._require_written(f"proposal/{content.proposal_id.hex()}", content.to_json())
            case IssuerVote():
                self._check_vote(content)
        return content

    def _check_anchor(self, anchor: IssuanceAnchor) -> None:
        self._require_own(anchor.tx_id, anchor.anchored_at)
        if anchor.statement.ledger != self._ledger:
            raise InvalidInputError(f"the statement is of ledger {anchor.statement.ledger}")
        self._require_written(f"batch/{anchor.statement.batch_id.hex()}", anchor.to_json())

    def _check_vote(self, vote: IssuerVote) -> None:
        self._require_own(vote.tx_id, self._time)
        key = f"approval/{vote.proposal_id.hex()}/{vote.msp_id}"
        if key not in self._written or (self._written[key] is not None) != vote.given:
            raise InvalidInputError(f"its event is about {key}, which it does not write so")

    def _require_own(self, tx_id: str, time: int) -> None:
        if tx_id != self._tx_id or time != self._time:
            raise InvalidInputError("its event names another transaction, or another time than its own")

    def _require_written(self, key: str, value: Json) -> None:
        if self._written.get(key) != encode(value):
            raise InvalidInputError(f"its event is about {key}, which it does not write so")
