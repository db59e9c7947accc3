"""Envelopes: the signed payloads that are ordered into blocks.

Source: protoutil/{commonutils,txutils,signeddata}.go, core/common/validation/msgvalidation.go,
core/committer/txvalidator/v20/plugindispatcher/dispatcher.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from google.protobuf.message import DecodeError, Message

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.messages import parse
from shirushi_core.fabric.policy import SignedData
from shirushi_core.fabric.proposal import committed_proposal_hash, header_type_name, transaction_id
from shirushi_core.fabric.rwset import NamespaceRwSet, decode

_TYPES_IN_BLOCKS = (common_pb2.ENDORSER_TRANSACTION, common_pb2.CONFIG_UPDATE, common_pb2.CONFIG)


class EnvelopeError(ShirushiError):
    """A malformed envelope; `validation_code` is the peer.TxValidationCode that Fabric would give it."""

    def __init__(self, message: str, validation_code: int) -> None:
        super().__init__(message)
        self.validation_code = validation_code


@dataclass(frozen=True, slots=True)
class EnvelopeHeader:
    """The headers of an envelope's payload."""

    type: int  # common.HeaderType
    channel_id: str
    tx_id: str
    epoch: int
    timestamp_seconds: int
    creator: bytes
    nonce: bytes
    timestamp_nanos: int = 0


@dataclass(frozen=True, slots=True)
class OpenEnvelope:
    """An envelope whose headers are read, and whose data is not."""

    header: EnvelopeHeader
    payload: bytes
    signature: bytes
    channel_header: bytes
    signature_header: bytes
    extension: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class EndorsedAction:
    """The one action of a well-formed endorser transaction: bound to its proposal, contents not yet read."""

    envelope: OpenEnvelope
    proposal_payload: bytes  # ChaincodeProposalPayload without transient data
    response_payload: bytes  # ProposalResponsePayload
    chaincode_action: bytes
    endorsements: Sequence[proposal_response_pb2.Endorsement]


@dataclass(frozen=True, slots=True)
class EndorserTransaction:
    """An endorser transaction taken apart."""

    header: EnvelopeHeader
    chaincode_name: str
    chaincode_version: str
    args: tuple[bytes, ...]  # empty if the proposal's input cannot be read: no peer checks it
    response_payload: bytes  # what the endorsers signed, before their identity
    endorsements: Sequence[proposal_response_pb2.Endorsement]
    results: bytes  # TxReadWriteSet
    event: bytes  # ChaincodeEvent, empty if none
    response_status: int
    response_payload_bytes: bytes  # Response.payload
    rw_sets: tuple[NamespaceRwSet, ...]  # results, decoded


def parse_header(envelope: common_pb2.Envelope) -> EnvelopeHeader:
    """Parse an envelope's headers, of any type and not checked; raises EnvelopeError."""
    return read_envelope(envelope).header


def read_envelope(envelope: common_pb2.Envelope) -> OpenEnvelope:
    """Parse an envelope's headers, whatever they say; raises EnvelopeError (BAD_PAYLOAD, BAD_COMMON_HEADER)."""
    payload = _parse(common_pb2.Payload, envelope.payload, transaction_pb2.BAD_PAYLOAD)
    code = transaction_pb2.BAD_COMMON_HEADER
    if not payload.HasField("header"):
        raise EnvelopeError("nil header", code)
    header = payload.header
    channel_header = _parse(common_pb2.ChannelHeader, header.channel_header, code)
    signature_header = _parse(common_pb2.SignatureHeader, header.signature_header, code)
    return OpenEnvelope(
        header=EnvelopeHeader(
            type=channel_header.type,
            channel_id=channel_header.channel_id,
            tx_id=channel_header.tx_id,
            epoch=channel_header.epoch,
            timestamp_seconds=channel_header.timestamp.seconds,
            creator=signature_header.creator,
            nonce=signature_header.nonce,
            timestamp_nanos=channel_header.timestamp.nanos,
        ),
        payload=envelope.payload,
        signature=envelope.signature,
        channel_header=header.channel_header,
        signature_header=header.signature_header,
        extension=channel_header.extension,
        data=payload.data,
    )


