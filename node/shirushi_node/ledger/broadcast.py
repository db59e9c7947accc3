"""orderer.AtomicBroadcast: transactions in, one answer for each; blocks out.

Source: orderer/common/broadcast/broadcast.go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2

from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.deliver import orderer_deliver_method
from shirushi_node.ledger.ledger import Channel, OrderingError
from shirushi_node.ledger.limits import Limits

SERVICE = "orderer.AtomicBroadcast"

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


def atomic_broadcast_handler(channel: Channel, clock: Clock, limits: Limits) -> grpc.GenericRpcHandler:
    """Return the service for a gRPC server; after an answer other than SUCCESS a Broadcast stream ends, as in Fabric."""

    async def broadcast(envelopes: AsyncIterator[bytes], context: _Context) -> None:
        async for envelope in envelopes:
            answer = await order(channel, envelope)
            await context.write(answer)
            if answer.status != common_pb2.SUCCESS:
                return

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Broadcast": grpc.stream_stream_rpc_method_handler(broadcast, None, _serialize),
            "Deliver": orderer_deliver_method(channel, clock, limits.deliver_streams),
        },
    )


async def order(channel: Channel, envelope: bytes) -> ab_pb2.BroadcastResponse:
    """Order one envelope and return the orderer's answer."""
    try:
        await channel.order(envelope)
    except OrderingError as error:
        return ab_pb2.BroadcastResponse(status=error.status, info=str(error))
    return ab_pb2.BroadcastResponse(status=common_pb2.SUCCESS)


def _serialize(message: ab_pb2.BroadcastResponse) -> bytes:
    return bytes(message.SerializeToString())
