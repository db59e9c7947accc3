"""Connecting to a Fabric Gateway, and rebuilding what was signed elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_pb2
from google.protobuf.message import DecodeError

from shirushi_client.gateway import hashes
from shirushi_client.gateway.block_events import (
    BlockAndPrivateDataEventsRequest,
    BlockEventsRequest,
    FilteredBlockEventsRequest,
)
from shirushi_client.gateway.call_options import CallOptions, DefaultCallOptions
from shirushi_client.gateway.chaincode_events import ChaincodeEventsRequest
from shirushi_client.gateway.commit import Commit
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.hashes import Hash
from shirushi_client.gateway.identity import Identity, SigningIdentity
from shirushi_client.gateway.network import Network
from shirushi_client.gateway.prepared_transaction import parse_prepared_transaction
from shirushi_client.gateway.proposal import Proposal
from shirushi_client.gateway.signable import Signable
from shirushi_client.gateway.signers import Signer
from shirushi_client.gateway.transaction import Transaction
from shirushi_core.errors import InvalidInputError

SignableType = TypeVar("SignableType", bound=Signable)


def connect(
    channel: grpc.aio.Channel,
    identity: Identity,
    signer: Signer | None = None,
    hash: Hash = hashes.sha256,  # noqa: A002  (the name that all Fabric clients give it)
    tls_client_certificate_hash: bytes | None = None,
    *,
    evaluate_options: CallOptions | None = None,
    endorse_options: CallOptions | None = None,
    submit_options: CallOptions | None = None,
    commit_status_options: CallOptions | None = None,
    chaincode_events_options: CallOptions | None = None,
    block_events_options: CallOptions | None = None,
    filtered_block_events_options: CallOptions | None = None,
    block_and_private_data_events_options: CallOptions | None = None,
) -> Gateway:
    """Return a gateway that acts as one identity over a gRPC channel to a peer.

    The channel stays the caller's: many gateways may share it and none closes it. Without a signer, signatures are
    made elsewhere and anything unsigned fails when it is used. There are no deadlines but those in the options.
    tls_client_certificate_hash: SHA-256 of the client's TLS certificate, for block events under mutual TLS.
    """
    if isinstance(channel, grpc.Channel):
        raise TypeError(
            "expected a grpc.aio.Channel; for a grpc.Channel use shirushi_client.gateway.sync.connect"
        )
    defaults = DefaultCallOptions(
        evaluate=evaluate_options or CallOptions(),
        endorse=endorse_options or CallOptions(),
        submit=submit_options or CallOptions(),
        commit_status=commit_status_options or CallOptions(),
        chaincode_events=chaincode_events_options or CallOptions(),
        block_events=block_events_options or CallOptions(),
        filtered_block_events=filtered_block_events_options or CallOptions(),
        block_and_private_data_events=block_and_private_data_events_options or CallOptions(),
    )
    signing_identity = SigningIdentity(identity, signer, hash)
    return Gateway(Connection(channel, defaults), signing_identity, tls_client_certificate_hash)


class Gateway:
    """A client identity's connection to the network, made by `connect`.

    The new_* methods rebuild objects from their bytes; the new_signed_* methods add a signature made elsewhere. All
    of them raise InvalidInputError for bytes that are not such an object.
    """

    def __init__(
        self,
        connection: Connection,
        identity: SigningIdentity,
        tls_client_certificate_hash: bytes | None,
    ) -> None:
        self._connection = connection
        self._identity = identity
        self._tls_client_certificate_hash = tls_client_certificate_hash

    @property
    def identity(self) -> Identity:
        """The identity that this gateway acts as."""
        return self._identity.identity

    def get_network(self, name: str) -> Network:
        """Return the channel of that name."""
        return Network(self._connection, self._identity, name, self._tls_client_certificate_hash)

    def new_proposal(self, data: bytes) -> Proposal:
        """Rebuild a proposal from its bytes."""
        message = _parse(gateway_pb2.ProposedTransaction, data, "proposal")
        if not message.proposal.proposal_bytes:
            raise InvalidInputError("not a proposal: the signed proposal is missing")
        proposal = _parse(proposal_pb2.Proposal, message.proposal.proposal_bytes, "proposal")
        header = _parse(common_pb2.Header, proposal.header, "proposal")
        channel_header = _parse(common_pb2.ChannelHeader, header.channel_header, "proposal")
        return Proposal(self._connection, self._identity, message, channel_header.channel_id)

    def new_signed_proposal(self, data: bytes, signature: bytes) -> Proposal:
        """Rebuild a proposal from its bytes, with a signature."""
        return _signed(self.new_proposal(data), signature)

    def new_transaction(self, data: bytes) -> Transaction:
        """Rebuild an endorsed transaction from its bytes."""
        message = _parse(gateway_pb2.PreparedTransaction, data, "transaction")
        if not message.envelope.payload:
            raise InvalidInputError("not a transaction: the envelope is missing")
        prepared = parse_prepared_transaction(message.envelope)
        return Transaction(self._connection, self._identity, message, prepared)

    def new_signed_transaction(self, data: bytes, signature: bytes) -> Transaction:
        """Rebuild an endorsed transaction from its bytes, with a signature."""
        return _signed(self.new_transaction(data), signature)

    def new_commit(self, data: bytes) -> Commit:
        """Rebuild the question for a commit status from its bytes."""
        message = _parse(gateway_pb2.SignedCommitStatusRequest, data, "commit")
        request = _parse(gateway_pb2.CommitStatusRequest, message.request, "commit")
        if not request.transaction_id:
            raise InvalidInputError("not a commit: the transaction id is missing")
        return Commit(self._connection, self._identity, message, request.transaction_id)

    def new_signed_commit(self, data: bytes, signature: bytes) -> Commit:
        """Rebuild the question for a commit status from its bytes, with a signature."""
        return _signed(self.new_commit(data), signature)

    def new_chaincode_events_request(self, data: bytes) -> ChaincodeEventsRequest:
        """Rebuild a request for chaincode events from its bytes."""
        message = _parse(gateway_pb2.SignedChaincodeEventsRequest, data, "chaincode events request")
        request = _parse(gateway_pb2.ChaincodeEventsRequest, message.request, "chaincode events request")
        if not request.chaincode_id:
            raise InvalidInputError("not a chaincode events request: the chaincode's name is missing")
        return ChaincodeEventsRequest(self._connection, self._identity, message)

    def new_signed_chaincode_events_request(self, data: bytes, signature: bytes) -> ChaincodeEventsRequest:
        """Rebuild a request for chaincode events from its bytes, with a signature."""
        return _signed(self.new_chaincode_events_request(data), signature)

    def new_block_events_request(self, data: bytes) -> BlockEventsRequest:
        """Rebuild a request for block events from its bytes."""
        return BlockEventsRequest(self._connection, self._identity, _parse_seek_envelope(data))

    def new_signed_block_events_request(self, data: bytes, signature: bytes) -> BlockEventsRequest:
        """Rebuild a request for block events from its bytes, with a signature."""
        return _signed(self.new_block_events_request(data), signature)

    def new_filtered_block_events_request(self, data: bytes) -> FilteredBlockEventsRequest:
        """Rebuild a request for filtered block events from its bytes."""
        return FilteredBlockEventsRequest(self._connection, self._identity, _parse_seek_envelope(data))

    def new_signed_filtered_block_events_request(
        self, data: bytes, signature: bytes
    ) -> FilteredBlockEventsRequest:
        """Rebuild a request for filtered block events from its bytes, with a signature."""
        return _signed(self.new_filtered_block_events_request(data), signature)

    def new_block_and_private_data_events_request(self, data: bytes) -> BlockAndPrivateDataEventsRequest:
        """Rebuild a request for blocks with private data from its bytes."""
        return BlockAndPrivateDataEventsRequest(self._connection, self._identity, _parse_seek_envelope(data))

    def new_signed_block_and_private_data_events_request(
        self, data: bytes, signature: bytes
    ) -> BlockAndPrivateDataEventsRequest:
        """Rebuild a request for blocks with private data from its bytes, with a signature."""
        return _signed(self.new_block_and_private_data_events_request(data), signature)

    async def close(self) -> None:
        """Cancel the calls that are still waiting and close the streams of events; the channel stays open."""
        await self._connection.close()

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _signed(signable: SignableType, signature: bytes) -> SignableType:
    signable._set_signature(signature)
    return signable


def _parse_seek_envelope(data: bytes) -> Any:
    envelope = _parse(common_pb2.Envelope, data, "block events request")
    payload = _parse(common_pb2.Payload, envelope.payload, "block events request")
    header = _parse(common_pb2.ChannelHeader, payload.header.channel_header, "block events request")
    if header.type != common_pb2.HeaderType.DELIVER_SEEK_INFO:
        raise InvalidInputError("not a block events request: its header has another type")
    return envelope


def _parse(message_type: Any, data: bytes, what: str) -> Any:
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise InvalidInputError(f"not a {what}: {message_type.DESCRIPTOR.name} does not decode") from error
