"""Deliver services: committed blocks, whole or filtered, to who may read them.

protos.Deliver (peers) has Deliver, DeliverFiltered and DeliverWithPrivateData, orderer.AtomicBroadcast has Deliver. A
client may send several seek requests on one stream, one after the other; each ends with a status. Whole blocks go out
as the bytes they are stored in. Source: core/peer/deliverevents.go, orderer/common/server/server.go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import events_pb2

from shirushi_core.fabric.state_updates import varint
from shirushi_node.ledger.access import READERS
from shirushi_node.ledger.blocks import filtered_block
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.limits import ConcurrencyLimit, TooManyRequestsError
from shirushi_node.ledger.seek import Seeker, SeekError

PEER_SERVICE = "protos.Deliver"
CHANNEL_READERS = "/Channel/Readers"

_BLOCK = b"\x12"  # field 2 of both DeliverResponse messages
_BLOCK_AND_PRIVATE_DATA = b"\x22"  # field 4 of the peer's; its own field 1 is the block
_FIRST_FIELD = b"\x0a"

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_Reply: TypeAlias = Callable[[bytes], bytes]


def peer_deliver_handler(channel: Channel, clock: Clock, limit: int) -> grpc.GenericRpcHandler:
    """Return the service protos.Deliver for a gRPC server."""
    seeker = Seeker(channel, READERS, clock)
    slots = ConcurrencyLimit(f"/{PEER_SERVICE}", limit)
    replies: dict[str, _Reply] = {
        "Deliver": _block_reply,
        "DeliverFiltered": _filtered_reply,
        "DeliverWithPrivateData": _private_data_reply,
    }
    return grpc.method_handlers_generic_handler(
        PEER_SERVICE,
        {name: deliver_method(channel, seeker, reply, slots) for name, reply in replies.items()},
    )


def orderer_deliver_method(channel: Channel, clock: Clock, limit: int) -> grpc.RpcMethodHandler[Any, Any]:
    """Return the method Deliver of orderer.AtomicBroadcast."""
    seeker = Seeker(channel, CHANNEL_READERS, clock)
    slots = ConcurrencyLimit("/orderer.AtomicBroadcast", limit)
    return deliver_method(channel, seeker, _block_reply, slots)


def deliver_method(
    channel: Channel, seeker: Seeker, reply: _Reply, slots: ConcurrencyLimit
) -> grpc.RpcMethodHandler[Any, Any]:
    """Return a method that answers seek envelopes with replies made of block bytes."""

    async def deliver(requests: AsyncIterator[common_pb2.Envelope], context: _Context) -> None:
        try:
            with slots.slot():
                async for envelope in requests:
                    status = await _deliver_blocks(channel, seeker, reply, envelope, context)
                    await context.write(_status_reply(status))
                    if status != common_pb2.SUCCESS:
                        return
        except TooManyRequestsError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return grpc.stream_stream_rpc_method_handler(deliver, common_pb2.Envelope.FromString, None)


async def _deliver_blocks(
    channel: Channel, seeker: Seeker, reply: _Reply, envelope: common_pb2.Envelope, context: _Context
) -> int:
    try:
        request = seeker.parse(envelope)
        headers_only = request.info.content_type == ab_pb2.SeekInfo.HEADER_WITH_SIG
        async for number in seeker.blocks(request):
            block = channel.store.block_bytes(number) or b""
            await context.write(reply(_without_data(block) if headers_only else block))
    except SeekError as error:
        return error.status
    return int(common_pb2.SUCCESS)


def _without_data(block: bytes) -> bytes:
    """Return a block with header and metadata only, unless it is a config block."""
    parsed = common_pb2.Block.FromString(block)
    if _is_config(parsed):
        return block
    parsed.ClearField("data")
    return bytes(parsed.SerializeToString())


def _is_config(block: common_pb2.Block) -> bool:
    if len(block.data.data) != 1:
        return False
    envelope = common_pb2.Envelope.FromString(block.data.data[0])
    header = common_pb2.Payload.FromString(envelope.payload).header.channel_header
    return bool(common_pb2.ChannelHeader.FromString(header).type == common_pb2.CONFIG)


def _block_reply(block: bytes) -> bytes:
    return _BLOCK + varint(len(block)) + block


def _filtered_reply(block: bytes) -> bytes:
    filtered = filtered_block(common_pb2.Block.FromString(block))
    return bytes(events_pb2.DeliverResponse(filtered_block=filtered).SerializeToString())


def _private_data_reply(block: bytes) -> bytes:
    """Return a block without private data: the embedded ledger has none."""
    inner = _FIRST_FIELD + varint(len(block)) + block
    return _BLOCK_AND_PRIVATE_DATA + varint(len(inner)) + inner


def _status_reply(status: int) -> bytes:
    return bytes(events_pb2.DeliverResponse(status=status).SerializeToString())
