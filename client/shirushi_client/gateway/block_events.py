"""Blocks as they are committed: whole, filtered, or with private data.

Source: peer/events.proto, orderer/ab.proto, core/peer/deliverevents.go, common/deliver/deliver.go.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2

from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.checkpoint import Checkpoint
from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.errors import StreamEndedError
from shirushi_client.gateway.event_stream import EventStream
from shirushi_client.gateway.identity import SigningIdentity
from shirushi_client.gateway.signable import Signable
from shirushi_client.gateway.start_position import MAX_BLOCK_NUMBER, start_position
from shirushi_core.errors import InvalidInputError

NANOSECONDS = 1_000_000_000

# A deliver service refuses within the stream, with an HTTP-like number; this is the gRPC status of the same meaning.
_CODES = {
    common_pb2.Status.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    common_pb2.Status.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    common_pb2.Status.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    common_pb2.Status.REQUEST_ENTITY_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    common_pb2.Status.INTERNAL_SERVER_ERROR: grpc.StatusCode.INTERNAL,
    common_pb2.Status.NOT_IMPLEMENTED: grpc.StatusCode.UNIMPLEMENTED,
    common_pb2.Status.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


class DeliverRequest(Signable):
    """A request for a stream of blocks of one kind."""

    _field: ClassVar[str]
    _description: ClassVar[str]

    def __init__(self, connection: Connection, identity: SigningIdentity, message: Any) -> None:
        super().__init__(connection, identity)
        self._envelope = message  # common.Envelope

    def get_events(self, options: CallOptions | None = None) -> EventStream[Any]:
        """Start to listen; errors, also of signing, are raised by the stream."""

        async def start() -> Any:
            await self._sign()
            return await self._open()(self._envelope, options)

        return self._connection.stream(start, self._decode, self._description)

    @abstractmethod
    def _open(self) -> Callable[[Any, CallOptions | None], Coroutine[Any, Any, Any]]: ...

    def _decode(self, response: Any) -> tuple[Any]:
        kind = response.WhichOneof("Type")
        if kind == self._field:
            return (getattr(response, kind),)
        if kind == "status":
            name = (
                common_pb2.Status.Name(response.status)
                if response.status in common_pb2.Status.values()
                else ""
            )
            raise StreamEndedError(
                f"the peer ended the stream of {self._description} with status {response.status} {name}".rstrip(),
                code=_CODES.get(response.status, grpc.StatusCode.UNKNOWN),
            )
        raise InvalidInputError(f"expected {self._field} in the stream of {self._description}, found {kind}")

    def _serialized(self) -> bytes:
        return bytes(self._envelope.SerializeToString())

    def _message(self) -> bytes:
        return bytes(self._envelope.payload)

    def _signature(self) -> bytes:
        return bytes(self._envelope.signature)

    def _set_signature(self, signature: bytes) -> None:
        self._envelope.signature = signature


class BlockEventsRequest(DeliverRequest):
    """A request for whole blocks; its events are common.Block messages."""

    _field = "block"
    _description = "block events"

    def _open(self) -> Callable[[Any, CallOptions | None], Coroutine[Any, Any, Any]]:
        return self._connection.block_events


class FilteredBlockEventsRequest(DeliverRequest):
    """A request for blocks without payloads; its events are peer.FilteredBlock messages."""

    _field = "filtered_block"
    _description = "filtered block events"

    def _open(self) -> Callable[[Any, CallOptions | None], Coroutine[Any, Any, Any]]:
        return self._connection.filtered_block_events


class BlockAndPrivateDataEventsRequest(DeliverRequest):
    """A request for blocks with the private data that the caller may see; its events are peer.BlockAndPrivateData."""

    _field = "block_and_private_data"
    _description = "block and private data events"

    def _open(self) -> Callable[[Any, CallOptions | None], Coroutine[Any, Any, Any]]:
        return self._connection.block_and_private_data_events


def new_seek_envelope(
    *,
    channel_id: str,
    creator: bytes,
    time_ns: int,
    start_block: int | None,
    checkpoint: Checkpoint | None,
    tls_client_certificate_hash: bytes | None,
) -> Any:
    """Build the unsigned common.Envelope that asks a deliver service for all blocks from a position on."""
    channel_header = common_pb2.ChannelHeader(
        type=common_pb2.HeaderType.DELIVER_SEEK_INFO,
        channel_id=channel_id,
        tls_cert_hash=tls_client_certificate_hash or b"",
    )
    seconds, nanos = divmod(time_ns, NANOSECONDS)
    channel_header.timestamp.seconds = seconds
    channel_header.timestamp.nanos = nanos
    signature_header = common_pb2.SignatureHeader(creator=creator)
    seek = ab_pb2.SeekInfo(
        start=start_position(start_block, checkpoint),
        stop=ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=MAX_BLOCK_NUMBER)),
    )
    payload = common_pb2.Payload(data=seek.SerializeToString(deterministic=True))
    payload.header.channel_header = channel_header.SerializeToString(deterministic=True)
    payload.header.signature_header = signature_header.SerializeToString(deterministic=True)
    return common_pb2.Envelope(payload=payload.SerializeToString(deterministic=True))
