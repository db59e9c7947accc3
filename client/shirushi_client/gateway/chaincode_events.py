"""Events that chaincodes emit with their transactions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fabric_protos.gateway import gateway_pb2

from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.checkpoint import Checkpoint
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.event_stream import EventStream
from shirushi_client.gateway.identity import SigningIdentity
from shirushi_client.gateway.signable import Signable
from shirushi_client.gateway.start_position import after_transaction, start_position


@dataclass(frozen=True, slots=True)
class ChaincodeEvent:
    """An event of a committed, valid transaction."""

    block_number: int
    transaction_id: str
    chaincode_name: str
    event_name: str
    payload: bytes


class ChaincodeEventsRequest(Signable):
    """A request to listen to one chaincode's events."""

    def __init__(self, connection: Connection, identity: SigningIdentity, message: Any) -> None:
        super().__init__(connection, identity)
        self._request = message  # gateway.SignedChaincodeEventsRequest

    def get_events(self, options: CallOptions | None = None) -> EventStream[ChaincodeEvent]:
        """Start to listen; errors, also of signing, are raised by the stream."""

        async def start() -> Any:
            await self._sign()
            return await self._connection.chaincode_events(self._request, options)

        return self._connection.stream(start, _events, "chaincode events")

    def _serialized(self) -> bytes:
        return bytes(self._request.SerializeToString())

    def _message(self) -> bytes:
        return bytes(self._request.request)

    def _signature(self) -> bytes:
        return bytes(self._request.signature)

    def _set_signature(self, signature: bytes) -> None:
        self._request.signature = signature


def new_chaincode_events_message(
    *,
    channel_id: str,
    chaincode_name: str,
    creator: bytes,
    start_block: int | None,
    checkpoint: Checkpoint | None,
) -> Any:
    """Build an unsigned gateway.SignedChaincodeEventsRequest."""
    request = gateway_pb2.ChaincodeEventsRequest(
        channel_id=channel_id,
        chaincode_id=chaincode_name,
        identity=creator,
        start_position=start_position(start_block, checkpoint),
        after_transaction_id=after_transaction(checkpoint),
    )
    return gateway_pb2.SignedChaincodeEventsRequest(request=request.SerializeToString(deterministic=True))


def _events(response: Any) -> Iterator[ChaincodeEvent]:
    for event in response.events:
        yield ChaincodeEvent(
            block_number=response.block_number,
            transaction_id=event.tx_id,
            chaincode_name=event.chaincode_id,
            event_name=event.event_name,
            payload=event.payload,
        )
