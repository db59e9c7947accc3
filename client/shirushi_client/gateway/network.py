"""A channel of the network: its contracts and its events."""

from __future__ import annotations

import time
from typing import Any

from shirushi_client.gateway.block_events import (
    BlockAndPrivateDataEventsRequest,
    BlockEventsRequest,
    FilteredBlockEventsRequest,
    new_seek_envelope,
)
from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.chaincode_events import (
    ChaincodeEvent,
    ChaincodeEventsRequest,
    new_chaincode_events_message,
)
from shirushi_client.gateway.checkpoint import Checkpoint
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.contract import Contract
from shirushi_client.gateway.event_stream import EventStream
from shirushi_client.gateway.identity import SigningIdentity


class Network:
    """One channel, seen through one gateway.

    Events begin at the checkpoint if it has recorded something, else at start_block, else with the next commit.
    """

    def __init__(
        self,
        connection: Connection,
        identity: SigningIdentity,
        name: str,
        tls_client_certificate_hash: bytes | None,
    ) -> None:
        self._connection = connection
        self._identity = identity
        self._name = name
        self._tls_client_certificate_hash = tls_client_certificate_hash

    @property
    def name(self) -> str:
        """The name of the channel."""
        return self._name

    def get_contract(self, chaincode_name: str, contract_name: str | None = None) -> Contract:
        """Return a contract of a chaincode: the named one, or the default."""
        return Contract(self._connection, self._identity, self._name, chaincode_name, contract_name)

    def get_chaincode_events(
        self,
        chaincode_name: str,
        *,
        start_block: int | None = None,
        checkpoint: Checkpoint | None = None,
        options: CallOptions | None = None,
    ) -> EventStream[ChaincodeEvent]:
        """Listen to the events of a chaincode's committed transactions."""
        request = self.new_chaincode_events_request(
            chaincode_name, start_block=start_block, checkpoint=checkpoint
        )
        return request.get_events(options)

    def new_chaincode_events_request(
        self,
        chaincode_name: str,
        *,
        start_block: int | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> ChaincodeEventsRequest:
        """Return a request to listen to chaincode events, which can be signed elsewhere."""
        message = new_chaincode_events_message(
            channel_id=self._name,
            chaincode_name=chaincode_name,
            creator=self._identity.creator,
            start_block=start_block,
            checkpoint=checkpoint,
        )
        return ChaincodeEventsRequest(self._connection, self._identity, message)

    def get_block_events(
        self,
        *,
        start_block: int | None = None,
        checkpoint: Checkpoint | None = None,
        options: CallOptions | None = None,
    ) -> EventStream[Any]:
        """Listen to whole blocks (common.Block)."""
        return self.new_block_events_request(start_block=start_block, checkpoint=checkpoint).get_events(
            options
        )

    def new_block_events_request(
        self, *, start_block: int | None = None, checkpoint: Checkpoint | None = None
    ) -> BlockEventsRequest:
        """Return a request to listen to blocks, which can be signed elsewhere."""
        message = self._seek_envelope(start_block, checkpoint)
        return BlockEventsRequest(self._connection, self._identity, message)

    def get_filtered_block_events(
        self,
        *,
        start_block: int | None = None,
        checkpoint: Checkpoint | None = None,
        options: CallOptions | None = None,
    ) -> EventStream[Any]:
        """Listen to filtered blocks (peer.FilteredBlock): transaction ids, types, codes and event names."""
        request = self.new_filtered_block_events_request(start_block=start_block, checkpoint=checkpoint)
        return request.get_events(options)

    def new_filtered_block_events_request(
        self, *, start_block: int | None = None, checkpoint: Checkpoint | None = None
    ) -> FilteredBlockEventsRequest:
        """Return a request to listen to filtered blocks, which can be signed elsewhere."""
        message = self._seek_envelope(start_block, checkpoint)
        return FilteredBlockEventsRequest(self._connection, self._identity, message)

    def get_block_and_private_data_events(
        self,
        *,
        start_block: int | None = None,
        checkpoint: Checkpoint | None = None,
        options: CallOptions | None = None,
    ) -> EventStream[Any]:
        """Listen to blocks with private data (peer.BlockAndPrivateData)."""
        request = self.new_block_and_private_data_events_request(
            start_block=start_block, checkpoint=checkpoint
        )
        return request.get_events(options)

    def new_block_and_private_data_events_request(
        self, *, start_block: int | None = None, checkpoint: Checkpoint | None = None
    ) -> BlockAndPrivateDataEventsRequest:
        """Return a request to listen to blocks with private data, which can be signed elsewhere."""
        message = self._seek_envelope(start_block, checkpoint)
        return BlockAndPrivateDataEventsRequest(self._connection, self._identity, message)

    def _seek_envelope(self, start_block: int | None, checkpoint: Checkpoint | None) -> Any:
        return new_seek_envelope(
            channel_id=self._name,
            creator=self._identity.creator,
            time_ns=time.time_ns(),
            start_block=start_block,
            checkpoint=checkpoint,
            tls_client_certificate_hash=self._tls_client_certificate_hash,
        )