def open_envelope(envelope: common_pb2.Envelope) -> OpenEnvelope:
    """Parse an envelope's headers and check them as the committing peer does.

    Raises EnvelopeError: BAD_PAYLOAD, or BAD_COMMON_HEADER for a type that is never in blocks, an epoch, or an empty
    nonce or creator.
    """
    opened = read_envelope(envelope)
    check_header(opened.header)
    return opened


def check_header(header: EnvelopeHeader) -> None:
    """Check headers as the committing peer does: type, epoch, nonce, creator. Raises EnvelopeError (BAD_COMMON_HEADER)."""
    code = transaction_pb2.BAD_COMMON_HEADER
    if header.type not in _TYPES_IN_BLOCKS:
        raise EnvelopeError(f"invalid header type {header_type_name(header.type)}", code)
    if header.epoch:
        raise EnvelopeError(f"invalid Epoch in ChannelHeader. Expected 0, got [{header.epoch}]", code)
    if not header.nonce:
        raise EnvelopeError("invalid nonce specified in the header", code)
    if not header.creator:
        raise EnvelopeError("invalid creator specified in the header", code)


def endorsed_action(envelope: OpenEnvelope) -> EndorsedAction:
    """Check an endorser transaction's form: its id, its one action, and that it belongs to the proposal.

    Raises EnvelopeError: UNSUPPORTED_TX_PAYLOAD, BAD_PROPOSAL_TXID or INVALID_ENDORSER_TRANSACTION.
    """
    header = envelope.header
    if header.type != common_pb2.ENDORSER_TRANSACTION:
        raise EnvelopeError(
            f"expected an endorser transaction, found {header_type_name(header.type)}",
            transaction_pb2.UNSUPPORTED_TX_PAYLOAD,
        )
    expected = transaction_id(header.nonce, header.creator)
    if header.tx_id != expected:
        raise EnvelopeError(
            f"invalid txid. got [{header.tx_id}], expected [{expected}]", transaction_pb2.BAD_PROPOSAL_TXID
        )
    code = transaction_pb2.INVALID_ENDORSER_TRANSACTION
    transaction = _parse(transaction_pb2.Transaction, envelope.data, code)
    if len(transaction.actions) != 1:
        raise EnvelopeError(
            f"only one action per transaction is supported, tx contains {len(transaction.actions)}", code
        )
    action = transaction.actions[0]
    if action.header != envelope.signature_header:
        signature_header = _parse(common_pb2.SignatureHeader, action.header, code)
        if not signature_header.nonce or not signature_header.creator:
            raise EnvelopeError("invalid nonce or creator specified in the action's header", code)
    payload = _parse(transaction_pb2.ChaincodeActionPayload, action.payload, code)
    endorsed = payload.action
    response = _parse(proposal_response_pb2.ProposalResponsePayload, endorsed.proposal_response_payload, code)
    bound = committed_proposal_hash(
        envelope.channel_header, action.header, payload.chaincode_proposal_payload
    )
    if response.proposal_hash != bound:
        raise EnvelopeError("proposal hash does not match", code)
    return EndorsedAction(
        envelope=envelope,
        proposal_payload=payload.chaincode_proposal_payload,
        response_payload=endorsed.proposal_response_payload,
        chaincode_action=response.extension,
        endorsements=endorsed.endorsements,
    )


