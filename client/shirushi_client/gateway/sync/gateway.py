"""Connecting to a Fabric Gateway, without asyncio."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from shirushi_client.gateway import gateway, hashes
from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.hashes import Hash
from shirushi_client.gateway.identity import Identity
from shirushi_client.gateway.signers import Signer
from shirushi_client.gateway.sync.channel import AsyncChannel
from shirushi_client.gateway.sync.event_loop import EventLoopThread
from shirushi_client.gateway.sync.network import Network
from shirushi_client.gateway.sync.signables import (
    BlockAndPrivateDataEventsRequest,
    BlockEventsRequest,
    ChaincodeEventsRequest,
    Commit,
    FilteredBlockEventsRequest,
    Proposal,
    Transaction,
)


def connect(
    channel: grpc.Channel,
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
    """Return a gateway that acts as one identity over a gRPC channel to a peer; see the asynchronous connect.

    The channel stays the caller's. A signer is called in the gateway's own thread, and may be a coroutine function.
    """
    if isinstance(channel, grpc.aio.Channel):
        raise TypeError("expected a grpc.Channel; for a grpc.aio.Channel use shirushi_client.gateway.connect")
    adapted: Any = AsyncChannel(channel)
    inner = gateway.connect(
        adapted,
        identity,
        signer,
        hash,
        tls_client_certificate_hash,
        evaluate_options=evaluate_options,
        endorse_options=endorse_options,
        submit_options=submit_options,
        commit_status_options=commit_status_options,
        chaincode_events_options=chaincode_events_options,
        block_events_options=block_events_options,
        filtered_block_events_options=filtered_block_events_options,
        block_and_private_data_events_options=block_and_private_data_events_options,
    )
    return Gateway(EventLoopThread(), inner)


class Gateway:
    """A client identity's connection to the network, made by `connect`. Threads may share it.

    The new_* methods rebuild objects from their bytes; the new_signed_* methods add a signature made elsewhere. All
    of them raise InvalidInputError for bytes that are not such an object.
    """

    def __init__(self, loop: EventLoopThread, inner: gateway.Gateway) -> None:
        self._loop = loop
        self._inner = inner

    @property
    def identity(self) -> Identity:
        """The identity that this gateway acts as."""
        return self._inner.identity

    def get_network(self, name: str) -> Network:
        """Return the channel of that name."""
        return Network(self._loop, self._inner.get_network(name))

    def new_proposal(self, data: bytes) -> Proposal:
        """Rebuild a proposal from its bytes."""
        return Proposal(self._loop, self._inner.new_proposal(data))

    def new_signed_proposal(self, data: bytes, signature: bytes) -> Proposal:
        """Rebuild a proposal from its bytes, with a signature."""
        return Proposal(self._loop, self._inner.new_signed_proposal(data, signature))

    def new_transaction(self, data: bytes) -> Transaction:
        """Rebuild an endorsed transaction from its bytes."""
        return Transaction(self._loop, self._inner.new_transaction(data))

    def new_signed_transaction(self, data: bytes, signature: bytes) -> Transaction:
        """Rebuild an endorsed transaction from its bytes, with a signature."""
        return Transaction(self._loop, self._inner.new_signed_transaction(data, signature))

    def new_commit(self, data: bytes) -> Commit:
        """Rebuild the question for a commit status from its bytes."""
        return Commit(self._loop, self._inner.new_commit(data))

    def new_signed_commit(self, data: bytes, signature: bytes) -> Commit:
        """Rebuild the question for a commit status from its bytes, with a signature."""
        return Commit(self._loop, self._inner.new_signed_commit(data, signature))

    def new_chaincode_events_request(self, data: bytes) -> ChaincodeEventsRequest:
        """Rebuild a request for chaincode events from its bytes."""
        return ChaincodeEventsRequest(self._loop, self._inner.new_chaincode_events_request(data))

    def new_signed_chaincode_events_request(self, data: bytes, signature: bytes) -> ChaincodeEventsRequest:
        """Rebuild a request for chaincode events from its bytes, with a signature."""
        return ChaincodeEventsRequest(
            self._loop, self._inner.new_signed_chaincode_events_request(data, signature)
        )

    def new_block_events_request(self, data: bytes) -> BlockEventsRequest:
        """Rebuild a request for block events from its bytes."""
        return BlockEventsRequest(self._loop, self._inner.new_block_events_request(data))

    def new_signed_block_events_request(self, data: bytes, signature: bytes) -> BlockEventsRequest:
        """Rebuild a request for block events from its bytes, with a signature."""
        return BlockEventsRequest(self._loop, self._inner.new_signed_block_events_request(data, signature))

    def new_filtered_block_events_request(self, data: bytes) -> FilteredBlockEventsRequest:
        """Rebuild a request for filtered block events from its bytes."""
        return FilteredBlockEventsRequest(self._loop, self._inner.new_filtered_block_events_request(data))

    def new_signed_filtered_block_events_request(
        self, data: bytes, signature: bytes
    ) -> FilteredBlockEventsRequest:
        """Rebuild a request for filtered block events from its bytes, with a signature."""
        return FilteredBlockEventsRequest(
            self._loop, self._inner.new_signed_filtered_block_events_request(data, signature)
        )

    def new_block_and_private_data_events_request(self, data: bytes) -> BlockAndPrivateDataEventsRequest:
        """Rebuild a request for blocks with private data from its bytes."""
        return BlockAndPrivateDataEventsRequest(
            self._loop, self._inner.new_block_and_private_data_events_request(data)
        )

    def new_signed_block_and_private_data_events_request(
        self, data: bytes, signature: bytes
    ) -> BlockAndPrivateDataEventsRequest:
        """Rebuild a request for blocks with private data from its bytes, with a signature."""
        return BlockAndPrivateDataEventsRequest(
            self._loop, self._inner.new_signed_block_and_private_data_events_request(data, signature)
        )

    def close(self) -> None:
        """Cancel the calls that are still waiting and close the streams of events; the channel stays open."""
        self._loop.close(self._inner.close())

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
