"""ChaincodeEvents: the events of one chaincode, block by block, from a position on.

Source: internal/pkg/gateway/chaincodeevents.go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from fabric_protos.gateway import gateway_pb2
from google.protobuf.message import DecodeError

from shirushi_core.fabric.policy import SignedData
from shirushi_core.fabric.proposal import INVALID_MESSAGE
from shirushi_node.ledger.access import READERS, AccessDeniedError, check_signed_data
from shirushi_node.ledger.gateway.errors import GatewayError
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.ledger import ChannelStoppedError


def chaincode_events(
    gateway: Gateway, signed: gateway_pb2.SignedChaincodeEventsRequest
) -> AsyncIterator[gateway_pb2.ChaincodeEventsResponse]:
    """Return one response for each block that has events of the chaincode, in order; raises GatewayError at once.

    After a known transaction: starts in its block, behind it. Otherwise from the start position, by default the block
    that is next at the time of the call. Ends only with the call.
    """
    request = _check(gateway, signed)
    return _follow(gateway, request, _start_block(gateway, request))


async def _follow(
    gateway: Gateway, request: gateway_pb2.ChaincodeEventsRequest, number: int
) -> AsyncIterator[gateway_pb2.ChaincodeEventsResponse]:
    skip_to = request.after_transaction_id
    channel = gateway.channel
    while True:
        try:
            await channel.wait_for_height(number + 1)
        except ChannelStoppedError as error:
            raise GatewayError(grpc.StatusCode.UNAVAILABLE, str(error)) from None
        matching = []
        for event in gateway.events.events(number):
            if skip_to:
                if event.tx_id == skip_to:
                    skip_to = ""
            elif event.chaincode_id == request.chaincode_id:
                matching.append(event)
        if matching:
            yield gateway_pb2.ChaincodeEventsResponse(block_number=number, events=matching)
        number += 1


def _check(
    gateway: Gateway, signed: gateway_pb2.SignedChaincodeEventsRequest
) -> gateway_pb2.ChaincodeEventsRequest:
    if not signed.request:
        raise GatewayError(grpc.StatusCode.INVALID_ARGUMENT, "a chaincode events request is required")
    try:
        request = gateway_pb2.ChaincodeEventsRequest.FromString(signed.request)
    except DecodeError:
        raise GatewayError(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"invalid chaincode events request: {INVALID_MESSAGE}",
        ) from None
    try:
        check_signed_data(
            gateway.channel.config,
            request.channel_id,
            READERS,
            SignedData(signed.request, request.identity, signed.signature),
        )
    except AccessDeniedError as error:
        raise GatewayError(grpc.StatusCode.PERMISSION_DENIED, str(error)) from None
    return request


def _start_block(gateway: Gateway, request: gateway_pb2.ChaincodeEventsRequest) -> int:
    store = gateway.channel.store
    if request.after_transaction_id:
        location = store.transaction(request.after_transaction_id)
        if location is not None:
            return location.block
    kind = request.start_position.WhichOneof("Type")
    if kind == "specified":
        return int(request.start_position.specified.number)
    if kind in (None, "next_commit"):
        return store.height
    raise GatewayError(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"invalid start position type: *orderer.SeekPosition_{kind.capitalize()}",
    )