def read_transaction(
    action: EndorsedAction, *, decode_results: Callable[[bytes], tuple[NamespaceRwSet, ...]] = decode
) -> EndorserTransaction:
    """Read what an endorser transaction did, and check that its parts name one chaincode.

    `decode_results` reads the read-write sets: rwset.decode, or decode_writes.

    Raises EnvelopeError, in this order: BAD_HEADER_EXTENSION, BAD_RESPONSE_PAYLOAD, BAD_RWSET, INVALID_OTHER_REASON or
    INVALID_CHAINCODE (chaincode ids), INVALID_OTHER_REASON (event), ILLEGAL_WRITESET.
    """
    extension = _parse(
        proposal_pb2.ChaincodeHeaderExtension, action.envelope.extension, transaction_pb2.BAD_HEADER_EXTENSION
    )
    if not action.chaincode_action:
        raise EnvelopeError("response payload is missing extension", transaction_pb2.BAD_RESPONSE_PAYLOAD)
    result = _parse(
        proposal_pb2.ChaincodeAction, action.chaincode_action, transaction_pb2.BAD_RESPONSE_PAYLOAD
    )
    try:
        rw_sets = decode_results(result.results)
    except InvalidInputError as error:
        raise EnvelopeError(str(error), transaction_pb2.BAD_RWSET) from None
    _check_chaincode(extension, result)
    namespaces = [each.namespace for each in rw_sets]
    if len(set(namespaces)) != len(namespaces):
        raise EnvelopeError("duplicate namespace in txRWSet", transaction_pb2.ILLEGAL_WRITESET)
    return EndorserTransaction(
        header=action.envelope.header,
        chaincode_name=result.chaincode_id.name,
        chaincode_version=result.chaincode_id.version,
        args=_args(action.proposal_payload),
        response_payload=action.response_payload,
        endorsements=action.endorsements,
        results=result.results,
        event=result.events,
        response_status=result.response.status,
        response_payload_bytes=result.response.payload,
        rw_sets=rw_sets,
    )


def parse_endorser_transaction(envelope: common_pb2.Envelope) -> EndorserTransaction:
    """Parse and check an endorser transaction's form, as the committing peer's ValidateTransaction does.

    Raises EnvelopeError with the validation code Fabric gives. Signatures and policies are checked elsewhere: a
    validator takes the three steps one by one, for Fabric checks the creator's signature between the first two.
    """
    return read_transaction(endorsed_action(open_envelope(envelope)))


def signed_data(envelope: common_pb2.Envelope) -> SignedData:
    """Return the envelope's payload, creator and signature (protoutil.EnvelopeAsSignedData); raises EnvelopeError."""
    payload = _parse(common_pb2.Payload, envelope.payload, transaction_pb2.BAD_PAYLOAD)
    if not payload.HasField("header"):
        raise EnvelopeError("Missing Header", transaction_pb2.BAD_COMMON_HEADER)
    signature_header = _parse(
        common_pb2.SignatureHeader, payload.header.signature_header, transaction_pb2.BAD_COMMON_HEADER
    )
    return SignedData(envelope.payload, signature_header.creator, envelope.signature)


def _check_chaincode(
    extension: proposal_pb2.ChaincodeHeaderExtension, result: proposal_pb2.ChaincodeAction
) -> None:
    other, invalid = transaction_pb2.INVALID_OTHER_REASON, transaction_pb2.INVALID_CHAINCODE
    if not extension.HasField("chaincode_id"):
        raise EnvelopeError("nil ChaincodeId in header extension", other)
    if not result.HasField("chaincode_id"):
        raise EnvelopeError("nil ChaincodeId in ChaincodeAction", other)
    name = extension.chaincode_id.name
    if not name:
        raise EnvelopeError("invalid chaincode ID", invalid)
    if name != result.chaincode_id.name:
        raise EnvelopeError(f"inconsistent ccid info ({name}/{result.chaincode_id.name})", invalid)
    if not result.chaincode_id.version:
        raise EnvelopeError("invalid chaincode version", invalid)
    if result.events:
        event = _parse(chaincode_event_pb2.ChaincodeEvent, result.events, other)
        if event.chaincode_id != name:
            raise EnvelopeError(
                "chaincode event chaincode id does not match chaincode action chaincode id", other
            )


def _args(proposal_payload: bytes) -> tuple[bytes, ...]:
    try:
        invocation = proposal_pb2.ChaincodeProposalPayload.FromString(proposal_payload).input
        spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(invocation)
    except DecodeError:
        return ()
    return tuple(spec.chaincode_spec.input.args)


def _parse(kind: type[Message], data: bytes, code: int) -> Any:
    """Parse a message (generated classes carry no types); raises EnvelopeError with the code given."""
    try:
        return parse(kind, data)
    except DecodeError:
        raise EnvelopeError(f"error unmarshalling {kind.DESCRIPTOR.name}", code) from None
