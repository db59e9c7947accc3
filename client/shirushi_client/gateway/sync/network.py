"""A channel of the network, without asyncio."""

from __future__ import annotations

from typing import Any

from shirushi_client.gateway import network
from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.chaincode_events import ChaincodeEvent
from shirushi_client.gateway.checkpoint import Checkpoint
from shirushi_client.gateway.sync.contract import Contract
from shirushi_client.gateway.sync.event_loop import EventLoopThread
from shirushi_client.gateway.sync.event_stream import EventStream
from shirushi_client.gateway.sync.signables import (
    BlockAndPrivateDataEventsRequest,
    BlockEventsRequest,
    ChaincodeEventsRequest,
    FilteredBlockEventsRequest,
)


class Network:
    """One channel, seen through one gateway.

    Events begin at the checkpoint if it has recorded something, else at start_block, else with the next commit.
    """

    def __init__(self, loop: EventLoopThread, inner: network.Network) -> None:
        self._loop = loop
        self._inner = inner

    @property
    def name(self) -> str:
        """The name of the channel."""
        return self._inner.name

    def get_contract(self, chaincode_name: str, contract_name: str | None = None) -> Contract:
        """Return a contract of a chaincode: the named one, or the default."""
        return Contract(self._loop, self._inner.get_contract(chaincode_name, contract_name))

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
        request = self._inner.new_chaincode_events_request(
            chaincode_name, start_block=start_block, checkpoint=checkpoint
        )
        return ChaincodeEventsRequest(self._loop, request)

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
        request = self._inner.new_block_events_request(start_block=start_block, checkpoint=checkpoint)
        return BlockEventsRequest(self._loop, request)

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
        request = self._inner.new_filtered_block_events_request(
            start_block=start_block, checkpoint=checkpoint
        )
        return FilteredBlockEventsRequest(self._loop, request)

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
        request = self._inner.new_block_and_private_data_events_request(
            start_block=start_block, checkpoint=checkpoint
        )
        return BlockAndPrivateDataEventsRequest(self._loop, request)
